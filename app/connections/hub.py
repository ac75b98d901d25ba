"""Which connections on this node follow which chat, and that each of them misses nothing.

A returning client is served in this order: listen first and keep what arrives, then read
the log from the client's own last event, then join both and prove that nothing lies
between. Afterwards each connection's own offset is checked at every event, and the logs'
ends are compared now and then, because a lost *last* event leaves no gap to notice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog

from app.connections.connection import Connection
from app.connections.feed import Feed
from app.events.follower import Follower
from app.events.log import EventLog, LogSlice, Publication
from app.kit.errors import AppError
from app.kit.ids import ChatId, SessionId
from app.protocol.close import NO_CONTINUITY, ConnectionEnded
from app.protocol.codec import encode, numbered
from app.protocol.frames import Position
from app.protocol.replay import Entry, Gap, Reason, Rewound, Top, judge, merge
from app.settings import EventSettings

log = structlog.get_logger()

_ACTIVE_SECONDS = 60  # a chat that had an event this lately is watched closely
_LINGER_SECONDS = 5  # an abandoned chat is followed a little longer: tabs reload
_LOOK_SECONDS = 1.0  # how often it is looked whose time has come
_TOPS_AT_ONCE = 500
_REREADS = 3


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

    @property
    def base(self) -> int:
        """The offset of the last event it will have before anything is replayed."""
        if self.after is None or self.reason is not None:
            return self.top.offset
        return self.after.offset

    @property
    def base_key(self) -> str | None:
        if self.after is None or self.reason is not None:
            return self.top.key
        return self.after.key


class Hub:
    """Live connections, by chat and by session.

    Args:
        event_log: what is read.
        follower: by what is heard what is appended.
        mend: begins logs anew that have lost durable events, which nobody sees by their ends.
        settings: how much may wait and be replayed, and how often logs are looked at.
        monotonic: the clock.
    """

    def __init__(
        self,
        *,
        event_log: EventLog,
        follower: Follower,
        mend: Callable[[Sequence[ChatId]], Awaitable[None]],
        settings: EventSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self._log = event_log
        self._follower = follower
        self._mend = mend
        self._settings = settings
        self._monotonic = monotonic
        self._feeds: dict[ChatId, Feed] = {}
        self._sessions: dict[SessionId, set[Connection]] = {}
        self._suspects: set[ChatId] = set()  # Redis may be another one since they were heard
        self._suspicion = asyncio.Event()
        self._unread = 0  # logs that could not be looked at
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
            Unavailable: a store does not answer.
        """
        chat_id = connection.chat_id
        feed = self._feeds.get(chat_id)
        if feed is None:
            feed = Feed(chat_id, settings=self._settings, now=self._monotonic())
            self._feeds[chat_id] = feed
        feed.members.discard(connection)  # a late hello begins anew
        feed.joining[connection] = []
        await self._follower.follow(chat_id)
        if after is not None:
            await self._mend([chat_id])
        limits = self._settings
        slice_ = await self._log.read(
            chat_id,
            first=max(after.offset, 1) if after else 0,
            limit=limits.replay_events + 1 if after else 0,
            max_bytes=limits.replay_bytes,
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
        missed = await self._complete(feed, entrance)
        # Nothing is awaited from here on: no event can come between.
        reached = Top(entrance.top.epoch, entrance.base, entrance.base_key)
        if missed:
            reached = Top(reached.epoch, missed[-1].offset, missed[-1].key)
        connection.offset = reached.offset
        replayed = [numbered(entry.payload, entry.offset, replayed=True) for entry in missed]
        live = encode({"type": "live", "offset": reached.offset})
        connection.offer_backlog([*preface(len(missed)), *replayed, live])
        feed.add(connection, reached)
        feed.heard_at = self._monotonic()

    async def _complete(self, feed: Feed, entrance: Entrance) -> list[Entry]:
        """Return what the connection misses, up to this instant."""
        connection, top, base = entrance.connection, entrance.top, entrance.base
        stored = entrance.slice.entries if entrance.reason is None else []
        for _ in range(_REREADS):
            if connection.ended is not None:
                raise ConnectionEnded(connection.ended)
            arrived = feed.joining[connection]
            if any(epoch != top.epoch for epoch, _ in arrived):
                break
            if feed.members and feed.epoch != top.epoch:
                break
            try:
                missed = merge(
                    stored, [entry for _, entry in arrived], after=base, key=entrance.base_key
                )
                reached = missed[-1].offset if missed else base
                if feed.members and reached < feed.offset:
                    raise Gap(reached, feed.offset + 1)
            except Rewound:
                break
            except Gap:  # a publication was lost on its way: the log has it
                again = await self._log.read(
                    feed.chat_id, first=max(base, 1), limit=self._settings.replay_events
                )
                if again.top.epoch != top.epoch or not again.holds(base, entrance.base_key):
                    break
                stored = again.entries
            else:
                return missed
        if feed.members:
            self._doubt(feed)  # perhaps it is they whose history is gone; a look will tell
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
            if feed.is_abandoned:
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
        if feed is not None:
            feed.deliver(publication, self._monotonic())
            if feed.must_be_checked:
                self._wake.set()

    def resubscribed(self, chat_id: ChatId) -> None:
        """Hold back what comes until it is known what was missed meanwhile."""
        feed = self._feeds.get(chat_id)
        if feed is not None:
            feed.missed_at = None
            self._suspects.add(chat_id)
            self._suspicion.set()
            self._doubt(feed)

    def _doubt(self, feed: Feed) -> None:
        feed.doubts += 1
        self._wake.set()

    # Upkeep

    async def run(self) -> None:
        """Fill gaps, compare logs' ends, let go of abandoned chats. Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            group.create_task(self._mend_suspects())

    async def _mend_suspects(self) -> None:
        """Mend what Redis may have lost while it was not heard. Nobody waits for it: whoever
        follows a log that is begun anew hears of that.
        """
        while True:
            await self._suspicion.wait()
            self._suspicion.clear()
            while some := list(islice(self._suspects, _TOPS_AT_ONCE)):
                try:
                    await self._mend(some)
                except AppError as error:
                    log.warning("logs_not_mended", chats=len(self._suspects), code=error.code)
                    await asyncio.sleep(_LOOK_SECONDS)
                except Exception:
                    log.exception("mending_crashed")
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    self._suspects.difference_update(some)

    async def _look(self) -> None:
        pause = min(_LOOK_SECONDS, self._settings.tick_active_seconds)
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self._compare()
                self._let_go()
            except AppError as error:
                log.warning("hub_check_failed", code=error.code)
                await asyncio.sleep(1)
            except Exception:
                log.exception("hub_crashed")
                await asyncio.sleep(1)

    async def _compare(self) -> None:
        """Compare the ends of logs with what was sent; where they differ, read."""
        now = self._monotonic()
        due = [feed for feed in self._feeds.values() if feed.members and self._is_due(feed, now)]
        deaf = unread = 0
        for start in range(0, len(due), _TOPS_AT_ONCE):
            some = due[start : start + _TOPS_AT_ONCE]
            before = {feed: (feed.doubts, feed.offset, feed.must_be_checked) for feed in some}
            tops = await self._log.tops([feed.chat_id for feed in some])
            for feed, (doubts, offset, was_warned) in before.items():
                if feed.chat_id not in tops:
                    unread += 1
                elif tops[feed.chat_id] == feed.top and not feed.parked:
                    feed.reassure(doubts)
                elif feed.members:
                    unread += not await self._could_check(feed)
                    if feed.offset > offset and not was_warned:
                        deaf += self._was_silent(feed, now)
                feed.checked_at = now
                if feed.must_be_checked and not unread:
                    self._wake.set()
        if deaf:
            log.warning("subscription_deaf", chats=deaf)
            self._follower.recycle()
        if unread != self._unread:
            self._unread = unread
            log.warning("logs_unread", chats=unread)

    async def _could_check(self, feed: Feed) -> bool:
        """Check a feed, unless its log cannot be read: others' must not wait for it."""
        try:
            await self._check(feed)
        except AppError as error:
            log.debug("log_unread", chat_id=str(feed.chat_id), code=error.code)
            return False
        except Exception:
            log.exception("log_unreadable", chat_id=str(feed.chat_id))
            feed.end_members(self._monotonic())
        return True

    def _was_silent(self, feed: Feed, now: float) -> bool:
        """Whether the log has now told twice what the subscription did not, and that has said
        nothing in between. One lost publication is not enough.
        """
        last, feed.missed_at = feed.missed_at, now
        return last is not None and feed.heard_at < last

    def _is_due(self, feed: Feed, now: float) -> bool:
        active = now - feed.heard_at < _ACTIVE_SECONDS
        every = self._settings.tick_active_seconds if active else self._settings.tick_idle_seconds
        return feed.must_be_checked or now - feed.checked_at >= every

    async def _check(self, feed: Feed) -> None:
        """Read the feed's last event again and what follows it."""
        held, beyond, doubts = feed.top, max(feed.parked, default=0), feed.doubts
        limit = self._settings.replay_events
        slice_ = await self._log.read(feed.chat_id, first=max(held.offset, 1), limit=limit)
        top = slice_.top
        if feed.epoch != held.epoch:
            return  # begun anew meanwhile, with a proof of its own
        if (
            top.epoch != feed.epoch
            or top.offset < max(held.offset, beyond)
            or not slice_.holds(held.offset, held.key)
        ):
            feed.end_members(self._monotonic())
            return
        feed.reassure(doubts)
        feed.take_read(slice_.entries)
        if feed.doubtful:
            return  # again: what was read is kept until the next look
        if feed.offset < top.offset:
            if len(slice_.entries) < limit:
                feed.end_members(self._monotonic())  # trimmed before we came
            else:
                feed.doubts += 1  # there is more: read on

    def _let_go(self) -> None:
        now = self._monotonic()
        for feed in list(self._feeds.values()):
            if not feed.is_abandoned or now - feed.empty_since < _LINGER_SECONDS:
                continue
            del self._feeds[feed.chat_id]
            self._suspects.discard(feed.chat_id)
            self._follower.unfollow(feed.chat_id)
