"""Hears what is appended to the logs of the chats this node follows, as it happens.

One Redis connection for a whole node. Pub/sub may lose messages and says nothing about
it; whoever is told (the hub) notices by the offsets.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from app.events.log import Publication, channel, chat_of, parse_publication
from app.kit.errors import Unavailable
from app.kit.ids import ChatId

log = structlog.get_logger()

SIGNALS = b"colloquy:signals"
_SUBSCRIBE_AT_ONCE = 500
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class Sink(Protocol):
    """Who is told. Called from the follower's loop: must not wait."""

    def deliver(self, chat_id: ChatId, publication: Publication) -> None: ...

    def resubscribed(self, chat_id: ChatId) -> None:
        """The subscription was lost for a while and is back: events may be missing."""
        ...


class Follower:
    """Keeps one subscription for each followed chat, whatever happens to Redis.

    Args:
        redis: the client; the follower takes one connection of its own from it.
        confirm_seconds: longest wait for Redis to confirm a subscription.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        confirm_seconds: float,
    ) -> None:
        self._redis = redis
        self._confirm_seconds = confirm_seconds
        self._confirmed: dict[bytes, asyncio.Event] = {}
        self._pubsub: PubSub | None = None

    async def follow(self, chat_id: ChatId) -> None:
        """Return once everything appended from now on will reach the sink.

        Raises:
            Unavailable: Redis did not confirm in time. The chat stays on the list and is
                subscribed when Redis is back.
        """
        name = channel(chat_id)
        confirmed = self._confirmed.get(name)
        if confirmed is None:
            confirmed = self._confirmed[name] = asyncio.Event()
            await self._tell(lambda pubsub: pubsub.subscribe(name))
        if confirmed.is_set():
            return
        try:
            async with asyncio.timeout(self._confirm_seconds):
                await confirmed.wait()
        except TimeoutError:
            raise Unavailable(
                "The live channel does not answer for the moment.", retry_after_ms=2_000
            ) from None

    async def unfollow(self, chat_id: ChatId) -> None:
        """Stop hearing ``chat_id``. Safe to call for one that is not followed."""
        name = channel(chat_id)
        if self._confirmed.pop(name, None) is not None:
            await self._tell(lambda pubsub: pubsub.unsubscribe(name))

    async def run(self, sink: Sink, *, on_signal: Callable[[bytes], None]) -> None:
        """Listen until cancelled; after a loss, subscribe to everything again.

        ``sink`` gets the publications, ``on_signal`` what nodes tell each other.
        """
        failures = 0
        while True:
            try:
                await self._listen(sink, on_signal)
            except (RedisError, OSError) as error:
                wait = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                if failures in {1, 10}:
                    log.warning("follower_disconnected", cause=type(error).__name__)
                await asyncio.sleep(wait)
            else:
                failures = 0

    async def _listen(self, sink: Sink, on_signal: Callable[[bytes], None]) -> None:
        pubsub = self._redis.pubsub()
        lost = set(self._confirmed)
        for confirmed in self._confirmed.values():
            confirmed.clear()
        try:
            await pubsub.subscribe(SIGNALS)
            self._pubsub = pubsub  # from here on `follow` subscribes by itself
            names = list(self._confirmed)
            for start in range(0, len(names), _SUBSCRIBE_AT_ONCE):
                await pubsub.subscribe(*names[start : start + _SUBSCRIBE_AT_ONCE])
            while True:
                response: Any = await pubsub.parse_response(block=True)
                self._heard(response, lost, sink, on_signal)
        finally:
            self._pubsub = None
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _heard(
        self,
        response: Any,
        lost: set[bytes],
        sink: Sink,
        on_signal: Callable[[bytes], None],
    ) -> None:
        if not isinstance(response, (list, tuple)) or len(response) < 3:  # noqa: PLR2004
            return  # a pong
        kind, name, data = response[:3]
        if kind == b"message":
            if name == SIGNALS:
                on_signal(data)
            elif name in self._confirmed:
                sink.deliver(chat_of(name), parse_publication(data))
        elif kind == b"subscribe" and (confirmed := self._confirmed.get(name)) is not None:
            confirmed.set()
            if name in lost:
                lost.discard(name)
                sink.resubscribed(chat_of(name))

    async def _tell(self, command: Callable[[PubSub], Awaitable[Any]]) -> None:
        if self._pubsub is None:
            return  # `_listen` subscribes to the whole list when it is back
        try:
            await command(self._pubsub)
        except (RedisError, OSError) as error:  # `_listen` will notice, too
            log.warning("follower_command_failed", cause=type(error).__name__)
