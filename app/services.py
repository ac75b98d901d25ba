"""Builds every service, in order, in one stack that unwinds in reverse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from starlette.requests import Request

import app as package
from app.agents.executor import Executor
from app.agents.models import load_model
from app.agents.registry import AgentRegistry
from app.agents.saver import open_savers
from app.agents.types import Agent, Task
from app.auth.identity import Identity
from app.auth.tickets import TicketStore
from app.auth.tokens import Tokens, keep_secret
from app.chats.service import ChatService
from app.connections.hub import Hub
from app.embedded.servers import servers
from app.events.follower import Follower
from app.events.log import EventLog
from app.events.outbox import EventPublisher
from app.gateway.endpoint import Gateway
from app.gateway.handshake import Handshake
from app.gateway.watch import SessionWatch
from app.kit.clock import Clock, SystemClock
from app.kit.errors import AppError
from app.kit.ids import NodeId, RunId, SessionId, new_node_id
from app.knowledge.glossary import Glossary
from app.knowledge.service import KnowledgeService
from app.liveness.store import LivenessStore
from app.memory.service import LongTermMemoryService
from app.runs.claims import Claims
from app.runs.ending import Ending
from app.runs.service import RunService
from app.runs.signals import Signals, parse_signal
from app.runs.snapshot import SnapshotService
from app.runs.worker import RunWorker
from app.sessions.errors import UnknownAgent
from app.sessions.service import SessionService
from app.sessions.types import Session
from app.settings import Settings
from app.storage import revision
from app.storage.postgres import Postgres
from app.storage.redis import connect, redis_errors
from app.supervisor import graph as supervisor
from app.supervisor.context import Context
from app.sweeper.sweeper import Job, Sweeper

log = structlog.get_logger()

_PLAN_SECONDS = 30
_EXPIRE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a running node has. Edges take what they need, typed, from ``state``."""

    settings: Settings
    node: NodeId
    clock: Clock
    postgres: Postgres
    redis: Redis
    database_url: str
    agents: AgentRegistry
    identity: Identity
    tickets: TicketStore
    chats: ChatService
    sessions: SessionService
    liveness: LivenessStore
    snapshots: SnapshotService
    runs: RunService
    worker: RunWorker
    knowledge: KnowledgeService
    gateway: Gateway
    hub: Hub
    watch: SessionWatch
    signals: Signals

    def state(self) -> dict[str, Any]:
        """What requests see as ``request.state``."""
        return {
            "identity": self.identity,
            "tickets": self.tickets,
            "chats": self.chats,
            "sessions": self.sessions,
            "liveness": self.liveness,
            "snapshots": self.snapshots,
            "gateway": self.gateway,
            "check_stores": self.check_stores,
            "session_changed": self.session_changed,
            "secure_cookies": self.secure_cookies,
            "body_bytes": self.settings.server.body_bytes,
        }

    async def check_stores(self) -> dict[str, str]:
        """Ask each store whether it answers: ``ok``, or what is wrong."""

        async def ask(question: Awaitable[object]) -> str:
            try:
                async with asyncio.timeout(2):
                    await question
            except (AppError, TimeoutError, OSError) as error:
                return error.code if isinstance(error, AppError) else "timeout"
            return "ok"

        async with asyncio.TaskGroup() as group:
            postgres = group.create_task(ask(self._ask_postgres()))
            redis = group.create_task(ask(self._ask_redis()))
        return {"postgres": postgres.result(), "redis": redis.result()}

    async def _ask_postgres(self) -> None:
        async with self.postgres.statement() as db:
            await db.exec_driver_sql("SELECT 1")

    async def _ask_redis(self) -> None:
        with redis_errors():
            await self.redis.ping()

    async def leave(self) -> None:
        """Say that this node is going, rather than wait until it is no longer believed."""
        with contextlib.suppress(AppError):
            await self.liveness.forget_node()

    async def session_changed(self, kind: str, session: Session) -> None:
        """Tell the session's sockets, here and on other nodes, that it ended or lives longer."""
        if kind == "extended":
            self.watch.extended(session)
            return
        self.watch.ended(session.session_id)
        try:
            await self.signals.send("session_ended", session_id=session.session_id)
        except AppError as error:  # other nodes see it when they look the session up
            log.warning("session_signal_failed", code=error.code)

    def secure_cookies(self, request: Request) -> bool:
        """Whether cookies for this request need HTTPS."""
        return self.identity.is_secure(request)

    def on_signal(self, data: bytes) -> None:
        """Take what another node says. Unknown kinds are from newer nodes."""
        signal = parse_signal(data)
        match signal.get("kind"):
            case "cancel":
                self.worker.cancel(RunId(UUID(signal["run_id"])))
            case "wake":
                self.worker.wake()
            case "session_ended":
                self.watch.ended(SessionId(signal["session_id"]))
            case _:
                pass


