"""Durable events: committed with what they tell about, then appended to the log.

An event goes into the outbox in the very transaction that makes it true. Its number, seq,
is taken under the chat's row lock, and the log takes a chat's durable events only in that
order (``append.lua``), so whoever finds older ones missing sends them first, and a relay
repeats what a crash left behind. Sending one twice is harmless.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.events.errors import StaleFence
from app.events.log import Appended, EventLog, OutboxGap, Outgoing
from app.events.models import Outbox
from app.kit.errors import AppError
from app.kit.ids import ChatId
from app.protocol.codec import decode, encode
from app.protocol.events import Event
from app.storage.batches import WriteBehind
from app.storage.postgres import Postgres

log = structlog.get_logger()

_RELAY_AGE_SECONDS = 5  # younger rows are still on their way with whoever wrote them
_BATCH = 200

_INSERT = insert(Outbox)
_AFTER = (
    select(Outbox.seq, Outbox.fence, Outbox.payload)
    .where(Outbox.chat_id == bindparam("chat_id"), Outbox.seq > bindparam("sent"))
    .order_by(Outbox.seq)
    .limit(_BATCH)
)
_LEFT_BEHIND = text(
    "SELECT DISTINCT chat_id FROM (SELECT chat_id FROM outbox"
    " WHERE created_at < now() - make_interval(secs => :age) ORDER BY created_at LIMIT :most) old"
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

    def __init__(self, *, event_log: EventLog, postgres: Postgres) -> None:
        self._log = event_log
        self._postgres = postgres
        self.sent: WriteBehind[tuple[ChatId, int]] = WriteBehind(
            "outbox", self._delete, seconds=0.5
        )
        # Chats whose durable events this node could not append. Nothing else of theirs may
        # overtake them: a newer fence in the log would have older ones dropped.
        self._behind: set[ChatId] = set()

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
        self, chat_id: ChatId, events: Sequence[Outgoing], *, fence: int = 0
    ) -> Appended:
        """Append ``events`` to the log; older durable events of the chat go first.

        Raises:
            StaleFence: the run belongs to somebody else by now.
            Unavailable: a store does not answer; durable events will be relayed.
        """
        if chat_id in self._behind:
            await self._catch_up(chat_id, 0, before=_first_seq(events))
        try:
            appended = await self._log.append(chat_id, events, fence=fence)
        except OutboxGap as gap:
            await self._catch_up(chat_id, gap.sent, before=_first_seq(events))
            appended = await self._log.append(chat_id, events, fence=fence, force=True)
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
        """Send what has waited in the outbox too long; return how many chats had some."""
        async with self._postgres.statement() as db:
            rows = await db.execute(_LEFT_BEHIND, {"age": _RELAY_AGE_SECONDS, "most": _BATCH})
            chats = {ChatId(row.chat_id) for row in rows} | self._behind
        for chat_id in chats:
            await self._catch_up(chat_id, 0)
        return len(chats)

    async def _catch_up(self, chat_id: ChatId, sent: int, *, before: int | None = None) -> None:
        while True:
            async with self._postgres.statement() as db:
                rows = (await db.execute(_AFTER, {"chat_id": chat_id, "sent": sent})).all()
            rows = [row for row in rows if before is None or row.seq < before]
            for row in rows:
                outgoing = Outgoing(row.payload, decode(row.payload)["key"], row.seq)
                with contextlib.suppress(StaleFence):  # overtaken: the log counts it as sent
                    await self._log.append(chat_id, [outgoing], fence=row.fence, force=True)
                sent = row.seq
            if rows:
                self.sent.add((chat_id, sent))
            if len(rows) < _BATCH:
                self._behind.discard(chat_id)
                return

    async def _delete(self, done: Sequence[tuple[ChatId, int]]) -> None:
        highest: dict[ChatId, int] = {}
        for chat_id, seq in done:
            highest[chat_id] = max(seq, highest.get(chat_id, 0))
        async with self._postgres.statement() as db:
            await db.execute(_DELETE, {"chats": list(highest), "seqs": list(highest.values())})


def _first_seq(events: Sequence[Outgoing]) -> int | None:
    return next((event.seq for event in events if event.seq), None)
