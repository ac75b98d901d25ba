"""What a node with sockets has beside what every node has: ``build`` opens all of it."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from app.agents.types import Agent
from app.auth.attempts import AttemptStore
from app.auth.external import ExternalAuth
from app.auth.identity import Identity
from app.auth.local import LocalAuth
from app.auth.logins import Logins
from app.auth.mail import Mailer
from app.auth.passwords import Passwords
from app.auth.providers import providers
from app.auth.social import SocialAuth
from app.auth.throttle import Throttle
from app.auth.tickets import TicketStore
from app.background import Work, running
from app.chats.service import ChatService
from app.connections.hub import Hub
from app.gateway.admission import Admission
from app.gateway.endpoint import Gateway
from app.gateway.handshake import Handshake
from app.gateway.watch import SessionWatch
from app.kit.clock import Clock, wire_time
from app.kit.errors import AppError
from app.kit.ids import ConnectionId, LoginId, NodeId, SessionId, UserId, VisitorId
from app.limits.rates import Rates
from app.liveness.store import LivenessStore
from app.node import Node, open_node
from app.ownership.claims import ClaimService
from app.protocol.close import FORBIDDEN, UNAUTHENTICATED
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
from app.users.service import UserService
from app.web.readiness import Readiness

log = structlog.get_logger()

_BACKLOG_SECONDS = 15
_IDS_AT_ONCE = 500  # in one signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a serving node's edges use. They take it, typed, from ``state``."""

    settings: Settings
    node: NodeId
    postgres: Postgres
    identity: Identity
    tickets: TicketStore
    logins: Logins
    local_auth: LocalAuth
    social_auth: SocialAuth
    users: UserService
    claims: ClaimService
    chats: ChatService
    sessions: SessionService
    rates: Rates
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
            "rates": self.rates,
            "liveness": self.liveness,
            "snapshots": self.snapshots,
            "gateway": self.gateway,
            "readiness": self.readiness,
            "session_changed": self.session_changed,
            "logins": self.logins,
            "local_auth": self.local_auth,
            "social_auth": self.social_auth,
            "attempt_seconds": self.settings.social.attempt_seconds,
            "users": self.users,
            "signed_out": self.signed_out,
            "claim_visitor": self.claim_visitor,
            "claim_session": self.claim_session,
            "body_bytes": self.settings.server.body_bytes,
            "metrics_networks": self.settings.server.metrics_networks,
        }

    async def session_changed(self, kind: str, session: Session) -> None:
        """Tell the session's sockets, here and on other nodes, that it ended or lives longer."""
        signal: Kind = "session_ended" if kind == "ended" else "session_extended"
        said = {
            "session_id": session.session_id,
            "expires_at": wire_time(session.expires_at),
            "seconds_left": str(session.seconds_left),
        }
        await self._tell(signal, **said)

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
            case "signed_out":
                ended = {LoginId(UUID(one)) for one in signal["login_ids"].split()}
                is_disabled = signal.get("why") == "disabled"
                self.watch.signed_out(ended, FORBIDDEN if is_disabled else UNAUTHENTICATED)
            case "claimed":
                self.watch.claimed(map(SessionId, signal["session_ids"].split()))
            case _:
                return False
        return True

    async def signed_out(self, login_ids: Sequence[LoginId]) -> None:
        """Close the sockets, on all nodes, that hang on sign-ins which have ended."""
        for start in range(0, len(login_ids), _IDS_AT_ONCE):
            some = login_ids[start : start + _IDS_AT_ONCE]
            await self._tell("signed_out", login_ids=" ".join(one.hex for one in some))

    async def claim_visitor(self, visitor_id: VisitorId, user_id: UserId, address: str) -> int:
        """Make a visitor's chats a user's; return how many there were."""
        claimed = await self.claims.claim_visitor(visitor_id, user_id, address=address)
        await self._tell_claimed(claimed.sessions)
        return len(claimed.chats)

    async def claim_session(self, session_id: SessionId, user_id: UserId, address: str) -> None:
        """Make one anonymous session's chat a user's."""
        claimed = await self.claims.claim_session(session_id, user_id, address=address)
        await self._tell_claimed(claimed.sessions)

    async def _tell_claimed(self, session_ids: Sequence[SessionId]) -> None:
        for start in range(0, len(session_ids), _IDS_AT_ONCE):
            some = session_ids[start : start + _IDS_AT_ONCE]
            await self._tell("claimed", session_ids=" ".join(some))

    async def _tell(self, kind: Kind, **said: str) -> None:
        """Tell every node, this one too, even if Redis does not answer."""
        try:
            await self.signals.send(kind, **said)
        except AppError as error:  # other nodes see it when they look for themselves
            log.warning("signal_failed", kind=kind, code=error.code)
            self.on_signal({"kind": kind, **said})


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
    logins = node.logins
    external = settings.external
    identity = Identity(
        node.tokens,
        logins,
        external=ExternalAuth(stores.postgres, logins, external, clock)
        if external.issuer
        else None,
        secure_cookies=settings.server.secure_cookies,
    )
    public_url = settings.server.public_url or f"http://{settings.host}:{settings.port}"
    mailer = Mailer(settings.mail, settings.data_dir / "mail")
    local_auth = LocalAuth(
        postgres=stores.postgres,
        logins=logins,
        passwords=Passwords(at_once=settings.auth.hashes_at_once),
        throttle=Throttle(stores.redis, settings.auth),
        mailer=mailer,
        public_url=public_url,
        settings=settings.auth,
    )
    social_auth = SocialAuth(
        postgres=stores.postgres,
        logins=logins,
        attempts=AttemptStore(stores.redis, seconds=settings.social.attempt_seconds),
        providers=providers(settings.social, clock),
        public_url=public_url,
    )
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
        chats_at_once=settings.limits.runs_per_user,
        clock=clock,
        node=node.id,
    )
    snapshots = SnapshotService(
        postgres=stores.postgres, chats=node.chats, event_log=node.event_log
    )
    watch = SessionWatch(
        hub=hub,
        sessions=node.sessions,
        logins=logins,
        liveness=node.liveness,
        settings=settings,
        monotonic=clock.monotonic,
    )
    rates = Rates(stores.redis, settings.limits, monotonic=clock.monotonic)
    gateway = Gateway(
        hub=hub,
        admission=Admission(rates=rates, liveness=node.liveness, settings=settings),
        rates=rates,
        handshake=Handshake(
            sessions=node.sessions,
            identity=identity,
            tickets=tickets,
            logins=logins,
            settings=settings,
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
        logins=logins,
        local_auth=local_auth,
        social_auth=social_auth,
        users=UserService(stores.postgres),
        claims=ClaimService(stores.postgres),
        chats=node.chats,
        sessions=node.sessions,
        rates=rates,
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
        mailer.run,
        readiness.run,
        Sweeper([Job("look_at_backlog", _BACKLOG_SECONDS, backlog.look)]).run,
    ]
    return services, background
