"""Who may come in at all: from which pages, how often, and how many at once."""

import math
from collections.abc import Iterator

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from app.auth.origins import may_act
from app.connections.connection import Connection
from app.limits.errors import RateLimited
from app.limits.places import place_of
from app.limits.rates import Rates
from app.liveness.store import LivenessStore, Presence
from app.observability.metrics import LIMITED
from app.protocol.close import TOO_MANY_CONNECTIONS, ConnectionEnded
from app.sessions.types import Session
from app.settings import Settings


class Admission:
    """Counts handshakes and sockets, on all nodes together."""

    def __init__(self, *, rates: Rates, liveness: LivenessStore, settings: Settings) -> None:
        self._rates = rates
        self._liveness = liveness
        self._settings = settings

    async def refusal(self, socket: WebSocket, *, is_full: bool) -> Response | None:
        """Return the answer to an upgrade that is refused: an HTTP status, for no browser can
        read more than that.
        """
        if not self._origin_allowed(socket):
            return _refusal(403, "forbidden", "This page may not connect here.")
        if is_full:
            return _refusal(503, "unavailable", "This node takes no new connections.")
        try:
            await self._rates.count("handshakes", _place(socket))
        except RateLimited as error:
            return _refusal(429, error.code, error.message, error.retry_after_ms)
        return None

    async def seat(self, socket: WebSocket, connection: Connection, session: Session) -> None:
        """Count a connection among those of its user and of its address.

        Raises:
            ConnectionEnded: there are as many as may be.
            Unavailable: Redis does not answer.
        """
        before, connection.seats = connection.seats, ()  # without a tab, if its hello came late
        tab = connection.tab
        stands_for = f"{session.session_id}/{tab}" if tab is not None else connection.id
        try:
            for whose, seats in self._limits(socket, session):
                seat = await self._liveness.sit(
                    whose, connection.id, stands_for=stands_for, seats=seats
                )
                if seat is None:
                    raise _too_many()
                connection.seats = (*connection.seats, seat)
        finally:
            self._liveness.stand_up(set(before) - set(connection.seats))

    def check_session(self, here: set[Connection], tab: str, elsewhere: list[Presence]) -> None:
        """Look whether a session has room for one more tab.

        Raises:
            ConnectionEnded: it has not.
        """
        tabs = {one.tab or one.id for one in here} | {
            one.tab or one.connection_id for one in elsewhere
        }
        if len(tabs - {tab}) >= self._settings.connections.per_session:
            raise _too_many()

    def _limits(self, socket: WebSocket, session: Session) -> Iterator[tuple[str, int]]:
        limits = self._settings.limits
        place = _place(socket)
        if limits.sockets_per_address and place is not None:
            yield f"address:{place}", limits.sockets_per_address
        if limits.sockets_per_user and session.user_id is not None:
            yield f"user:{session.user_id}", limits.sockets_per_user

    def _origin_allowed(self, socket: WebSocket) -> bool:
        """Whether the page that opens the socket may: one of this very address, or a listed one.

        Browsers always say their origin; other clients need not.
        """
        origin = socket.headers.get("origin")
        host = socket.headers.get("host")
        return origin is None or may_act(origin, host, self._settings.server.origins)


def _place(socket: WebSocket) -> str | None:
    return place_of(socket.client.host) if socket.client else None


def _too_many() -> ConnectionEnded:
    LIMITED.labels("sockets").inc()
    return ConnectionEnded(TOO_MANY_CONNECTIONS)


def _refusal(status: int, code: str, message: str, retry_after_ms: int | None = None) -> Response:
    error: dict[str, object] = {"code": code, "message": message}
    headers = {}
    if retry_after_ms is not None:
        error["retry_after_ms"] = retry_after_ms
        headers["retry-after"] = str(math.ceil(retry_after_ms / 1000))
    return JSONResponse({"error": error}, status_code=status, headers=headers)
