"""Following: nothing after a confirmation is missed, whatever happens to the connection."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from app.embedded.servers import Addresses
from app.events import follower as module
from app.events.follower import SIGNALS, Follower
from app.events.log import EventLog, Publication, channel
from app.kit.errors import Unavailable
from app.kit.ids import ChatId, new_chat_id
from app.protocol.codec import decode
from app.settings import RedisSettings
from app.storage.redis import connect
from tests.events.scene import outgoing
from tests.support.proxy import proxied
from tests.support.until import until


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: defaultdict[ChatId, list[str]] = defaultdict(list)
        self.lost: list[ChatId] = []
        self.signals: list[bytes] = []
        self.errors = 0

    def deliver(self, chat_id: ChatId, publication: Publication) -> None:
        if self.errors:
            self.errors -= 1
            raise KeyError("a bug")
        self.heard[chat_id] += [decode(payload)["key"] for payload in publication.payloads]

    def resubscribed(self, chat_id: ChatId) -> None:
        self.lost.append(chat_id)

    def on_signal(self, data: bytes) -> None:
        if data == b"poison":
            raise ValueError
        self.signals.append(data)


@asynccontextmanager
async def running(follower: Follower, sink: Sink) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(follower.run(sink, on_signal=sink.on_signal))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
async def follower(redis: Redis, sink: Sink) -> AsyncIterator[Follower]:
    follower = Follower(redis, confirm_seconds=5)
    async with running(follower, sink):
        yield follower


async def subscribers(redis: Redis, *chats: ChatId) -> list[int]:
    counted = await redis.pubsub_numsub(*map(channel, chats))
    return [count for _, count in counted]


async def test_everything_after_the_confirmation_is_heard_in_order(
    follower: Follower, sink: Sink, event_log: EventLog, chat: ChatId
) -> None:
    await follower.follow(chat)
    for n in range(50):
        await event_log.append(chat, [outgoing(f"{n}a"), outgoing(f"{n}b")])

    await until(lambda: len(sink.heard[chat]) == 100)

    assert sink.heard[chat] == [f"{n}{part}" for n in range(50) for part in "ab"]
    assert sink.lost == []


async def test_a_chat_followed_by_many_at_once_has_one_subscription(
    follower: Follower, redis: Redis, chat: ChatId
) -> None:
    await asyncio.gather(*(follower.follow(chat) for _ in range(20)))

    assert await subscribers(redis, chat) == [1]


async def test_a_chat_that_is_let_go_is_not_heard(
    follower: Follower, sink: Sink, redis: Redis, event_log: EventLog, chat: ChatId
) -> None:
    await follower.follow(chat)
    follower.unfollow(chat)
    follower.unfollow(chat)
    await event_log.append(chat, [outgoing("a")])

    async def let_go() -> bool:
        return await subscribers(redis, chat) == [0]

    await until(let_go)
    assert sink.heard[chat] == []


async def test_only_the_answer_to_the_latest_subscription_confirms(
    redis: Redis, sink: Sink, chat: ChatId
) -> None:
    """Let go and followed again at once, the first answer used to count for the second."""
    follower = Follower(redis, confirm_seconds=5)
    answer = (b"subscribe", channel(chat), 1)
    first = asyncio.create_task(follower.follow(chat))
    await asyncio.sleep(0)
    follower.unfollow(chat)
    second = asyncio.create_task(follower.follow(chat))
    await asyncio.sleep(0)

    follower._heard(answer, sink, sink.on_signal)
    confirmed_by_the_first = follower._confirmed[channel(chat)].is_set()
    follower._heard(answer, sink, sink.on_signal)

    await second
    await first  # it was followed, and let go: nothing to wait for
    assert not confirmed_by_the_first


async def test_what_is_appended_after_any_follow_returns_is_heard(
    follower: Follower, sink: Sink, event_log: EventLog, chat: ChatId
) -> None:
    for n in range(200):
        joined = asyncio.create_task(follower.follow(chat))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        if not joined.done():
            follower.unfollow(chat)
            joined.cancel()
            await asyncio.gather(joined, return_exceptions=True)
        await follower.follow(chat)

        await event_log.append(chat, [outgoing(str(n))])
        await until(lambda n=n: str(n) in sink.heard[chat])  # type: ignore[misc]

        follower.unfollow(chat)


async def test_a_storm_of_comings_and_goings_ends_with_the_right_subscriptions(
    follower: Follower, sink: Sink, redis: Redis, event_log: EventLog
) -> None:
    rng = random.Random(11)
    chats = [new_chat_id() for _ in range(30)]
    wanted: set[ChatId] = set()

    async def come(chat_id: ChatId) -> None:
        wanted.add(chat_id)
        await follower.follow(chat_id)

    async def come_and_go() -> None:
        for _ in range(60):
            chat_id = rng.choice(chats)
            if rng.random() < 0.5:
                follow = asyncio.create_task(come(chat_id))
                if rng.random() < 0.3:
                    await asyncio.sleep(0)
                    follow.cancel()
                await asyncio.gather(follow, return_exceptions=True)
            else:
                wanted.discard(chat_id)
                follower.unfollow(chat_id)

    await asyncio.gather(*(come_and_go() for _ in range(10)))
    for chat_id in wanted:
        await follower.follow(chat_id)
    for chat_id in chats:
        await event_log.append(chat_id, [outgoing("end")])

    await until(lambda: all(sink.heard[chat_id][-1:] == ["end"] for chat_id in wanted))

    async def only_those() -> bool:
        return await subscribers(redis, *chats) == [int(chat_id in wanted) for chat_id in chats]

    await until(only_those)
    assert sink.lost == []  # nobody's cancellation broke the connection they share


async def test_a_killed_connection_comes_back_and_says_what_was_lost(
    follower: Follower, sink: Sink, redis: Redis, event_log: EventLog
) -> None:
    chats = [new_chat_id() for _ in range(3)]
    for chat_id in chats:
        await follower.follow(chat_id)

    await redis.client_kill_filter(_type="pubsub")
    for chat_id in chats:
        await event_log.append(chat_id, [outgoing("perhaps lost")])
    await until(lambda: set(sink.lost) == set(chats))
    for chat_id in chats:
        await follower.follow(chat_id)
        await event_log.append(chat_id, [outgoing("heard")])
    await redis.publish(SIGNALS, b"heard, too")

    await until(lambda: sink.signals[-1:] == [b"heard, too"])
    assert [sink.heard[chat_id][-1] for chat_id in chats] == ["heard"] * 3
    assert sorted(sink.lost) == sorted(chats)  # each is told once


async def test_every_loss_is_told(follower: Follower, sink: Sink, redis: Redis) -> None:
    """Also the seventh: the wait does not grow while each attempt succeeds."""
    chat = new_chat_id()
    for turn in range(1, 8):
        await follower.follow(chat)
        await redis.client_kill_filter(_type="pubsub")
        await until(lambda turn=turn: len(sink.lost) == turn, seconds=1)  # type: ignore[misc]


async def test_a_chat_can_be_followed_before_the_follower_runs(
    redis: Redis, sink: Sink, event_log: EventLog, chat: ChatId
) -> None:
    follower = Follower(redis, confirm_seconds=5)
    early = asyncio.create_task(follower.follow(chat))
    await asyncio.sleep(0)

    async with running(follower, sink):
        await early
        await event_log.append(chat, [outgoing("a")])

        await until(lambda: sink.heard[chat] == ["a"])
        assert sink.lost == []


async def test_a_follow_that_is_not_confirmed_says_so_and_is_made_up_for(
    stores: Addresses, sink: Sink, event_log: EventLog, chat: ChatId
) -> None:
    async with proxied(stores) as proxies:
        redis = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.2))
        follower = Follower(redis, confirm_seconds=0.2)
        await proxies.redis.cut()
        async with running(follower, sink):
            with pytest.raises(Unavailable):
                await follower.follow(chat)

            await proxies.redis.restore()

            await until(follower._confirmed[channel(chat)].is_set)
            await follower.follow(chat)
            await event_log.append(chat, [outgoing("a")])
            await until(lambda: sink.heard[chat] == ["a"])
        await redis.aclose()


async def test_a_lost_connection_confirms_nothing(
    stores: Addresses, sink: Sink, chat: ChatId
) -> None:
    """Between the loss and the new subscription a follow used to return at once."""
    async with proxied(stores) as proxies:
        redis = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.2))
        follower = Follower(redis, confirm_seconds=0.1)
        async with running(follower, sink):
            await follower.follow(chat)
            await proxies.redis.cut()
            await until(lambda: not follower._confirmed[channel(chat)].is_set())

            with pytest.raises(Unavailable):
                await follower.follow(chat)
        await redis.aclose()


async def test_a_connection_that_went_silent_is_replaced(
    stores: Addresses, sink: Sink, chat: ChatId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead peer sends nothing, not even an end: without a question nobody would notice."""
    monkeypatch.setattr(module, "_PING_SECONDS", 0.05)
    async with proxied(stores) as proxies:
        redis = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.2))
        follower = Follower(redis, confirm_seconds=0.1)
        async with running(follower, sink):
            await follower.follow(chat)

            proxies.redis.stall()
            await until(lambda: not follower._confirmed[channel(chat)].is_set())
            await proxies.redis.restore()

            await until(lambda: sink.lost == [chat])
        await redis.aclose()


