"""Which connections on this node follow which chat, and that each of them misses nothing.

A returning client is served in this order: listen first and keep what arrives, then read
the log from the client's own last event, then join both and prove that nothing lies
between. Afterwards each connection's own offset is checked at every event, and the logs'
ends are compared now and then, because a lost *last* event leaves no gap to notice.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import structlog

from app.connections.connection import Connection
from app.events.follower import Follower
from app.events.log import EventLog, LogSlice, Publication
from app.kit.errors import AppError
from app.kit.ids import ChatId, SessionId
from app.protocol.close import NO_CONTINUITY, Close, ConnectionEnded
from app.protocol.codec import decode, encode, numbered
from app.protocol.frames import Position
from app.protocol.replay import Entry, Gap, Reason, Top, judge, merge
from app.settings import EventSettings

log = structlog.get_logger()

_ACTIVE_SECONDS = 60  # a chat that had an event this lately is watched closely
_LINGER_SECONDS = 5  # an abandoned chat is followed a little longer: tabs reload
_TOPS_AT_ONCE = 500
_REREADS = 3


@dataclass(slots=True, eq=False)
class Feed:
    """One chat as this node sees it."""

    chat_id: ChatId
    epoch: str = ""
    offset: int = 0  # of the last event given to the members
    last: bytes = b""  # that event
    members: set[Connection] = field(default_factory=set)
    joining: dict[Connection, list[tuple[str, Entry]]] = field(default_factory=dict)
    parked: dict[int, bytes] = field(default_factory=dict)  # events beyond a gap
    heard_at: float = 0.0
    checked_at: float = 0.0
    empty_since: float = 0.0


@dataclass(slots=True)
class Entrance:
    """A connection on its way in: what it named, and what the log said of it."""

    connection: Connection
    after: Position | None
    slice: LogSlice
    reason: Reason | None  # why it needs a snapshot; None: it continues

    @property
    def top(self) -> Top:
        return self.slice.top


class Hub:
    """Live connections, by chat and by session."""

    def __init__(
        self,
        *,
        event_log: EventLog,
        follower: Follower,
        settings: EventSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self._log = event_log
        self._follower = follower
        self._settings = settings
        self._monotonic = monotonic
        self._feeds: dict[ChatId, Feed] = {}
        self._sessions: dict[SessionId, set[Connection]] = {}
        self._suspect: set[ChatId] = set()
        self._wake = asyncio.Event()
        self.count = 0

    # Coming and going

    def admit(self, connection: Connection) -> None:
        """Count ``connection`` in; every one admitted must ``leave``."""
        self._sessions.setdefault(connection.session_id, set()).add(connection)
        self.count += 1

    async def enter(self, connection: Connection, after: Position | None) -> Entrance:
        """Begin to keep the chat's events for ``connection`` and judge where it stands.

        Raises:
            Unavailable: Redis does not answer.
        """
        chat_id = connection.chat_id
        feed = self._feeds.get(chat_id)
        if feed is None:
            feed = self._feeds[chat_id] = Feed(chat_id, checked_at=self._monotonic())
        feed.members.discard(connection)  # a late hello begins anew
        feed.joining[connection] = []
        await self._follower.follow(chat_id)
        limits = self._settings
        slice_ = await self._log.read(
            chat_id,
            first=max(after.offset, 1) if after else 0,
            limit=limits.replay_events + 2 if after else 0,
        )
        reason = judge(
            after,
            slice_.top,
            slice_.entries,
            max_events=limits.replay_events,
            max_bytes=limits.replay_bytes,
        )
        return Entrance(connection, after, slice_, reason)

    async def go_live(
        self, entrance: Entrance, *, preface: Callable[[int], Iterable[bytes]]
    ) -> None:
        """Send ``preface`` (it is told how many events are replayed), then what was missed,
        then everything new.

        Raises:
            ConnectionEnded: completeness could not be proved.
            Unavailable: Redis does not answer.
        """
        connection = entrance.connection
        feed = self._feeds[connection.chat_id]
        top = entrance.top
        resumed = entrance.after if entrance.reason is None else None
        base = top.offset if resumed is None else resumed.offset
        stored: list[Entry] = [] if resumed is None else entrance.slice.entries
        missed = await self._complete(feed, connection, top, stored, base)
        # Nothing is awaited from here on: no event can come between.
        replayed = [numbered(entry.payload, entry.offset, replayed=True) for entry in missed]
        connection.offset = missed[-1].offset if missed else base
        live = encode({"type": "live", "offset": connection.offset})
        connection.offer_backlog([*preface(len(missed)), *replayed, live])
        if not feed.members:
            feed.epoch, feed.offset = top.epoch, connection.offset
            feed.last = missed[-1].payload if missed else b""
            feed.parked.clear()
        del feed.joining[connection]
        feed.members.add(connection)
        feed.heard_at = self._monotonic()

    async def _complete(
        self, feed: Feed, connection: Connection, top: Top, stored: list[Entry], base: int
    ) -> list[Entry]:
        for _ in range(_REREADS):
            arrived = feed.joining[connection]
            if any(epoch != top.epoch for epoch, _ in arrived):
                break
            try:
                return merge(stored, [entry for _, entry in arrived], after=base)
            except Gap:  # a publication was lost on its way: the log has it
                again = await self._log.read(
                    feed.chat_id, first=base + 1, limit=self._settings.replay_events
                )
                if again.top.epoch != top.epoch:
                    break
                stored = again.entries
        raise ConnectionEnded(NO_CONTINUITY)

    def leave(self, connection: Connection) -> None:
        """Forget ``connection``. Safe to call twice."""
        siblings = self._sessions.get(connection.session_id)
        if siblings is None or connection not in siblings:
            return
        siblings.discard(connection)
        self.count -= 1
        if not siblings:
            del self._sessions[connection.session_id]
        feed = self._feeds.get(connection.chat_id)
        if feed is not None:
            feed.members.discard(connection)
            feed.joining.pop(connection, None)
            if not feed.members and not feed.joining:
                feed.empty_since = self._monotonic()

    def of_session(self, session_id: SessionId) -> set[Connection]:
        return self._sessions.get(session_id, set())

    def __iter__(self) -> Iterator[Connection]:
        return iter([one for siblings in self._sessions.values() for one in siblings])

    @property
    def sessions(self) -> dict[SessionId, set[Connection]]:
        return self._sessions

    # The follower's sink

    def deliver(self, chat_id: ChatId, publication: Publication) -> None:
        """Give an append to everyone who follows the chat. Never waits."""
        feed = self._feeds.get(chat_id)
        if feed is None:
            return
        for connection, arrived in feed.joining.items():
            arrived += [
                (publication.epoch, Entry(offset, "", payload))
                for offset, payload in enumerate(publication.payloads, publication.first_offset)
            ]
            if len(arrived) > self._settings.replay_events:
                connection.end(NO_CONTINUITY)
        if not feed.members:
            return
        feed.heard_at = self._monotonic()
        if publication.epoch != feed.epoch:
            self._end_all(feed, NO_CONTINUITY)
            return
        self._take(feed, enumerate(publication.payloads, publication.first_offset))
        if feed.parked:
            if len(feed.parked) > self._settings.park_events:
                self._end_all(feed, NO_CONTINUITY)
            else:
                self._suspect.add(chat_id)
                self._wake.set()

    def resubscribed(self, chat_id: ChatId) -> None:
        self._suspect.add(chat_id)
        self._wake.set()

    def _take(self, feed: Feed, events: Iterable[tuple[int, bytes]]) -> None:
        for offset, payload in events:
            if offset == feed.offset + 1:
                self._send(feed, offset, payload)
            elif offset > feed.offset:
                feed.parked[offset] = payload
        while feed.parked and (payload := feed.parked.pop(feed.offset + 1, b"")):
            self._send(feed, feed.offset + 1, payload)

    def _send(self, feed: Feed, offset: int, payload: bytes) -> None:
        frame = numbered(payload, offset)
        feed.offset, feed.last = offset, payload
        for connection in feed.members:
            if connection.offset == offset - 1:
                connection.offset = offset
                connection.offer(frame)
            elif connection.offset < offset:
                connection.end(NO_CONTINUITY)

    def _end_all(self, feed: Feed, close: Close) -> None:
        for connection in (*feed.members, *feed.joining):
            connection.end(close)
        feed.members.clear()
        feed.parked.clear()
        feed.empty_since = self._monotonic()

    # Upkeep

    async def run(self) -> None:
        """Fill gaps, compare logs' ends, let go of abandoned chats. Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(1.0):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._check_suspects()
                await self._tick()
                await self._let_go()
            except AppError as error:
                log.warning("hub_check_failed", code=error.code)
                await asyncio.sleep(1)
            except Exception:
                log.exception("hub_crashed")
                await asyncio.sleep(1)

    async def _tick(self) -> None:
        now = self._monotonic()
        due = [feed for feed in self._feeds.values() if feed.members and self._is_due(feed, now)]
        for start in range(0, len(due), _TOPS_AT_ONCE):
            some = due[start : start + _TOPS_AT_ONCE]
            tops = await self._log.tops([feed.chat_id for feed in some])
            for feed, top in zip(some, tops, strict=True):
                feed.checked_at = now
                if top is None or top.epoch != feed.epoch or top.offset != feed.offset:
                    self._suspect.add(feed.chat_id)
        if due:
            await self._check_suspects()

    def _is_due(self, feed: Feed, now: float) -> bool:
        active = now - feed.heard_at < _ACTIVE_SECONDS
        every = self._settings.tick_active_seconds if active else self._settings.tick_idle_seconds
        return now - feed.checked_at >= every

    async def _check_suspects(self) -> None:
        while self._suspect:
            chat_id = self._suspect.pop()
            feed = self._feeds.get(chat_id)
            if feed is None or not feed.members:
                continue
            try:
                await self._check(feed)
            except AppError:
                self._suspect.add(chat_id)
                raise

    async def _check(self, feed: Feed) -> None:
        """Read what follows the feed's last event, and that event itself."""
        position, last = feed.offset, feed.last
        slice_ = await self._log.read(
            feed.chat_id, first=max(position, 1), limit=self._settings.replay_events
        )
        own = next((entry for entry in slice_.entries if entry.offset == position), None)
        rewound = own is not None and last != b"" and own.key != decode(last)["key"]
        if slice_.top.epoch != feed.epoch or slice_.top.offset < position or rewound:
            self._end_all(feed, NO_CONTINUITY)
            return
        self._take(feed, ((entry.offset, entry.payload) for entry in slice_.entries))
        if feed.offset < slice_.top.offset and len(slice_.entries) < self._settings.replay_events:
            self._end_all(feed, NO_CONTINUITY)  # trimmed before we came
        elif feed.offset < slice_.top.offset:
            self._suspect.add(feed.chat_id)

    async def _let_go(self) -> None:
        now = self._monotonic()
        for feed in list(self._feeds.values()):
            if feed.members or feed.joining or now - feed.empty_since < _LINGER_SECONDS:
                continue
            del self._feeds[feed.chat_id]
            await self._follower.unfollow(feed.chat_id)
