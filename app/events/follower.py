"""Hears what is appended to the logs of the chats this node follows, as it happens.

One Redis connection for a whole node. Pub/sub may lose messages and says nothing about
it; whoever is told (the hub) notices by the offsets.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
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
_PING_SECONDS = 10.0  # a silent connection is asked whether it still is one


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
        self._lost: set[bytes] = set()  # were confirmed on a connection that is gone
        # What is to be sent: one task sends it, so that neither the order nor the
        # connection depends on callers that may be cancelled.
        self._commands: deque[tuple[bytes, bool]] = deque()  # channel, whether to subscribe
        self._ready = asyncio.Event()
        self._unanswered: Counter[bytes] = Counter()  # subscriptions asked for, by channel
        self._failures = 0
        self._deaf = False

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
            self._command(name, subscribe=True)
        if confirmed.is_set():
            return
        try:
            async with asyncio.timeout(self._confirm_seconds):
                await confirmed.wait()
        except TimeoutError:
            raise Unavailable(
                "The live channel does not answer for the moment.", retry_after_ms=2_000
            ) from None

    def unfollow(self, chat_id: ChatId) -> None:
        """Stop hearing ``chat_id``. Safe to call for one that is not followed."""
        name = channel(chat_id)
        self._lost.discard(name)
        confirmed = self._confirmed.pop(name, None)
        if confirmed is not None:
            confirmed.set()  # whoever still waits was followed, and let go
            self._command(name, subscribe=False)

    def recycle(self) -> None:
        """Take a new connection: the one there is may answer, and yet nothing comes by it."""
        self._deaf = True
        self._ready.set()

    async def run(self, sink: Sink, *, on_signal: Callable[[bytes], None]) -> None:
        """Listen until cancelled; after a loss, subscribe to everything again.

        ``sink`` gets the publications, ``on_signal`` what nodes tell each other.
        """
        while True:
            try:
                await self._listen(sink, on_signal)
            except* (RedisError, OSError) as group:
                wait = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
                self._failures += 1
                if self._failures in {1, 10}:
                    log.warning("follower_disconnected", cause=repr(group.exceptions[0]))
                await asyncio.sleep(wait)
            except* Exception:
                log.exception("follower_crashed")
                await asyncio.sleep(_RETRY_SECONDS[-1])

    async def _listen(self, sink: Sink, on_signal: Callable[[bytes], None]) -> None:
        """Subscribe to the whole list and hear it until the connection is lost."""
        pubsub = self._redis.pubsub()
        self._commands.clear()
        self._unanswered.clear()
        self._deaf = False
        for name in self._confirmed:
            self._command(name, subscribe=True)
        try:
            await pubsub.subscribe(SIGNALS)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(pubsub))
                await self._read(pubsub, sink, on_signal)
        finally:
            for name, confirmed in self._confirmed.items():
                if confirmed.is_set():
                    confirmed.clear()
                    self._lost.add(name)
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    def _command(self, name: bytes, *, subscribe: bool) -> None:
        self._commands.append((name, subscribe))
        if subscribe:
            self._unanswered[name] += 1
        self._ready.set()

    async def _write(self, pubsub: PubSub) -> None:
        while True:
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await self._ready.wait()
            except TimeoutError:
                await pubsub.ping()
                continue
            self._ready.clear()
            if self._deaf:
                raise TimeoutError("connected, but what is published does not come")
            while self._commands:
                names, subscribe = self._next_commands()
                if subscribe:
                    await pubsub.subscribe(*names)
                else:
                    await pubsub.unsubscribe(*names)

    def _next_commands(self) -> tuple[list[bytes], bool]:
        """Return what can be told in one command: channels, and whether to subscribe."""
        subscribe = self._commands[0][1]
        names: list[bytes] = []
        while (
            self._commands and self._commands[0][1] == subscribe and len(names) < _SUBSCRIBE_AT_ONCE
        ):
            names.append(self._commands.popleft()[0])
        return names, subscribe

    async def _read(
        self,
        pubsub: PubSub,
        sink: Sink,
        on_signal: Callable[[bytes], None],
    ) -> None:
        silence = _PING_SECONDS + self._confirm_seconds
        while True:
            response: Any = await pubsub.parse_response(block=False, timeout=silence)
            if response is None:
                raise TimeoutError(f"nothing heard for {silence} seconds")
            self._failures = 0
            if not isinstance(response, (list, tuple)) or len(response) < 3:  # noqa: PLR2004
                continue  # a pong
            try:
                self._heard(response, sink, on_signal)
            except Exception:  # a listener's bug, or a signal from somebody else
                log.exception("follower_listener_failed")
            if response[0] == b"unsubscribe":  # the client keeps a list, too
                await pubsub.handle_message(response)  # type: ignore[no-untyped-call]

    def _heard(
        self,
        response: Any,
        sink: Sink,
        on_signal: Callable[[bytes], None],
    ) -> None:
        kind, name, data = response[:3]
        if kind == b"message":
            if name == SIGNALS:
                on_signal(data)
            elif name in self._confirmed:
                sink.deliver(chat_of(name), parse_publication(data))
        elif kind == b"subscribe" and self._is_latest(name):
            confirmed = self._confirmed.get(name)
            if confirmed is not None:
                confirmed.set()
                if name in self._lost:
                    self._lost.discard(name)
                    sink.resubscribed(chat_of(name))

    def _is_latest(self, name: bytes) -> bool:
        """Whether this is the answer to the last of a channel's subscriptions."""
        self._unanswered[name] -= 1
        if self._unanswered[name] > 0:
            return False
        del self._unanswered[name]
        return True
