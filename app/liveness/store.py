"""Who is there now, from heartbeats in Redis: nodes, and each session's connections.

Hints, not truth: every word is believed for a while only, by Redis's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from app.kit.ids import ConnectionId, NodeId, SessionId
from app.settings import LivenessSettings
from app.storage.batches import WriteBehind
from app.storage.redis import redis_errors

_AT_ONCE = 500  # of a pipeline, which takes two round trips: it first asks for its scripts
_CLOSE_MS = 3_600_000  # a page that returns later has forgotten, too
_HTTP = ConnectionId("http")  # a client without a socket
_NODES = "colloquy:nodes"
_WORKERS = "colloquy:workers"  # those of the nodes that execute runs


class Presence(NamedTuple):
    """One connection that is there: on which node, for which tab."""

    connection_id: ConnectionId
    node: NodeId
    tab: str | None


class Seat(NamedTuple):
    """One of a few places that connections may take at once: whose, and who sits there."""

    key: str
    sitter: str


class _Change(NamedTuple):
    key: str
    member: str
    is_there: bool


class LivenessStore:
    """Args:
    redis: the client.
    settings: how long a word is believed.
    node: this process.
    executes: whether it executes runs.
    """

    def __init__(
        self, redis: Redis, settings: LivenessSettings, node: NodeId, *, executes: bool = True
    ) -> None:
        self._redis = redis
        self._kinds = [_NODES, _WORKERS] if executes else [_NODES]
        self._ttl_ms = int(settings.ttl_seconds * 1000)
        self._node = node
        # Tabs come and go in crowds: what one crowd does is one pipeline.
        self.changes: WriteBehind[_Change] = WriteBehind("presence", self._write, seconds=0.05)
        folder = Path(__file__).parent
        self._beat = redis.register_script((folder / "beat.lua").read_text("utf-8"))
        self._sit = redis.register_script((folder / "sit.lua").read_text("utf-8"))
        self._read = redis.register_script((folder / "read.lua").read_text("utf-8"))

    async def beat(
        self, sessions: Mapping[SessionId, Iterable[tuple[ConnectionId, str | None]]]
    ) -> None:
        """Say which connections this node holds, of 500 sessions at a time.

        Raises:
            Unavailable: Redis does not answer.
        """
        items = list(sessions.items())
        with redis_errors():
            for start in range(0, max(1, len(items)), _AT_ONCE):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for key in self._kinds:
                        await self._beat(keys=[key], args=[self._ttl_ms, self._node], client=pipe)
                    for session_id, connections in items[start : start + _AT_ONCE]:
                        members = [self._member(*connection) for connection in connections]
                        await self._beat(
                            keys=[_key(session_id)], args=[self._ttl_ms, *members], client=pipe
                        )
                    await pipe.execute()

    async def beat_client(self, session_id: SessionId) -> None:
        """Say that a client without a socket is there."""
        with redis_errors():
            await self._beat(keys=[_key(session_id)], args=[self._ttl_ms, f"{_HTTP}|{self._node}|"])

    def arrived(self, session_id: SessionId, connection_id: ConnectionId, tab: str | None) -> None:
        """Say in a moment that a connection is there."""
        member = self._member(connection_id, tab)
        self.changes.add(_Change(_key(session_id), member, is_there=True))

    def left(self, session_id: SessionId, connection_id: ConnectionId, tab: str | None) -> None:
        """Say in a moment that one is gone, rather than wait until it is no longer believed."""
        member = self._member(connection_id, tab)
        self.changes.add(_Change(_key(session_id), member, is_there=False))

    async def sit(
        self, whose: str, connection_id: ConnectionId, *, stands_for: str, seats: int
    ) -> Seat | None:
        """Take one of so many seats that connections have at once, on all nodes; None if none
        is left. It is kept by ``beat_seats`` until ``stand_up``.

        Args:
            whose: who has so many.
            connection_id: the connection.
            stands_for: connections that stand for the same share a seat.
            seats: how many there are.

        Raises:
            Unavailable: Redis does not answer.
        """
        key = f"{{{whose}}}:seats"
        with redis_errors():
            has_one = await self._sit(
                keys=[key], args=[self._ttl_ms, seats, connection_id, stands_for]
            )
        return Seat(key, f"{connection_id}|{stands_for}") if has_one else None

    def stand_up(self, seats: Iterable[Seat]) -> None:
        """Give seats back in a moment."""
        for key, sitter in seats:
            self.changes.add(_Change(key, sitter, is_there=False))

    async def beat_seats(self, seats: Iterable[Seat]) -> None:
        """Say that these are still taken."""
        sitters: dict[str, list[str]] = {}
        for key, sitter in seats:
            sitters.setdefault(key, []).append(sitter)
        items = list(sitters.items())
        with redis_errors():
            for start in range(0, len(items), _AT_ONCE):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for key, some in items[start : start + _AT_ONCE]:
                        await self._beat(keys=[key], args=[self._ttl_ms, *some], client=pipe)
                    await pipe.execute()

    async def closed(self, session_id: SessionId, tab: str, code: int) -> None:
        """Keep why a tab was closed, for the node it returns to."""
        with redis_errors():
            await self._redis.set(_closed_key(session_id, tab), code, px=_CLOSE_MS)

    async def returned(self, session_id: SessionId, tab: str) -> tuple[int | None, list[Presence]]:
        """Return why a tab was closed, once, and the session's connections on other nodes: they
        may not have noticed that the tab is gone from there.
        """
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                await self._read(keys=[_key(session_id)], client=pipe)
                _ = pipe.getdel(_closed_key(session_id, tab))
                members, code = await pipe.execute()
        there = [_presence(member) for member in members]
        elsewhere = [one for one in there if one.node != self._node and one.connection_id != _HTTP]
        return (None if code is None else int(code)), elsewhere

    async def present(self, session_id: SessionId) -> list[Presence]:
        """Return the session's connections on all nodes."""
        with redis_errors():
            members = await self._read(keys=[_key(session_id)])
        return [_presence(member) for member in members]

    async def live_among(self, session_ids: Sequence[SessionId]) -> set[SessionId]:
        """Return those of the sessions that have a connection on any node."""
        if not session_ids:
            return set()
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for session_id in session_ids:
                    await self._read(keys=[_key(session_id)], client=pipe)
                found = await pipe.execute()
        return {one for one, members in zip(session_ids, found, strict=True) if members}

    async def nodes(self) -> list[NodeId]:
        """Return the nodes that are there."""
        return await self._named(_NODES)

    async def workers(self) -> list[NodeId]:
        """Return the nodes that are there and execute runs."""
        return await self._named(_WORKERS)

    async def forget_node(self) -> None:
        """Say that this node is leaving."""
        with redis_errors():
            for key in self._kinds:
                await self._redis.zrem(key, self._node)

    async def _write(self, changes: Sequence[_Change]) -> None:
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for key, member, is_there in changes:
                    if is_there:
                        await self._beat(keys=[key], args=[self._ttl_ms, member], client=pipe)
                    else:
                        _ = pipe.zrem(key, member)
                await pipe.execute()

    def _member(self, connection_id: ConnectionId, tab: str | None) -> str:
        return f"{connection_id}|{self._node}|{tab or ''}"

    async def _named(self, key: str) -> list[NodeId]:
        with redis_errors():
            return [NodeId(name.decode()) for name in await self._read(keys=[key])]


def _presence(member: bytes) -> Presence:
    connection_id, node, tab = member.decode().split("|", 2)
    return Presence(ConnectionId(connection_id), NodeId(node), tab or None)


def _key(session_id: SessionId) -> str:
    return f"{{{session_id}}}:live"


def _closed_key(session_id: SessionId, tab: str) -> str:
    return f"{{{session_id}}}:closed:{tab}"
