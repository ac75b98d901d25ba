"""A log that was lost, or went back: nobody goes on from a history that is no more."""

from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from app.kit.errors import Unavailable
from app.kit.ids import ChatId, new_chat_id
from app.protocol.close import NO_CONTINUITY, ConnectionEnded
from app.protocol.replay import Reason
from tests.connections.scene import TICK, Station, client, loses, station


async def test_a_lost_log_ends_its_followers_when_the_next_event_comes(
    here: Station, chat: ChatId
) -> None:
    visitor = client(here, chat)
    await here.append(chat, "a")
    await visitor.join()

    await here.log.forget(chat)
    await here.append(chat, "b")

    assert await visitor.closed() == NO_CONTINUITY
    assert visitor.keys == ["a"]
    again = client(here, chat)
    await again.join(visitor.position)
    assert (again.reason, again.keys) == (Reason.EPOCH, ["b"])


async def test_a_lost_log_ends_its_followers_when_the_ends_are_compared(
    redis: Redis, chat: ChatId
) -> None:
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await here.append(chat, "a")
        await visitor.join()

        await here.log.forget(chat)

        assert await visitor.closed() == NO_CONTINUITY


async def test_one_who_joins_across_the_loss_of_the_log_is_not_left_in_silence(
    here: Station, chat: ChatId
) -> None:
    """Its place in the old numbering was kept in the new one: it heard nothing until the new
    one had counted as far.
    """
    await here.append(chat, *(f"old {n}" for n in range(100)))
    slow, quick = client(here, chat), client(here, chat)
    here.hub.admit(slow.connection)
    entrance = await slow.enter()
    await here.log.forget(chat)
    await quick.join()

    with pytest.raises(ConnectionEnded) as caught:
        await slow.go_live(entrance)
    await here.append(chat, "new")
    await quick.read(until="new")

    assert caught.value.close == NO_CONTINUITY
    assert quick.connection.ended is None


async def test_those_who_hold_the_old_numbering_are_ended_by_one_who_brings_the_new(
    here: Station, chat: ChatId
) -> None:
    await here.append(chat, "old")
    old, new = client(here, chat), client(here, chat)
    await old.join()
    await here.log.forget(chat)

    with pytest.raises(ConnectionEnded):
        await new.join()

    assert await old.closed() == NO_CONTINUITY


class Backup:
    """A replica that lags: what it has not seen is gone when it takes over."""

    def __init__(self, redis: Redis, chat_id: ChatId) -> None:
        self._redis = redis
        self._names = [f"{{{chat_id}}}:meta", f"{{{chat_id}}}:log"]
        self._dumps: list[bytes] = []

    async def take(self) -> None:
        self._dumps = [await self._redis.dump(name) or b"" for name in self._names]

    async def take_over(self) -> None:
        for name, dump in zip(self._names, self._dumps, strict=True):
            await self._redis.restore(name, 60_000, dump, replace=True)


@pytest.mark.parametrize("lost", [1, 2, 3])
@pytest.mark.parametrize("new", [1, 2, 3, 4, 5])
async def test_a_failover_that_lost_events_ends_who_had_seen_them(
    redis: Redis, chat: ChatId, lost: int, new: int
) -> None:
    """The new events take the old ones' numbers, and may reach and pass the last one sent."""
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await here.append(chat, "a", "b")
        await visitor.join()
        backup = Backup(redis, chat)
        await backup.take()
        gone = [f"gone {n}" for n in range(lost)]
        for key in gone:
            await here.append(chat, key)
        await visitor.read(until=gone[-1])

        await backup.take_over()
        for n in range(new):
            await here.append_and_wait(chat, f"new {n}")

        assert await visitor.closed() == NO_CONTINUITY
        assert visitor.keys == ["a", "b", *gone]


async def test_a_failover_during_which_nothing_was_heard_is_noticed_too(
    here: Station, chat: ChatId
) -> None:
    """The first event heard afterwards fits the last one's number, and used to be sent."""
    visitor = client(here, chat)
    await here.append(chat, "a")
    await visitor.join()
    backup = Backup(here.redis, chat)
    await backup.take()
    await here.append(chat, "gone")
    await visitor.read(until="gone")

    await backup.take_over()
    here.wire.loses = lambda _: True
    await here.append_and_wait(chat, "new")  # missed: its number was that of "gone"
    here.wire.loses = lambda _: False
    here.hub.resubscribed(chat)
    await here.append(chat, "next")

    assert await visitor.closed() == NO_CONTINUITY
    assert visitor.keys == ["a", "gone"]


