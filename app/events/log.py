"""The numbered event log of a chat, in Redis: one call appends, one call reads.

A chat's keys share a hash tag, so one Redis Cluster slot holds them, and every key a
script uses is declared. Losing them costs a snapshot, never a message.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from redis.asyncio import Redis

from app.events.errors import StaleFence
from app.kit.ids import ChatId
from app.protocol.replay import Entry, Top, key_at
from app.settings import EventSettings
from app.storage.redis import redis_errors

_CHANNEL_SUFFIX = b":live"


class Outgoing(NamedTuple):
    """An encoded event on its way into the log."""

    payload: bytes
    key: str
    seq: int = 0  # a durable event's number in its chat's outbox; 0: not durable


class Appended(NamedTuple):
    epoch: str
    first_offset: int
    added: int  # new events; durable ones that were there before do not count
    said: int  # events of this fence that are not durable, as far as the log knows


class OutboxGap(Exception):
    """Older durable events of the chat, those after ``sent``, must be appended first."""

    def __init__(self, sent: int) -> None:
        super().__init__(f"the log holds durable events up to {sent}")
        self.sent = sent


class AlreadySaid(Exception):
    """An append that seemed to fail was done: the log has ``said`` events of the owner."""

    def __init__(self, said: int) -> None:
        super().__init__(f"the log has {said} events already")
        self.said = said


class Publication(NamedTuple):
    """What one append told everyone who follows the chat."""

    epoch: str
    first_offset: int
    payloads: list[bytes]


class Mark(NamedTuple):
    """How far a log knows to have come."""

    offset: int
    sent: int  # the number of the last durable event it took; 0 if it knows of none


class LogSlice(NamedTuple):
    """Where a log ends, and its events from one offset on."""

    top: Top
    entries: list[Entry]

    def holds(self, offset: int, key: str | None) -> bool:
        """Whether the event at ``offset``, the first that was asked for, is the one of ``key``."""
        return offset == 0 or key == key_at(offset, self.top, self.entries)


def channel(chat_id: ChatId) -> bytes:
    return b"{%s}" % str(chat_id).encode() + _CHANNEL_SUFFIX


def chat_of(channel_name: bytes) -> ChatId:
    """Return whose channel it is; the inverse of ``channel``."""
    return ChatId(UUID(channel_name[1 : -len(_CHANNEL_SUFFIX) - 1].decode()))


def parse_publication(data: bytes) -> Publication:
    epoch, first, *payloads = data.split(b"\n")
    return Publication(epoch.decode(), int(first), payloads)


class EventLog:
    """Appends to and reads from the logs of chats."""

    def __init__(self, redis: Redis, settings: EventSettings) -> None:
        self._redis = redis
        self._settings = settings
        folder = Path(__file__).parent
        self._append = redis.register_script((folder / "append.lua").read_text("utf-8"))
        self._read = redis.register_script((folder / "read.lua").read_text("utf-8"))
        self._renew = redis.register_script((folder / "renew.lua").read_text("utf-8"))

    async def append(
        self,
        chat_id: ChatId,
        events: Sequence[Outgoing],
        *,
        fence: int = 0,
        said: int | None = None,
        force: bool = False,
    ) -> Appended:
        """Number, store and publish ``events``, all or none. One round trip.

        Args:
            chat_id: whose log.
            events: in order. Repeating a durable event is harmless.
            fence: the writer's claim on the chat's run; 0 for events of no run.
            said: how many events of its own, durable ones apart, the fence's owner knows to be
                in the log. Whatever of them was under way is refused from then on.
            force: take durable events although older ones are missing for good.

        Raises:
            AlreadySaid: there are more than ``said``; nothing was appended.
            StaleFence: a higher fence has written; nothing was appended.
            OutboxGap: older durable events are missing; nothing was appended.
            Unavailable: Redis does not answer; whether it was appended is not known.
        """
        meta, stream = _keys(chat_id)
        args: list[Any] = [
            channel(chat_id),
            fence,
            _new_epoch(),
            self._settings.log_events,
            self._settings.log_seconds,
            int(force),
            -1 if said is None else said,
        ]
        for event in events:
            args += (event.key, event.payload, event.seq)
        with redis_errors():
            answer = await self._append(keys=[meta, stream], args=args)
        match answer:
            case [b"ok", epoch, first, count, said]:
                return Appended(epoch.decode(), first, count, said)
            case [b"said", count]:
                raise AlreadySaid(count)
            case [b"gap", sent]:
                raise OutboxGap(sent)
            case [b"stale", highest]:
                raise StaleFence("Another node has taken this run over.", highest=highest)
            case _:
                raise RuntimeError("append.lua gave an answer that log.py does not know")

    async def read(
        self, chat_id: ChatId, *, first: int = 0, limit: int = 0, max_bytes: int = 0
    ) -> LogSlice:
        """Return where the log ends, and up to ``limit`` events from offset ``first`` on.

        With ``max_bytes``, the event that passes it is the last one; the one at ``first``
        does not count. A chat without a log gets its epoch now, so that the first event to
        come already belongs to a numbering its followers know. One round trip.

        Raises:
            Unavailable: Redis does not answer.
        """
        meta, stream = _keys(chat_id)
        with redis_errors():
            epoch, offset, key, entries = await self._read(
                keys=[meta, stream],
                args=[
                    _new_epoch(),
                    self._settings.log_seconds,
                    first if limit else 0,
                    limit,
                    max_bytes,
                ],
            )
        return LogSlice(
            Top(epoch.decode(), offset, key.decode() or None),
            [_entry(raw_id, fields) for raw_id, fields in entries],
        )

    async def read_back(self, chat_id: ChatId, *, last: int, limit: int) -> list[Entry]:
        """Return up to ``limit`` events that end with offset ``last``, newest first."""
        with redis_errors():
            entries: Any = await self._redis.xrevrange(
                _keys(chat_id)[1], max=f"{last}-0", min="-", count=limit
            )
        return [_entry(raw_id, _pairs(fields)) for raw_id, fields in entries]

    async def tops(self, chat_ids: Sequence[ChatId]) -> dict[ChatId, Top | None]:
        """Return where each log ends; None for one that is gone. One round trip.

        What cannot be read is left out: one chat's keys may be spoilt, one shard away.

        Raises:
            Unavailable: Redis does not answer.
        """
        rows = await self._fields(chat_ids, "epoch", "offset", "top")
        return {
            chat_id: Top(epoch.decode(), int(offset or 0), key.decode() if key else None)
            if epoch
            else None
            for chat_id, (epoch, offset, key) in rows.items()
        }

    async def marks(self, chat_ids: Sequence[ChatId]) -> dict[ChatId, Mark]:
        """Return how far each log knows to have come, but for those that are gone. As ``tops``."""
        rows = await self._fields(chat_ids, "epoch", "offset", "sent")
        return {
            chat_id: Mark(int(offset or 0), int(sent or 0))
            for chat_id, (epoch, offset, sent) in rows.items()
            if epoch
        }

    async def renew(self, chat_id: ChatId, *, sent: int) -> bool:
        """Begin a log anew unless it holds the durable events up to ``sent``; tell whether it
        was done. Everybody takes a snapshot then.

        Raises:
            Unavailable: Redis does not answer.
        """
        args: list[Any] = [channel(chat_id), _new_epoch(), self._settings.log_seconds, sent]
        with redis_errors():
            return bool(await self._renew(keys=_keys(chat_id), args=args))

    async def _fields(
        self, chat_ids: Sequence[ChatId], *names: str
    ) -> dict[ChatId, list[bytes | None]]:
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for chat_id in chat_ids:
                    _ = pipe.hmget(_keys(chat_id)[0], *names)
                rows = await pipe.execute(raise_on_error=False)
        return {
            chat_id: row
            for chat_id, row in zip(chat_ids, rows, strict=True)
            if not isinstance(row, Exception)
        }

    async def forget(self, *chat_ids: ChatId) -> int:
        """Delete chats' logs; return how many keys there were. One round trip.

        Raises:
            Unavailable: Redis does not answer.
        """
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for chat_id in chat_ids:
                    _ = pipe.unlink(*_keys(chat_id))
                return sum(await pipe.execute())


def _keys(chat_id: ChatId) -> tuple[str, str]:
    return f"{{{chat_id}}}:meta", f"{{{chat_id}}}:log"


def _new_epoch() -> str:
    return secrets.token_urlsafe(6)


def _pairs(fields: dict[bytes, bytes]) -> list[bytes]:
    return [part for pair in fields.items() for part in pair]


def _entry(raw_id: bytes, fields: Sequence[bytes]) -> Entry:
    # XADD wrote: k <key> d <payload>
    return Entry(int(raw_id.partition(b"-")[0]), fields[1].decode(), fields[3])
