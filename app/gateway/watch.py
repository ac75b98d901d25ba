"""What must happen to sockets by the clock: pings, the end of their session, liveness."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Iterable

import structlog

from app.auth.logins import Logins
from app.auth.types import Login
from app.connections.connection import Connection
from app.connections.hub import Hub
from app.kit.clock import wire_time
from app.kit.errors import AppError
from app.kit.ids import ConnectionId, LoginId, SessionId
from app.liveness.store import LivenessStore
from app.protocol.close import (
    CREDENTIALS_AGED,
    NO_PONG,
    SESSION_ENDED,
    SESSION_NOT_FOUND,
    SUPERSEDED,
    UNAUTHENTICATED,
    Close,
    ConnectionEnded,
)
from app.protocol.codec import encode
from app.sessions.errors import SessionNotFound
from app.sessions.service import SessionService
from app.sessions.types import Session
from app.settings import Settings

log = structlog.get_logger()

_LOOK_SECONDS = 1.0


class SessionWatch:
    """Looks after the sessions that have sockets on this node."""

    def __init__(
        self,
        *,
        hub: Hub,
        sessions: SessionService,
        logins: Logins,
        liveness: LivenessStore,
        settings: Settings,
        monotonic: Callable[[], float],
    ) -> None:
        self._logins = logins
        self._hub = hub
        self._sessions = sessions
        self._liveness = liveness
        self._settings = settings
        self._monotonic = monotonic
        self._ends: dict[SessionId, float] = {}  # by our clock, from the database's answer
        self._warned: set[SessionId] = set()

    def add(self, session: Session) -> None:
        """Begin to watch a session, or learn its new end."""
        self._expect(session.session_id, session.seconds_left)

    def _expect(self, session_id: SessionId, seconds_left: float) -> None:
        self._ends[session_id] = self._monotonic() + seconds_left
        if seconds_left > self._settings.sessions.warn_seconds:
            self._warned.discard(session_id)

    def superseded(self, session_id: SessionId, older: Collection[ConnectionId]) -> None:
        """End older sockets of a tab: its return may overtake the loss of the first.

        They are named, for this may be heard late, when the tab has a newer one here.
        """
        for connection in list(self._hub.of_session(session_id)):
            if connection.id in older:
                connection.end(SUPERSEDED)

    def signed_in(self, connection: Connection, login: Login | None) -> None:
        """Let a socket live for as long as the sign-in it was opened under."""
        connection.login_id = login.id if login else None
        connection.good_until = self._monotonic() + login.seconds_left if login else None

    def signed_out(self, login_ids: Collection[LoginId], close: Close = UNAUTHENTICATED) -> None:
        """Close the sockets here that hang on sign-ins which have ended."""
        for connection in self._hub:
            if connection.login_id in login_ids:
                connection.finish(close)

    def claimed(self, session_ids: Iterable[SessionId]) -> None:
        """Have sessions' sockets here come back as the user whose the sessions are now."""
        for session_id in session_ids:
            for connection in list(self._hub.of_session(session_id)):
                connection.finish(CREDENTIALS_AGED)

    def ended(self, session_id: SessionId) -> None:
        """Close the session's sockets here: its owner has ended it."""
        for connection in list(self._hub.of_session(session_id)):
            connection.offer(encode({"type": "session_ended", "session_id": session_id}))
            connection.finish(SESSION_ENDED)

    def extended(self, session_id: SessionId, *, expires_at: str, seconds_left: float) -> None:
        """Tell the session's sockets here that it lives longer."""
        if session_id not in self._ends:
            return
        self._expect(session_id, seconds_left)
        self._tell(session_id, {"type": "session_extended", "expires_at": expires_at})

    async def run(self) -> None:
        """Look around every second until cancelled."""
        async with asyncio.TaskGroup() as group:  # no ping shall be late because a store hangs
            group.create_task(self._keep_pinging())
            group.create_task(self._keep_checking())

    async def _keep_pinging(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._do(self._ping)

    async def _keep_checking(self) -> None:
        beat_at = self._monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._check_credentials()
            await self._do(self._check_ends)
            if self._monotonic() >= beat_at:
                beat_at = self._monotonic() + self._settings.liveness.beat_seconds
                await self._do(self._check_all)
                await self._do(self._check_logins)
                await self._do(self.beat)

    async def beat(self) -> None:
        """Say in Redis which connections are here."""
        await self._liveness.beat(
            {
                session_id: [(one.id, one.tab) for one in connections]
                for session_id, connections in self._hub.sessions.items()
            }
        )
        await self._liveness.beat_seats(seat for one in self._hub for seat in one.seats)

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do one thing that a store may keep from being done; the others do not depend on it."""
        try:
            await work()
        except AppError as error:
            log.warning("watch_failed", code=error.code)
        except Exception:
            log.exception("watch_crashed")

    async def _ping(self) -> None:
        protocol = self._settings.protocol
        now = self._monotonic()
        for connection in self._hub:
            if not connection.expects_pong or connection.ended is not None:
                continue
            if connection.pinged_at is not None:
                if now - connection.pinged_at > protocol.pong_seconds:
                    connection.end(NO_PONG)
            elif now - connection.last_offer >= protocol.heartbeat_seconds * connection.jitter:
                connection.pinged_at = now
                connection.offer(_PING)

    async def _check_ends(self) -> None:
        now = self._monotonic()
        warn = self._settings.sessions.warn_seconds
        for session_id, end in list(self._ends.items()):
            if not self._hub.of_session(session_id):
                del self._ends[session_id]
                self._warned.discard(session_id)
            elif end <= now or (end - now <= warn and session_id not in self._warned):
                await self._look_up(session_id)

    def _check_credentials(self) -> None:
        now = self._monotonic()
        for connection in self._hub:
            if connection.good_until is not None and connection.good_until <= now:
                connection.finish(CREDENTIALS_AGED)

    async def _check_logins(self) -> None:
        """Notice sign-ins that were ended on another node: its word may have been lost."""
        held = {one.login_id for one in self._hub if one.login_id is not None}
        good = await self._logins.good_among(list(held))
        self.signed_out(held - good)

    async def check_login(self, connection: Connection) -> None:
        """Look once more whether a new socket's sign-in is good: it may have been ended
        between that look and its admission, when nobody could have closed the socket.

        Raises:
            ConnectionEnded: it is not.
            Unavailable: the database does not answer.
        """
        login_id = connection.login_id
        if login_id is not None and login_id not in await self._logins.good_among([login_id]):
            raise ConnectionEnded(UNAUTHENTICATED)

    async def _check_all(self) -> None:
        """Notice sessions that another node has ended: its word may have been lost."""
        over = await self._sessions.over_among(list(self._hub.sessions))
        for session_id, ended in over.items():
            if ended:
                self.ended(session_id)
            else:
                self._expired(session_id)

    async def _look_up(self, session_id: SessionId) -> None:
        """Ask the database: activity may have moved the end since we last heard."""
        try:
            session = await self._sessions.get(session_id)
        except SessionNotFound:
            self._expired(session_id)
            return
        self.add(session)
        if session.seconds_left <= self._settings.sessions.warn_seconds:
            self._warned.add(session_id)
            self._tell(
                session_id,
                {
                    "type": "session_expiring",
                    "expires_at": wire_time(session.expires_at),
                    "seconds": max(0, round(session.seconds_left)),
                },
            )

    def _expired(self, session_id: SessionId) -> None:
        self._tell(session_id, {"type": "session_ended", "session_id": session_id})
        for connection in list(self._hub.of_session(session_id)):
            connection.finish(SESSION_NOT_FOUND)
        self._ends.pop(session_id, None)

    def _tell(self, session_id: SessionId, frame: dict[str, object]) -> None:
        data = encode(frame)
        for connection in self._hub.of_session(session_id):
            connection.offer(data)


_PING = json.dumps({"type": "ping"}).encode()
