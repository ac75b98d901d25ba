"""How often: counted in Redis, so that it does not matter which node somebody comes to."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Literal

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from app.kit.errors import Unavailable
from app.limits.errors import RateLimited
from app.observability.metrics import LIMITED
from app.settings import OFF, LimitSettings
from app.storage.redis import redis_errors

log = structlog.get_logger()

Deed = Literal["starts", "handshakes", "queries", "anonymous_queries"]

# Without an answer by then, nothing is refused. A flood of handshakes makes everything slow,
# and shall not end its own limit by that; sockets wait for Redis in any case.
_ANSWER_SECONDS: dict[Deed, float] = {
    "starts": 0.3,
    "handshakes": 2.0,
    "queries": 0.3,
    "anonymous_queries": 0.3,
}
_PAUSE_SECONDS = 3.0  # and nobody waits for one again for so long
_KNOWN = 4_096  # refusals that are remembered, which no flood makes more

_MESSAGES: dict[Deed, str] = {
    "starts": "Too many sessions were started from this address.",
    "handshakes": "Too many connections were opened from this address.",
    "queries": "Too many messages in a short time.",
    "anonymous_queries": "Too many messages in a short time.",
}


class _Storage(RedisStorage):
    """The library's scripts on the client that everything else uses: its pool, its time
    limits, its Unix socket, its Redis Cluster.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        super().__init__("redis://", implementation="redispy", key_prefix="limits")

    def configure_bridge(self) -> None:
        bridge: Any = self.bridge  # the library's types want another client
        bridge.storage = self._redis
        bridge.connection_getter = lambda _: self._redis


class Rates:
    """Counts deeds, each by whoever it is counted for, and refuses what is too much.

    If Redis does not answer, nothing is refused: what Postgres takes shall not fail for want
    of a count.

    Args:
        redis: the client.
        settings: how often is too often.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self, redis: Redis, settings: LimitSettings, *, monotonic: Callable[[], float]
    ) -> None:
        self._limiter = MovingWindowRateLimiter(_Storage(redis))
        self._monotonic = monotonic
        rates: dict[Deed, str] = {
            "starts": settings.starts,
            "handshakes": settings.handshakes,
            "queries": settings.queries,
            "anonymous_queries": settings.anonymous_queries,
        }
        self._items = {deed: parse(rate) for deed, rate in rates.items() if rate != OFF}
        # Who is refused until when: what is refused again needs no round trip.
        self._refused: dict[tuple[Deed, str], float] = {}
        self._ask_at = dict.fromkeys(_ANSWER_SECONDS, 0.0)  # before that, Redis is not asked

    async def count(self, deed: Deed, who: str | None) -> None:
        """Count one, in one round trip. Nobody (None) is not counted.

        Raises:
            RateLimited: it is too much; it says when it will not be.
        """
        item = self._items.get(deed)
        if item is None or who is None:
            return
        now = self._monotonic()
        wait = self._refused.get((deed, who), 0.0) - now
        if wait <= 0 and now >= self._ask_at[deed]:
            wait = await self._ask(item, deed, who)
        if wait > 0:
            LIMITED.labels(deed).inc()
            raise RateLimited(_MESSAGES[deed], retry_after_ms=math.ceil(wait * 1000))

    async def _ask(self, item: RateLimitItem, deed: Deed, who: str) -> float:
        """Return for how many seconds it is refused; 0 if it is not."""
        try:
            with redis_errors():
                async with asyncio.timeout(_ANSWER_SECONDS[deed]):
                    if await self._limiter.hit(item, deed, who):
                        return 0.0
                    stats = await self._limiter.get_window_stats(item, deed, who)
        except Unavailable as error:
            self._ask_at[deed] = self._monotonic() + _PAUSE_SECONDS
            log.warning("limits_not_counted", deed=deed, **error.context)
            return 0.0
        # of the library's own clock; a millisecond more, for its texts are cut
        wait = max(0.0, stats.reset_time - time.time()) + 0.001  # noqa: TID251
        self._remember(deed, who, wait)
        return wait

    def _remember(self, deed: Deed, who: str, wait: float) -> None:
        now = self._monotonic()
        if len(self._refused) >= _KNOWN:
            self._refused = {one: until for one, until in self._refused.items() if until > now}
        if len(self._refused) < _KNOWN:
            self._refused[deed, who] = now + wait
