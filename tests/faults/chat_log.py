"""A chat's log in Redis, in the hands of somebody who goes past every node."""

from uuid import UUID

from redis.asyncio import Redis

from app.events.log import EventLog, Outgoing
from app.kit.clock import SystemClock, wire_time
from app.kit.ids import ChatId
from app.protocol.codec import encode
from app.protocol.events import event
from app.settings import EventSettings


class ChatLog:
    """One chat's log: appended to as nodes do it, and hurt as nobody should.

    Args:
        redis: a way to Redis that passes no proxy.
        chat_id: whose log.
    """

    def __init__(self, redis: Redis, chat_id: str) -> None:
        self._redis = redis
        self._chat_id = ChatId(UUID(chat_id))
        self._log = EventLog(redis, EventSettings())
        self._meta, self._stream = f"{{{chat_id}}}:meta", f"{{{chat_id}}}:log"
        self._kept: list[tuple[str, bytes]] = []

    async def append(self, count: int = 1, *, size: int = 0) -> int:
        """Append events that are news to every client and change nothing on its page.

        Args:
            count: how many, in one step.
            size: bytes of each, as the log counts them; those it has at least, if 0.

        Returns:
            The offset of the last.
        """
        appended = await self._log.append(self._chat_id, [_nothing(size) for _ in range(count)])
        return appended.first_offset + appended.added - 1

    async def top(self) -> int:
        """Return the offset of the last event."""
        return int(await self._redis.hget(self._meta, "offset") or 0)

    async def keys(self) -> dict[int, str]:
        """Return the key of each event there is, by offset."""
        slice_ = await self._log.read(self._chat_id, first=1, limit=5_000)
        return {entry.offset: entry.key for entry in slice_.entries}

    async def trim(self, newest: int) -> None:
        """Leave only so many events, as a long log does with its oldest."""
        await self._redis.xtrim(self._stream, maxlen=newest, approximate=False)

    async def pierce(self, back: int) -> None:
        """Take one event out, ``back`` places before the end."""
        await self._redis.xdel(self._stream, f"{await self.top() - back}-0")

    async def expire(self) -> None:
        """Lose the events, and keep the number and key of the last."""
        await self._redis.delete(self._stream)

    async def forget(self) -> None:
        """Lose everything, as a Redis does that was flushed."""
        await self._redis.delete(self._meta, self._stream)

    async def keep(self) -> None:
        """Remember the log as it is."""
        dumps = [(key, await self._redis.dump(key)) for key in (self._meta, self._stream)]
        self._kept = [(key, dump) for key, dump in dumps if dump is not None]

    async def rewind(self) -> None:
        """Have the log as it was, as a Redis does that took over from another and was behind."""
        await self.forget()
        for key, dump in self._kept:
            await self._redis.restore(key, 0, dump)


def _nothing(size: int) -> Outgoing:
    news = event("title_changed", timestamp=wire_time(SystemClock().now()), title="")
    padding = max(0, size - len(encode(news)))
    return Outgoing(encode({**news, "title": "x" * padding}), news["key"])
