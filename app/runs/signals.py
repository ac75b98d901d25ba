"""What nodes tell each other at once. Hints: a poll makes sure of everything said here."""

from typing import Any, Literal

from redis.asyncio import Redis

from app.events.follower import SIGNALS
from app.protocol.codec import decode, encode
from app.storage.redis import redis_errors

Kind = Literal[
    "cancel", "wake", "session_ended", "session_extended", "superseded", "signed_out", "claimed"
]


class Signals:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def send(self, kind: Kind, **fields: str) -> None:
        """Tell every node, this one too.

        Raises:
            Unavailable: Redis does not answer; the others will find out by themselves.
        """
        with redis_errors():
            await self._redis.publish(SIGNALS, encode({"kind": kind, **fields}))


def parse_signal(data: bytes) -> dict[str, Any]:
    return decode(data)
