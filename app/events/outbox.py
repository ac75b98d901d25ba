"""Durable events: committed with what they tell about, then appended to the log.

An event goes into the outbox in the very transaction that makes it true. Its number, seq,
is taken under the chat's row lock, and the log takes a chat's durable events only in that
order (``append.lua``), so whoever finds older ones missing sends them first, and a relay
repeats what a crash left behind. Sending one twice is harmless.
"""

import contextlib
from collections.abc import Sequence
from itertools import islice
from math import inf
from typing import NamedTuple

import structlog
from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.events.errors import StaleFence
from app.events.log import Appended, EventLog, OutboxGap, Outgoing
from app.events.models import Outbox
from app.kit.errors import AppError, Unavailable
from app.kit.ids import ChatId
from app.protocol.codec import decode, encode
from app.protocol.events import Event
from app.settings import EventSettings
from app.storage.batches import WriteBehind
from app.storage.postgres import Postgres

log = structlog.get_logger()

_BATCH = 200
_PASS_EVENTS = 2_000  # that one pass of the relay sends; the next one goes on
_SKIPPED_PASSES = 12  # at most, of a chat that fails again and again: it must not fill the log
_AWAY_AT_MOST = 3  # chats one pass waits for in vain

_INSERT = insert(Outbox)
_AFTER = (
    select(Outbox.seq, Outbox.fence, Outbox.payload)
    .where(Outbox.chat_id == bindparam("chat_id"), Outbox.seq > bindparam("sent"))
    .order_by(Outbox.seq)
    .limit(_BATCH)
)
_LEFT_BEHIND = text(
    "SELECT DISTINCT chat_id FROM (SELECT chat_id FROM outbox"
    " WHERE created_at < now() - make_interval(secs => :age)"
    " AND chat_id <> ALL(CAST(:skipped AS uuid[])) ORDER BY created_at LIMIT :most) old"
)
# An event leaves the outbox when a log has taken it. If it is in neither, that log is no more.
_LOST = text(
    "SELECT given.chat_id, coalesce(min(outbox.seq) - 1, chats.outbox_seq) AS sent"
    " FROM unnest(CAST(:chats AS uuid[]), CAST(:sent AS bigint[])) AS given (chat_id, sent)"
    " JOIN chats ON chats.id = given.chat_id AND chats.outbox_seq > given.sent"
    " LEFT JOIN outbox ON outbox.chat_id = given.chat_id AND outbox.seq > given.sent"
    " GROUP BY given.chat_id, given.sent, chats.outbox_seq"
    " HAVING coalesce(min(outbox.seq) - 1, chats.outbox_seq) > given.sent"
)
_DELETE = text(
    "DELETE FROM outbox USING unnest(CAST(:chats AS uuid[]), CAST(:seqs AS bigint[]))"
    " AS done (chat_id, seq) WHERE outbox.chat_id = done.chat_id AND outbox.seq <= done.seq"
)


class Durable(NamedTuple):
    """Events that a transaction has put into the outbox."""

    chat_id: ChatId
    fence: int
    events: list[Outgoing]


def outgoing_events(events: Sequence[Event], *, last_seq: int) -> list[Outgoing]:
    """Encode durable events; ``last_seq`` is the number of the last of them in their outbox."""
    first = last_seq - len(events) + 1
    return [
        Outgoing(encode(event), event["key"], first + place) for place, event in enumerate(events)
    ]


