"""One open socket's send queue."""

import asyncio
import random
from collections.abc import Callable, Iterable

from app.kit.ids import ChatId, ConnectionId, LoginId, SessionId, new_connection_id
from app.liveness.store import Seat
from app.protocol.close import TOO_SLOW, Close, ConnectionEnded
from app.protocol.deltas import merge_deltas
from app.settings import ConnectionSettings


class Connection:
    """What waits to be sent to one client. ``offer`` never waits; ``take`` does.

    Args:
        session_id: the session it belongs to.
        chat_id: the chat it follows.
        settings: limits of the queue.
        monotonic: the clock, in seconds.
    """

    __slots__ = (
        "_backlog",
        "_bytes",
        "_changed",
        "_close",
        "_monotonic",
        "_queue",
        "_settings",
        "chat_id",
        "expects_pong",
        "good_until",
        "id",
        "jitter",
        "last_offer",
        "login_id",
        "offset",
        "pinged_at",
        "seats",
        "sent_bytes",
        "session_id",
        "tab",
    )

    def __init__(
        self,
        *,
        session_id: SessionId,
        chat_id: ChatId,
        settings: ConnectionSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self.id: ConnectionId = new_connection_id()
        self.session_id = session_id
        self.chat_id = chat_id
        self.tab: str | None = None
        self.login_id: LoginId | None = None  # the sign-in it was opened under, if any
        self.good_until: float | None = None  # when that ends, by the clock
        self.seats: tuple[Seat, ...] = ()  # of those its user and its address have
        self.offset = 0  # of the last event offered; set by the hub
        self.expects_pong = False  # the client said hello, so it answers pings
        self.pinged_at: float | None = None  # of a ping not yet answered
        self.last_offer = monotonic()
        self.jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads pings, guards nothing
        self.sent_bytes = 0
        self._settings = settings
        self._monotonic = monotonic
        # Lists: an empty deque takes 760 bytes, and most connections are idle.
        self._queue: list[bytes] = []
        self._backlog: list[bytes] = []
        self._bytes = 0
        self._close: Close | None = None
        self._changed = asyncio.Event()

    @property
    def ended(self) -> Close | None:
        """Why the server has ended this connection, if it has."""
        return self._close

    def offer(self, data: bytes) -> None:
        """Queue ``data``. A full queue first merges what can be merged, then ends the
        connection: a slow client harms only itself.
        """
        if self._close is not None:
            return
        self._queue.append(data)
        self._bytes += len(data)
        self.last_offer = self._monotonic()
        if self._over_limit():
            self._queue = merge_deltas(self._queue)
            self._bytes = sum(map(len, self._queue))
            if self._over_limit():
                self.end(TOO_SLOW)
                return
        self._changed.set()

    def offer_backlog(self, frames: Iterable[bytes]) -> None:
        """Queue what a client needs to catch up, before everything else.

        It has its own bound (how much is replayed), so it does not count as slowness.
        """
        if self._close is None:
            self._backlog.extend(frames)
            self.last_offer = self._monotonic()
            self._changed.set()

    def end(self, close: Close) -> None:
        """Stop accepting data; ``take`` raises next. The first call wins."""
        if self._close is None:
            self._close = close
            self._backlog.clear()
            self._queue.clear()
            self._bytes = 0
            self._changed.set()

    def finish(self, close: Close) -> None:
        """Like ``end``, but what is queued is sent first."""
        if self._close is None:
            self._close = close
            self._changed.set()

    async def take(self) -> bytes:
        """Wait for the next queued data.

        Raises:
            ConnectionEnded: the server has ended the connection and nothing is left to send.
        """
        while not self._queue and not self._backlog:
            if self._close is not None:
                raise ConnectionEnded(self._close)
            self._changed.clear()
            await self._changed.wait()
        if self._backlog:
            data = self._backlog.pop(0)
        else:
            data = self._queue.pop(0)
            self._bytes -= len(data)
        self.sent_bytes += len(data)
        return data

    def _over_limit(self) -> bool:
        if len(self._queue) > self._settings.queue_frames:
            return True
        if self._bytes <= self._settings.queue_bytes:
            return False
        # An answer may be larger than all that may wait, and so would be too slow for everybody.
        return self._bytes - max(map(len, self._queue)) > self._settings.queue_bytes
