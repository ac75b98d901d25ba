"""A subscription that is open and says nothing: it is noticed, and renewed."""

from redis.asyncio import Redis

from app.kit.ids import ChatId, new_chat_id
from tests.connections.scene import TICK, client, loses, station
from tests.support.until import until


async def test_a_subscription_that_misses_everything_is_renewed(redis: Redis, chat: ChatId) -> None:
    async with station(redis, **TICK) as here:
        visitor, neighbour = client(here, chat), client(here, new_chat_id())
        await visitor.join()
        await neighbour.join()
        here.wire.loses = lambda _: not here.wire.resubscriptions
        for key in ("a", "b"):
            await here.append(chat, key)
            await visitor.read(until=key)

        await until(lambda: here.wire.resubscriptions == 2)

        heard = here.wire.passed
        await here.append(chat, "c")
        await visitor.read(until="c")
        await until(lambda: here.wire.passed > heard)
        assert visitor.keys == ["a", "b", "c"]


async def test_a_subscription_that_misses_now_and_then_is_kept(redis: Redis, chat: ChatId) -> None:
    """Each loss is followed by something that is heard."""
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await visitor.join()
        for number in range(3):
            here.wire.loses = loses(f"lost {number}")
            await here.append(chat, f"lost {number}")
            await visitor.read(until=f"lost {number}")
            await here.append_and_wait(chat, f"heard {number}")
            await visitor.read(until=f"heard {number}")

        assert here.wire.resubscriptions == 0


async def test_what_was_missed_before_a_renewal_does_not_count_against_the_next(
    redis: Redis, chat: ChatId
) -> None:
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await visitor.join()
        here.wire.loses = lambda _: True
        for key in ("a", "b"):
            await here.append(chat, key)
            await visitor.read(until=key)
        await until(lambda: here.wire.resubscriptions == 1)

        await here.append(chat, "c")
        await visitor.read(until="c")

        assert here.wire.resubscriptions == 1
