"""What a node with sockets has beside what every node has: ``build`` opens all of it."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import Request

from app.agents.types import Agent
from app.auth.identity import Identity
from app.auth.tickets import TicketStore
from app.background import Work, running
from app.chats.service import ChatService
from app.connections.hub import Hub
from app.gateway.endpoint import Gateway
from app.gateway.handshake import Handshake
from app.gateway.watch import SessionWatch
from app.kit.clock import Clock, wire_time
from app.kit.errors import AppError
from app.kit.ids import ConnectionId, NodeId, SessionId
from app.liveness.store import LivenessStore
from app.node import Node, open_node
from app.runs.backlog import Backlog
from app.runs.service import RunService
from app.runs.signals import Kind, Signals, parse_signal
from app.runs.snapshot import SnapshotService
from app.runs.worker import RunWorker
from app.sessions.service import SessionService
from app.sessions.types import Session
from app.settings import Settings
from app.storage.postgres import Postgres
from app.sweeper.sweeper import Job, Sweeper
from app.web.readiness import Readiness

log = structlog.get_logger()

_BACKLOG_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a serving node's edges use. They take it, typed, from ``state``."""

    settings: Settings
    node: NodeId
    postgres: Postgres
    identity: Identity
    tickets: TicketStore
    chats: ChatService
    sessions: SessionService
    liveness: LivenessStore
    snapshots: SnapshotService
    runs: RunService
    worker: RunWorker
    readiness: Readiness
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
            "readiness": self.readiness,
            "session_changed": self.session_changed,
            "secure_cookies": self.secure_cookies,
            "body_bytes": self.settings.server.body_bytes,
        }

    async def session_changed(self, kind: str, session: Session) -> None:
        """Tell the session's sockets, here and on other nodes, that it ended or lives longer."""
        signal: Kind = "session_ended" if kind == "ended" else "session_extended"
        said = {
            "session_id": session.session_id,
            "expires_at": wire_time(session.expires_at),
            "seconds_left": str(session.seconds_left),
        }
        try:
            await self.signals.send(signal, **said)
        except AppError as error:  # other nodes see it when they look the session up
            log.warning("session_signal_failed", code=error.code)
            self.on_signal({"kind": signal, **said})

    def on_signal(self, signal: Mapping[str, str]) -> bool:
        """Take what a node, perhaps this one, says of sessions; False if it says other things."""
        session_id = SessionId(signal.get("session_id", ""))
        match signal.get("kind"):
            case "session_ended":
                self.watch.ended(session_id)
            case "session_extended":
                self.watch.extended(
                    session_id,
                    expires_at=signal["expires_at"],
                    seconds_left=float(signal["seconds_left"]),
                )
            case "superseded":
                older = map(ConnectionId, signal["connection_ids"].split())
                self.watch.superseded(session_id, set(older))
            case _:
                return False
        return True

    def secure_cookies(self, request: Request) -> bool:
        """Whether cookies for this request need HTTPS."""
        return self.identity.is_secure(request)


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
    async with open_node(settings, agents=agents, clock=clock) as node:
        services, background = _put_together(node)
        async with running([*node.background(), *background]):
            yield services


def _put_together(node: Node) -> tuple[Services, list[Work]]:
    """Connect the parts. Returns them, and what must run beside them."""
    settings, stores, clock = node.settings, node.stores, node.clock
    identity = Identity(node.tokens, secure_cookies=settings.server.secure_cookies)
    tickets = TicketStore(stores.redis)
    hub = Hub(
        mend=node.publisher.mend,
        event_log=node.event_log,
        follower=node.follower,
        settings=settings.events,
        monotonic=clock.monotonic,
    )
    runs = RunService(
        postgres=stores.postgres,
        publisher=node.publisher,
        sessions=node.sessions,
        worker=node.worker,
        signals=node.signals,
        settings=settings.runs,
        clock=clock,
        node=node.id,
    )
    snapshots = SnapshotService(
        postgres=stores.postgres, chats=node.chats, event_log=node.event_log
    )
    watch = SessionWatch(
        hub=hub,
        sessions=node.sessions,
        liveness=node.liveness,
        settings=settings,
        monotonic=clock.monotonic,
    )
    gateway = Gateway(
        hub=hub,
        handshake=Handshake(
            sessions=node.sessions, identity=identity, tickets=tickets, settings=settings
        ),
        runs=runs,
        snapshots=snapshots,
        watch=watch,
        liveness=node.liveness,
        signals=node.signals,
        settings=settings,
        clock=clock,
        node=node.id,
    )
    backlog = Backlog(
        postgres=stores.postgres,
        liveness=node.liveness,
        settings=settings.runs,
        monotonic=clock.monotonic,
    )
    readiness = Readiness(
        stores={"postgres": stores.ask_postgres, "redis": stores.ask_redis},
        workers=None if settings.runs.concurrency else node.liveness.workers,
    )
    services = Services(
        settings=settings,
        node=node.id,
        postgres=stores.postgres,
        identity=identity,
        tickets=tickets,
        chats=node.chats,
        sessions=node.sessions,
        liveness=node.liveness,
        snapshots=snapshots,
        runs=runs,
        worker=node.worker,
        readiness=readiness,
        gateway=gateway,
        hub=hub,
        watch=watch,
        signals=node.signals,
    )

    def on_signal(data: bytes) -> None:
        signal = parse_signal(data)
        if not services.on_signal(signal):
            node.on_signal(signal)

    background: list[Work] = [
        lambda: node.follower.run(hub, on_signal=on_signal),
        hub.run,
        watch.run,
        readiness.run,
        Sweeper([Job("look_at_backlog", _BACKLOG_SECONDS, backlog.look)]).run,
    ]
    return services, background