@contextlib.asynccontextmanager
async def build(
    settings: Settings, *, agents: Sequence[Agent] = (), clock: Clock | None = None
) -> AsyncIterator[Services]:
    """Open every store, build every service and start what runs beside them.

    Args:
        settings: the configuration.
        agents: more agents, beside the built-in one.
        clock: the clock; tests bring their own.

    Raises:
        AppError: something the service needs is not there; the message says what.
    """
    clock = clock or SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        database_url, redis_url = await addresses(settings, stack)
        if settings.database.migrate:
            await _migrate(database_url)
        postgres = Postgres(database_url, settings.database)
        stack.push_async_callback(postgres.close)
        redis = connect(redis_url, settings.redis)
        stack.push_async_callback(redis.aclose)
        savers = await stack.enter_async_context(open_savers(database_url, settings.database))
        services, background, buffers = _wire(
            settings,
            clock=clock,
            postgres=postgres,
            redis=redis,
            database_url=database_url,
            executor=Executor(savers),
            agents=agents,
        )
        for flush in buffers:
            stack.push_async_callback(flush)
        await stack.enter_async_context(_running(background))
        yield services


async def _migrate(database_url: str) -> None:
    if await asyncio.to_thread(revision.is_newest, database_url):
        return
    from app.storage import migrations  # noqa: PLC0415 - seldom needed, slow to import

    await asyncio.to_thread(migrations.upgrade, database_url)


async def addresses(settings: Settings, stack: contextlib.AsyncExitStack) -> tuple[str, str]:
    """Return the stores' addresses; start our own servers for those that have none."""
    database = settings.database_url
    redis = settings.redis_url
    if database is not None and redis is not None:
        return database.get_secret_value(), redis.get_secret_value()
    embedded = await stack.enter_async_context(servers(settings.data_dir))
    return (
        database.get_secret_value() if database else embedded.database_url,
        redis.get_secret_value() if redis else embedded.redis_url,
    )