async def test_a_quiet_connection_is_asked_and_kept(
    stores: Addresses, sink: Sink, chat: ChatId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For much longer than any one command may take."""
    monkeypatch.setattr(module, "_PING_SECONDS", 0.02)
    pings = 0
    ping = PubSub.ping

    def counted(self: PubSub) -> Awaitable[bool]:
        nonlocal pings
        pings += 1
        return ping(self)

    monkeypatch.setattr(PubSub, "ping", counted)
    redis = connect(stores.redis_url, RedisSettings(command_seconds=0.1))
    follower = Follower(redis, confirm_seconds=1)
    async with running(follower, sink):
        await follower.follow(chat)

        await until(lambda: pings >= 15)

        assert sink.lost == []
    await redis.aclose()


async def test_a_listeners_bug_does_not_end_the_following(
    follower: Follower, sink: Sink, redis: Redis, event_log: EventLog, chat: ChatId
) -> None:
    """It used to end the node: the follower's task shares its group with everything else."""
    await follower.follow(chat)
    sink.errors = 1
    await event_log.append(chat, [outgoing("a")])
    await redis.publish(channel(chat), b"not a publication")
    await redis.publish(SIGNALS, b"poison")
    await redis.publish(SIGNALS, b"fine")
    await event_log.append(chat, [outgoing("b")])

    await until(lambda: sink.heard[chat] == ["b"])

    assert sink.signals == [b"fine"]
    assert sink.lost == []


async def test_nothing_is_kept_of_chats_that_were_let_go(
    redis: Redis, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own list of channels used to grow with every chat ever followed."""
    made: list[PubSub] = []
    pubsub = redis.pubsub

    def keep(**options: Any) -> PubSub:
        made.append(pubsub(**options))
        return made[-1]

    monkeypatch.setattr(redis, "pubsub", keep)
    follower = Follower(redis, confirm_seconds=5)
    async with running(follower, sink):
        for _ in range(20):
            chats = [new_chat_id() for _ in range(20)]
            await asyncio.gather(*map(follower.follow, chats))
            for chat_id in chats:
                follower.unfollow(chat_id)

        [client] = made
        await until(lambda: list(client.channels) == [SIGNALS])
        assert client.pending_unsubscribe_channels == set()
    assert (follower._confirmed, follower._unanswered) == ({}, {})
    assert not follower._commands