async def test_a_failover_of_which_nothing_is_heard_is_noticed_by_comparing_the_ends(
    redis: Redis, chat: ChatId
) -> None:
    """The log is as long as before: only the key of its last event tells."""
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await here.append(chat, "a")
        await visitor.join()
        backup = Backup(redis, chat)
        await backup.take()
        await here.append(chat, "gone")
        await visitor.read(until="gone")

        here.wire.loses = lambda _: True
        await backup.take_over()
        await here.append(chat, "new")

        assert await visitor.closed() == NO_CONTINUITY


async def test_those_who_hold_more_than_the_log_do_not_keep_others_out(
    here: Station, chat: ChatId
) -> None:
    """Whoever came was sent away, again and again, until the logs' ends were compared."""
    old = client(here, chat)
    await here.append(chat, "a")
    await old.join()
    backup = Backup(here.redis, chat)
    await backup.take()
    await here.append(chat, "gone")
    await old.read(until="gone")
    await backup.take_over()

    with pytest.raises(ConnectionEnded):
        await client(here, chat).join()

    assert await old.closed() == NO_CONTINUITY
    new = client(here, chat)
    await new.join()
    assert new.keys == ["a"]


async def test_a_gap_on_the_way_in_is_not_filled_from_another_history(
    here: Station, chat: ChatId
) -> None:
    await here.append(chat, "a")
    backup = Backup(here.redis, chat)
    await backup.take()
    await here.append(chat, "gone")
    visitor = client(here, chat)
    here.hub.admit(visitor.connection)
    entrance = await visitor.enter()

    await backup.take_over()
    here.wire.loses = loses("new 1", "new 2")
    for n in (1, 2, 3):
        await here.append_and_wait(chat, f"new {n}")
    with pytest.raises(ConnectionEnded) as caught:
        await visitor.go_live(entrance)

    assert caught.value.close == NO_CONTINUITY


async def test_one_who_joins_across_a_failover_is_told_to_start_anew(
    here: Station, chat: ChatId
) -> None:
    await here.append(chat, "a")
    backup = Backup(here.redis, chat)
    await backup.take()
    await here.append(chat, "gone")
    visitor = client(here, chat)
    here.hub.admit(visitor.connection)
    entrance = await visitor.enter()

    await backup.take_over()
    await here.append_and_wait(chat, "new")
    with pytest.raises(ConnectionEnded) as caught:
        await visitor.go_live(entrance)

    assert caught.value.close == NO_CONTINUITY


async def test_one_chat_whose_keys_are_spoilt_holds_up_no_other(redis: Redis) -> None:
    """All logs are looked at together: one that could not be read once stopped it for all."""
    async with station(redis, **TICK) as here:
        spoilt, well = new_chat_id(), new_chat_id()
        one, other = client(here, spoilt), client(here, well)
        await one.join()
        await other.join()

        await redis.set(f"{{{spoilt}}}:meta", "no hash")
        here.wire.loses = loses("last")
        await here.append(well, "last")

        await other.read(until="last")
        assert one.connection.ended is None


async def test_a_log_that_cannot_be_read_any_more_ends_its_own_followers_only(
    redis: Redis,
) -> None:
    async with station(redis, **TICK) as here:
        spoilt, well = new_chat_id(), new_chat_id()
        one, other = client(here, spoilt), client(here, well)
        await here.append(spoilt, "a")
        await one.join()
        await other.join()

        await redis.set(f"{{{spoilt}}}:log", "no stream")
        await redis.hset(f"{{{spoilt}}}:meta", mapping={"offset": 2, "top": "b"})
        here.wire.loses = loses("last")
        await here.append(well, "last")

        await other.read(until="last")
        assert await one.closed() == NO_CONTINUITY
        assert other.connection.ended is None


async def test_logs_are_mended_when_redis_is_back_though_postgres_is_away_at_first(
    redis: Redis,
) -> None:
    """A failover lost what nobody here had heard: the log's end looked as it should."""
    async with station(redis) as here:
        visitor = client(here, chat := new_chat_id())
        await here.append(chat, "a")
        await visitor.join()
        asked: list[Sequence[ChatId]] = []

        async def mend(chats: Sequence[ChatId]) -> None:
            asked.append(chats)
            if len(asked) == 1:
                raise Unavailable("Postgres is away, too.")
            await here.log.renew(chat, sent=3)

        here.hub._mend = mend
        for connection in await redis.client_list(_type="pubsub"):
            await redis.client_kill_filter(_id=connection["id"])

        assert await visitor.closed() == NO_CONTINUITY
        assert asked == [[chat], [chat]]