class EventPublisher:
    """The way of every event into its chat's log."""

    def __init__(self, *, event_log: EventLog, postgres: Postgres, settings: EventSettings) -> None:
        self._log = event_log
        self._postgres = postgres
        self._settings = settings
        self.sent: WriteBehind[tuple[ChatId, int]] = WriteBehind(
            "outbox", self._delete, seconds=0.5
        )
        # Chats whose durable events this node could not append. Nothing else of theirs may
        # overtake them: a newer fence in the log would have older ones dropped.
        self._behind: set[ChatId] = set()
        self._passes = 0  # of the relay
        # Chats that failed: until which pass they are left out, and for how many that is.
        self._skipped: dict[ChatId, tuple[int, int]] = {}

    async def store(
        self,
        db: AsyncConnection,
        chat_id: ChatId,
        events: Sequence[Event],
        *,
        last_seq: int,
        fence: int = 0,
    ) -> Durable:
        """Put ``events`` into the outbox within the caller's transaction.

        ``last_seq`` is the number of the last of them, taken from the chat's locked row.
        Pass the result to ``publish`` after the commit.
        """
        outgoing = outgoing_events(events, last_seq=last_seq)
        await db.execute(
            _INSERT,
            [
                {"chat_id": chat_id, "seq": item.seq, "fence": fence, "payload": item.payload}
                for item in outgoing
            ],
        )
        return Durable(chat_id, fence, outgoing)

    async def publish(
        self,
        chat_id: ChatId,
        events: Sequence[Outgoing],
        *,
        fence: int = 0,
        said: int | None = None,
    ) -> Appended:
        """Append ``events`` to the log; older durable events of the chat go first.

        Raises:
            AlreadySaid: as ``EventLog.append`` does.
            StaleFence: the run belongs to somebody else by now.
            Unavailable: a store does not answer; durable events will be relayed.
        """
        if chat_id in self._behind:
            await self._catch_up(chat_id, 0, before=_first_seq(events))
        try:
            appended = await self._log.append(chat_id, events, fence=fence, said=said)
        except OutboxGap as gap:
            await self._catch_up(chat_id, gap.sent, before=_first_seq(events))
            appended = await self._log.append(chat_id, events, fence=fence, said=said, force=True)
        last = max(event.seq for event in events)
        if last:
            self.sent.add((chat_id, last))
        return appended

    async def publish_durable(self, durable: Durable) -> Appended | None:
        """Append what a transaction stored. If that fails now, the relay does it later.

        Raises:
            StaleFence: the run belongs to somebody else by now.
        """
        try:
            return await self.publish(durable.chat_id, durable.events, fence=durable.fence)
        except StaleFence:
            raise
        except AppError as error:
            self._behind.add(durable.chat_id)
            log.warning("event_left_to_relay", chat_id=str(durable.chat_id), code=error.code)
            return None

    async def relay(self) -> int:
        """Send what has waited in the outbox too long; return how many chats had some.

        One pass is bounded, and a chat that fails holds up no other: it is left out for a
        while.

        Raises:
            Unavailable: a store does not answer.
        """
        self._passes += 1
        room, served = _PASS_EVENTS, False
        away: list[ChatId] = []
        chats = await self._left_behind()
        for chat_id in chats:
            try:
                room -= await self._catch_up(chat_id, 0, most=room)
                served = True
                self._skipped.pop(chat_id, None)
            except Unavailable:
                away.append(chat_id)
                if not served and len(away) == min(_AWAY_AT_MOST, len(chats)):
                    raise  # it is the store, not the chat's place in it
            except Exception:
                log.exception("relay_failed", chat_id=str(chat_id))
                self._skip(chat_id)
            if room <= 0 or len(away) >= _AWAY_AT_MOST:
                break
        for chat_id in away:
            self._skip(chat_id)
        return len(chats)

    def _skip(self, chat_id: ChatId) -> None:
        """Leave a chat out of the next pass, or of twice as many as the last time."""
        _, before = self._skipped.get(chat_id, (0, 0))
        passes = min(2 * before or 1, _SKIPPED_PASSES)
        self._skipped[chat_id] = self._passes + passes, passes

    async def mend(self, chat_ids: Sequence[ChatId]) -> None:
        """Begin logs anew that have lost durable events: Redis failed over to a copy that was
        behind, and who was away meanwhile would be told that nothing is missing.

        A round trip to each store, and one for each such log.

        Raises:
            Unavailable: a store does not answer.
        """
        marks = await self._log.marks(chat_ids)
        # One that holds words and knows of no durable event was lost whole in mid-answer:
        # everybody has had to take a snapshot of it.
        known = {chat: mark.sent for chat, mark in marks.items() if mark.sent or not mark.offset}
        if not known:
            return
        async with self._postgres.statement() as db:
            values = {"chats": list(known), "sent": list(known.values())}
            lost = (await db.execute(_LOST, values)).all()
        for row in lost:
            if await self._log.renew(row.chat_id, sent=row.sent):
                log.warning("log_begun_anew", chat_id=str(row.chat_id))

    async def _left_behind(self) -> set[ChatId]:
        age = self._settings.relay_seconds  # younger rows are on their way with their writers
        for chat_id, (until, passes) in list(self._skipped.items()):
            if until + passes < self._passes:
                del self._skipped[chat_id]  # it has not failed since, perhaps it is gone
        skipped = {chat for chat, (until, _) in self._skipped.items() if until >= self._passes}
        values = {"age": age, "most": _BATCH, "skipped": list(skipped)}
        async with self._postgres.statement() as db:
            rows = await db.execute(_LEFT_BEHIND, values)
            found = {ChatId(row.chat_id) for row in rows}
        ours = (chat_id for chat_id in self._behind if chat_id not in skipped)
        return found.union(islice(ours, _BATCH))

    async def _catch_up(
        self, chat_id: ChatId, sent: int, *, before: int | None = None, most: float = inf
    ) -> int:
        """Send a chat's events in the outbox, those after ``sent``, in order; about ``most``
        of them. Returns how many there were.
        """
        count = 0
        while count < most:
            async with self._postgres.statement() as db:
                rows = (await db.execute(_AFTER, {"chat_id": chat_id, "sent": sent})).all()
            rows = [row for row in rows if before is None or row.seq < before]
            for row in rows:
                outgoing = Outgoing(row.payload, decode(row.payload)["key"], row.seq)
                with contextlib.suppress(StaleFence):  # overtaken: the log counts it as sent
                    await self._log.append(chat_id, [outgoing], fence=row.fence, force=True)
                sent = row.seq
            count += len(rows)
            if rows:
                self.sent.add((chat_id, sent))
            if len(rows) < _BATCH:
                self._behind.discard(chat_id)
                break
        return count

    async def _delete(self, done: Sequence[tuple[ChatId, int]]) -> None:
        highest: dict[ChatId, int] = {}
        for chat_id, seq in done:
            highest[chat_id] = max(seq, highest.get(chat_id, 0))
        async with self._postgres.statement() as db:
            await db.execute(_DELETE, {"chats": list(highest), "seqs": list(highest.values())})


def _first_seq(events: Sequence[Outgoing]) -> int | None:
    return next((event.seq for event in events if event.seq), None)
