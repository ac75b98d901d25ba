"""What every node has, whether it serves sockets or only executes runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

import app as package
from app.agents.executor import Executor
from app.agents.models import load_model
from app.agents.registry import AgentRegistry
from app.agents.saver import Savers, open_savers
from app.agents.types import Agent, Task
from app.auth.logins import Logins
from app.auth.tokens import Tokens, keep_secret
from app.background import Work
from app.chats.service import ChatService
from app.events.follower import Follower
from app.events.log import EventLog
from app.events.outbox import EventPublisher
from app.kit.clock import Clock, SystemClock
from app.kit.errors import AppError
from app.kit.ids import NodeId, RunId, new_node_id
from app.knowledge.glossary import Glossary
from app.knowledge.service import KnowledgeService
from app.liveness.store import LivenessStore
from app.memory.service import LongTermMemoryService
from app.ownership.forgetting import Forgetting
from app.ownership.retention import Retention
from app.runs.claims import Claims
from app.runs.ending import Ending
from app.runs.signals import Signals
from app.runs.tool_calls import ToolCalls
from app.runs.worker import RunWorker
from app.sessions.errors import UnknownAgent
from app.sessions.service import SessionService
from app.settings import Settings
from app.stores import Stores, open_stores
from app.supervisor import graph as supervisor
from app.supervisor.context import Context
from app.sweeper.sweeper import Job, Sweeper

log = structlog.get_logger()

_PLAN_SECONDS = 30
_EXPIRE_SECONDS = 30
_LOGINS_SECONDS = 600
_COMPUTE_AT_ONCE = 4  # they take turns at Python's lock anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process of the service: it executes runs and does its part of the upkeep."""

    id: NodeId
    settings: Settings
    clock: Clock
    stores: Stores
    tokens: Tokens
    event_log: EventLog
    publisher: EventPublisher
    follower: Follower
    signals: Signals
    liveness: LivenessStore
    agents: AgentRegistry
    knowledge: KnowledgeService
    chats: ChatService
    logins: Logins
    sessions: SessionService
    worker: RunWorker
    retention: Retention

    def background(self) -> list[Work]:
        """Return what must run for as long as the node lives."""
        sweeper = Sweeper(
            [
                Job("expire_sessions", _EXPIRE_SECONDS, self.sessions.expire),
                Job("relay_outbox", self.settings.events.relay_seconds, self.publisher.relay),
                Job("end_logins", _LOGINS_SECONDS, self.logins.sweep),
                Job("retention", self.settings.retention.every_seconds, self.retention.sweep),
            ]
        )
        return [
            self.sessions.run,
            self.worker.run,
            self.publisher.sent.run,
            self.liveness.changes.run,
            sweeper.run,
            self._ingest_docs,
        ]

    def on_signal(self, signal: dict[str, Any]) -> None:
        """Take what another node says of runs. Unknown kinds are from newer nodes."""
        match signal.get("kind"):
            case "cancel":
                self.worker.cancel(RunId(UUID(signal["run_id"])))
            case "wake":
                self.worker.wake()
            case _:
                pass

    async def leave(self) -> None:
        """Say that this node is going, rather than wait until it is no longer believed."""
        with contextlib.suppress(AppError):
            await self.liveness.forget_node()

    async def _ingest_docs(self) -> None:
        """Give the search team this project's own documents, if the operator gave it none."""
        folder = Path(package.__file__).parent
        installed = folder / "_docs"
        try:
            await self.knowledge.ingest_default(installed if installed.is_dir() else folder.parent)
        except AppError as error:
            log.warning("default_documents_failed", code=error.code)
        except Exception:
            log.exception("default_documents_crashed")


@contextlib.asynccontextmanager
async def open_node(
    settings: Settings, *, agents: Sequence[Agent] = (), clock: Clock | None = None
) -> AsyncIterator[Node]:
    """Open the stores and put together what every node has. What runs in the background is
    the caller's to start, within the block: what it leaves unwritten is written at the end.

    Args:
        settings: the configuration.
        agents: more agents, beside the built-in one.
        clock: the clock; tests bring their own.

    Raises:
        AppError: something the service needs is not there; the message says what.
    """
    clock = clock or SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        savers = await stack.enter_async_context(
            open_savers(stores.database_url, settings.database)
        )
        node = _put_together(
            settings,
            clock=clock,
            stores=stores,
            savers=savers,
            agents=agents,
        )
        stack.push_async_callback(node.sessions.flush)
        stack.push_async_callback(node.publisher.sent.flush)
        stack.push_async_callback(node.leave)
        stack.push_async_callback(node.liveness.changes.flush)
        yield node


def _put_together(
    settings: Settings,
    *,
    clock: Clock,
    stores: Stores,
    savers: Savers,
    agents: Sequence[Agent],
) -> Node:
    node_id = new_node_id()
    postgres, redis = stores.postgres, stores.redis
    executor = Executor(savers, ToolCalls(postgres=postgres, settings=settings.runs))
    secret = settings.secret
    tokens = Tokens(
        secret.get_secret_value().encode() if secret else keep_secret(settings.data_dir)
    )
    event_log = EventLog(redis, settings.events)
    publisher = EventPublisher(event_log=event_log, postgres=postgres, settings=settings.events)
    signals = Signals(redis)
    knowledge = open_knowledge(settings, stores, clock=clock)
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
            node=node_id,
        ),
        ending=Ending(postgres=postgres, publisher=publisher, executor=executor, sessions=sessions),
        signals=signals,
        settings=settings.runs,
        clock=clock,
        node=node_id,
    )
    return Node(
        id=node_id,
        settings=settings,
        clock=clock,
        stores=stores,
        tokens=tokens,
        event_log=event_log,
        publisher=publisher,
        follower=Follower(redis, confirm_seconds=settings.redis.command_seconds),
        signals=signals,
        liveness=LivenessStore(
            redis, settings.liveness, node_id, executes=settings.runs.concurrency > 0
        ),
        agents=registry,
        knowledge=knowledge,
        chats=chats,
        logins=Logins(postgres=postgres, settings=settings.auth),
        sessions=sessions,
        worker=worker,
        retention=Retention(
            postgres=postgres,
            forgetting=Forgetting(
                postgres=postgres,
                savers=savers,
                event_log=event_log,
                late_seconds=settings.retention.late_seconds,
            ),
            settings=settings.retention,
            sessions=settings.sessions,
        ),
    )


def open_knowledge(settings: Settings, stores: Stores, *, clock: Clock) -> KnowledgeService:
    return KnowledgeService(
        postgres=stores.postgres,
        settings=settings.knowledge,
        clock=clock,
        glossary=Glossary.load(*filter(None, [settings.knowledge.glossary])),
    )


def _supervisor(settings: Settings, *, knowledge: KnowledgeService, clock: Clock) -> Agent:
    """Return the built-in agent, with a language model if one is configured."""
    model = load_model(settings.model, base_url=settings.model_base_url) if settings.model else None
    memory = LongTermMemoryService(clock=clock)
    turns = asyncio.Semaphore(_COMPUTE_AT_ONCE)

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
            turns=turns,
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