def _wire(
    settings: Settings,
    *,
    clock: Clock,
    postgres: Postgres,
    redis: Redis,
    database_url: str,
    executor: Executor,
    agents: Sequence[Agent],
) -> tuple[
    Services,
    list[Callable[[], Coroutine[Any, Any, None]]],
    list[Callable[[], Awaitable[None]]],
]:
    """Connect the parts. Returns them, what must run beside them, and what to flush last."""
    node = new_node_id()
    secret = settings.secret
    tokens = Tokens(
        secret.get_secret_value().encode() if secret else keep_secret(settings.data_dir)
    )
    identity = Identity(tokens, secure_cookies=settings.server.secure_cookies)
    tickets = TicketStore(redis)
    event_log = EventLog(redis, settings.events)
    publisher = EventPublisher(event_log=event_log, postgres=postgres)
    follower = Follower(redis, confirm_seconds=settings.redis.command_seconds)
    hub = Hub(
        event_log=event_log,
        follower=follower,
        settings=settings.events,
        monotonic=clock.monotonic,
    )
    liveness = LivenessStore(redis, settings.liveness, node)
    signals = Signals(redis)
    knowledge = KnowledgeService(
        postgres=postgres,
        settings=settings.knowledge,
        clock=clock,
        glossary=Glossary.load(*filter(None, [settings.knowledge.glossary])),
    )
    registry = AgentRegistry([_supervisor(settings, knowledge=knowledge, clock=clock), *agents])
    if settings.agent not in registry:
        raise UnknownAgent(f"COLLOQUY_AGENT names {settings.agent!r}, which does not exist.")
    chats = ChatService(postgres=postgres)
    sessions = SessionService(
        postgres=postgres,
        chats=chats,
        tokens=tokens,
        settings=settings.sessions,
        has_agent=registry.__contains__,
        default_agent=settings.agent,
    )
    worker = RunWorker(
        postgres=postgres,
        publisher=publisher,
        agents=registry,
        executor=executor,
        claims=Claims(
            postgres=postgres,
            publisher=publisher,
            settings=settings.runs,
            clock=clock,
            node=node,
        ),
        ending=Ending(postgres=postgres, publisher=publisher, executor=executor, sessions=sessions),
        signals=signals,
        settings=settings.runs,
        clock=clock,
        node=node,
    )
    runs = RunService(
        postgres=postgres,
        publisher=publisher,
        sessions=sessions,
        worker=worker,
        signals=signals,
        settings=settings.runs,
        clock=clock,
        node=node,
    )
    snapshots = SnapshotService(postgres=postgres, chats=chats, event_log=event_log)
    watch = SessionWatch(
        hub=hub,
        sessions=sessions,
        liveness=liveness,
        settings=settings,
        monotonic=clock.monotonic,
    )
    gateway = Gateway(
        hub=hub,
        handshake=Handshake(
            sessions=sessions, identity=identity, tickets=tickets, settings=settings
        ),
        runs=runs,
        snapshots=snapshots,
        watch=watch,
        liveness=liveness,
        settings=settings,
        clock=clock,
        node=node,
    )
    services = Services(
        settings=settings,
        node=node,
        clock=clock,
        postgres=postgres,
        redis=redis,
        database_url=database_url,
        agents=registry,
        identity=identity,
        tickets=tickets,
        chats=chats,
        sessions=sessions,
        liveness=liveness,
        snapshots=snapshots,
        runs=runs,
        worker=worker,
        knowledge=knowledge,
        gateway=gateway,
        hub=hub,
        watch=watch,
        signals=signals,
    )
    sweeper = Sweeper(
        [
            Job("expire_sessions", _EXPIRE_SECONDS, sessions.expire),
            Job("relay_outbox", settings.events.relay_seconds, publisher.relay),
        ]
    )
    background: list[Callable[[], Coroutine[Any, Any, None]]] = [
        lambda: follower.run(hub, on_signal=services.on_signal),
        hub.run,
        sessions.run,
        worker.run,
        watch.run,
        publisher.sent.run,
        sweeper.run,
        lambda: _ingest_docs(knowledge),
    ]
    return services, background, [sessions.flush, publisher.sent.flush, services.leave]


def _supervisor(settings: Settings, *, knowledge: KnowledgeService, clock: Clock) -> Agent:
    """Return the built-in agent, with a language model if one is configured."""
    model = load_model(settings.model, base_url=settings.model_base_url) if settings.model else None
    memory = LongTermMemoryService(clock=clock)

    def context(task: Task) -> Context:
        return Context(
            user_id=task.user_id,
            memory=memory,
            knowledge=knowledge,
            model=model,
            clock=clock,
            team_seconds=settings.runs.team_seconds,
            search_results=settings.knowledge.results,
            history_messages=settings.runs.history_messages,
        )

    return Agent(
        name=supervisor.NAME,
        description=supervisor.DESCRIPTION,
        graph=supervisor.build(
            plan_seconds=_PLAN_SECONDS,
            team_seconds=settings.runs.team_seconds,
            respond_seconds=settings.runs.timeout_seconds,
        ),
        context=context,
        closing_node=supervisor.CLOSING_NODE,
    )


async def _ingest_docs(knowledge: KnowledgeService) -> None:
    """Give the search team this project's own documents, if the operator gave it none."""
    folder = Path(package.__file__).parent
    installed = folder / "_docs"
    try:
        await knowledge.ingest_default(installed if installed.is_dir() else folder.parent)
    except AppError as error:
        log.warning("default_documents_failed", code=error.code)
    except Exception:
        log.exception("default_documents_crashed")


@contextlib.asynccontextmanager
async def _running(
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]],
) -> AsyncIterator[None]:
    """Run ``background`` for as long as the block lasts."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work()) for work in background]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
