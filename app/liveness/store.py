"""Who is there now, from heartbeats in Redis: nodes, and each session's connections.

Hints, not truth: every word is believed for a while only, by Redis's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from app.kit.ids import ConnectionId, NodeId, SessionId
from app.settings import LivenessSettings
from app.storage.redis import redis_errors

_AT_ONCE = 500
_NODES = "colloquy:nodes"


class Presence(NamedTuple):
    """One connection that is there: on which node, for which tab."""

    connection_id: ConnectionId
    node: NodeId
    tab: str | None


class LivenessStore:
    def __init__(self, redis: Redis, settings: LivenessSettings, node: NodeId) -> None:
        self._redis = redis
        self._ttl_ms = int(settings.ttl_seconds * 1000)
        self._node = node
        folder = Path(__file__).parent
        self._beat = redis.register_script((folder / "beat.lua").read_text("utf-8"))
        self._read = redis.register_script((folder / "read.lua").read_text("utf-8"))

    async def beat(
        self, sessions: Mapping[SessionId, Iterable[tuple[ConnectionId, str | None]]]
    ) -> None:
        """Say which connections this node holds. A round trip for every 500 sessions.

        Raises:
            Unavailable: Redis does not answer.
        """
        items = list(sessions.items())
        with redis_errors():
            for start in range(0, max(1, len(items)), _AT_ONCE):
                async with self._redis.pipeline(transaction=False) as pipe:
                    await self._beat(keys=[_NODES], args=[self._ttl_ms, self._node], client=pipe)
                    for session_id, connections in items[start : start + _AT_ONCE]:
                        members = [f"{one}|{self._node}|{tab or ''}" for one, tab in connections]
                        await self._beat(
                            keys=[_key(session_id)], args=[self._ttl_ms, *members], client=pipe
                        )
                    await pipe.execute()

    async def beat_client(self, session_id: SessionId) -> None:
        """Say that a client without a socket is there."""
        with redis_errors():
            await self._beat(keys=[_key(session_id)], args=[self._ttl_ms, f"http|{self._node}|"])

    async def leave(
        self, session_id: SessionId, connection_id: ConnectionId, tab: str | None
    ) -> None:
        """Say that a connection is gone, rather than wait until it is no longer believed."""
        with redis_errors():
            await self._redis.zrem(_key(session_id), f"{connection_id}|{self._node}|{tab or ''}")

    async def present(self, session_id: SessionId) -> list[Presence]:
        """Return the session's connections on all nodes."""
        with redis_errors():
            members = await self._read(keys=[_key(session_id)])
        present = []
        for member in members:
            connection_id, node, tab = member.decode().split("|", 2)
            present.append(Presence(ConnectionId(connection_id), NodeId(node), tab or None))
        return present

    async def live_among(self, session_ids: Sequence[SessionId]) -> set[SessionId]:
        """Return those of the sessions that have a connection on any node. One round trip."""
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
        with redis_errors():
            return [NodeId(name.decode()) for name in await self._read(keys=[_NODES])]

    async def forget_node(self) -> None:
        """Say that this node is leaving."""
        with redis_errors():
            await self._redis.zrem(_NODES, self._node)


def _key(session_id: SessionId) -> str:
    return f"{{{session_id}}}:live"
