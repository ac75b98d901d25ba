"""A hub on the test's Valkey, clients that keep what they get, and a wire that can lose."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from app.connections.connection import Connection
from app.connections.hub import Entrance, Hub
from app.events.follower import Follower
from app.events.log import EventLog, LogSlice, Publication
from app.kit.clock import SystemClock
from app.kit.ids import ChatId, SessionId, new_session_id
from app.protocol.close import Close, ConnectionEnded
from app.protocol.codec import decode, encode
from app.protocol.frames import Position
from app.protocol.replay import Reason
from app.settings import ConnectionSettings, EventSettings
from tests.events.scene import outgoing

MONOTONIC = SystemClock().monotonic
TICK = {"tick_active_seconds": 0.05, "tick_idle_seconds": 0.05}


def new_connection(
    chat_id: ChatId, *, session_id: SessionId | None = None, **settings: int
) -> Connection:
    return Connection(
        session_id=session_id or new_session_id(),
        chat_id=chat_id,
        settings=ConnectionSettings(**settings),
        monotonic=MONOTONIC,
    )


class CountingLog(EventLog):
    """The real log; counts how often it is read."""

    reads = 0

    async def read(
        self, chat_id: ChatId, *, first: int = 0, limit: int = 0, max_bytes: int = 0
    ) -> LogSlice:
        self.reads += 1
        return await super().read(chat_id, first=first, limit=limit, max_bytes=max_bytes)


class Wire:
    """Between follower and hub: loses the publications it is told to."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.loses: Callable[[Publication], bool] = lambda _: False
        self.passed = 0
        self.resubscriptions = 0

    def deliver(self, chat_id: ChatId, publication: Publication) -> None:
        if not self.loses(publication):
            self._hub.deliver(chat_id, publication)
        self.passed += 1

    def resubscribed(self, chat_id: ChatId) -> None:
        self.resubscriptions += 1
        self._hub.resubscribed(chat_id)


@dataclass
class Station:
    """One node's hub, and everything under it."""

    hub: Hub
    log: CountingLog
    follower: Follower
    wire: Wire
    redis: Redis

    async def append(self, chat_id: ChatId, *keys: str) -> None:
        await self.log.append(chat_id, [outgoing(key) for key in keys])

    async def append_and_wait(self, chat_id: ChatId, *keys: str) -> None:
        """Append, and return when the publication has come by."""
        expected = self.wire.passed + 1
        await self.append(chat_id, *keys)
        async with asyncio.timeout(5):
            while self.wire.passed < expected:  # noqa: ASYNC110 - nothing else to wait on
                await asyncio.sleep(0)


@dataclass
class Client:
    """A browser: the keys of the events it has applied, and where it stands."""

    station: Station
    connection: Connection
    keys: list[str] = field(default_factory=list)
    offset: int = 0
    epoch: str = ""
    reason: Reason | None = None
    frames: list[dict[str, Any]] = field(default_factory=list)

    async def enter(self, after: Position | None = None) -> Entrance:
        return await self.station.hub.enter(self.connection, after)

    async def go_live(self, entrance: Entrance) -> None:
        """Begin to follow; a snapshot is the whole log, as it stands in the entrance."""
        if entrance.reason is not None:
            slice_ = await self.station.log.read(self.connection.chat_id, first=1, limit=99_999)
            self.keys = [one.key for one in slice_.entries if one.offset <= entrance.top.offset]
            self.offset = entrance.top.offset
        self.epoch, self.reason = entrance.top.epoch, entrance.reason
        await self.station.hub.go_live(
            entrance, preface=lambda replay: [encode({"type": "welcome", "replay": replay})]
        )

    async def join(self, after: Position | None = None) -> None:
        self.station.hub.admit(self.connection)
        await self.go_live(await self.enter(after))

    async def read(self, until: str) -> None:
        """Apply what comes, until an event of this key; as strict as a client must be."""
        async with asyncio.timeout(10):
            while until not in self.keys[-1:]:
                self._apply(decode(await self.connection.take()))

    def read_waiting(self) -> None:
        """Apply what waits now."""
        for queue in (self.connection._backlog, self.connection._queue):
            while queue:
                self._apply(decode(queue.pop(0)))

    def _apply(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        if "key" in frame:
            assert frame["offset"] == self.offset + 1, (self.offset, frame)
            self.offset += 1
            self.keys.append(frame["key"])
        elif frame["type"] == "live":
            assert frame["offset"] == self.offset

    async def closed(self) -> Close:
        """Read to the end; return why the server ended it."""
        async with asyncio.timeout(10):
            while True:
                try:
                    self._apply(decode(await self.connection.take()))
                except ConnectionEnded as ended:
                    return ended.close

    @property
    def position(self) -> Position:
        return Position(
            epoch=self.epoch, offset=self.offset, key=self.keys[-1] if self.keys else None
        )


async def _nothing(_: object) -> None:
    """Mend no log: there is no outbox here to tell what one has lost."""


@asynccontextmanager
async def station(redis: Redis, **settings: float) -> AsyncIterator[Station]:
    """Run a hub with its follower for as long as the block lasts."""
    values: dict[str, Any] = {"tick_active_seconds": 60, "tick_idle_seconds": 60, **settings}
    limits = EventSettings(**values)
    log = CountingLog(redis, limits)
    follower = Follower(redis, confirm_seconds=5)
    hub = Hub(event_log=log, follower=follower, mend=_nothing, settings=limits, monotonic=MONOTONIC)
    wire = Wire(hub)
    tasks = [
        asyncio.create_task(follower.run(wire, on_signal=lambda _: None)),
        asyncio.create_task(hub.run()),
    ]
    try:
        yield Station(hub, log, follower, wire, redis)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def client(at: Station, chat_id: ChatId, **settings: int) -> Client:
    return Client(at, new_connection(chat_id, session_id=None, **settings))


def loses(*keys: str) -> Callable[[Publication], bool]:
    """Return a wire's fault: publications with one of these events are lost, each once."""
    left = set(keys)

    def lose(publication: Publication) -> bool:
        found = {
            key for key in left if any(b'"%s"' % key.encode() in p for p in publication.payloads)
        }
        left.difference_update(found)
        return bool(found)

    return lose
