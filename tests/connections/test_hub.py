"""The hub on a real log: nobody misses anything, and whoever might have is told to start anew."""

import pytest
from redis.asyncio import Redis

from app.connections import hub as module
from app.embedded.servers import Addresses
from app.events.log import Publication
from app.kit.ids import ChatId, new_chat_id, new_session_id
from app.protocol.close import NO_CONTINUITY, ConnectionEnded
from app.protocol.frames import Position
from app.protocol.replay import Reason
from app.settings import RedisSettings
from app.storage.redis import connect
from tests.connections.scene import TICK, Station, client, loses, new_connection, station
from tests.events.scene import outgoing
from tests.support.proxy import proxied
from tests.support.until import until


async def test_a_first_visitor_gets_a_snapshot_and_what_follows(
    here: Station, chat: ChatId
) -> None:
    await here.append(chat, "a", "b")
    visitor = client(here, chat)

    await visitor.join()
    await here.append(chat, "c")
    await visitor.read(until="c")

    assert visitor.reason == Reason.FIRST
    assert visitor.keys == ["a", "b", "c"]
    assert [frame["type"] for frame in visitor.frames[:2]] == ["welcome", "live"]


async def test_one_who_comes_back_gets_what_was_missed_marked_as_replayed(
    here: Station, chat: ChatId
) -> None:
    visitor = client(here, chat)
    await visitor.join()
    await here.append(chat, "a")
    await visitor.read(until="a")
    here.hub.leave(visitor.connection)
    await here.append(chat, "b", "c")

    again = client(here, chat)
    again.keys, again.offset = visitor.keys, visitor.offset
    await again.join(visitor.position)
    await here.append(chat, "d")
    await again.read(until="d")

    assert again.reason is None
    assert again.keys == ["a", "b", "c", "d"]
    assert [frame.get("replayed") for frame in again.frames] == [None, True, True, None, None]
    assert again.frames[0] == {"type": "welcome", "replay": 2}


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (Position(epoch="other", offset=1, key="a"), Reason.EPOCH),
        (Position(epoch="", offset=9, key="i"), Reason.AHEAD),
        (Position(epoch="", offset=2**53 - 1, key="i"), Reason.AHEAD),
        (Position(epoch="", offset=2, key="other"), Reason.REWOUND),
        (Position(epoch="", offset=1), Reason.REWOUND),
    ],
)
async def test_one_whose_history_is_not_this_one_gets_a_snapshot(
    here: Station, chat: ChatId, position: Position, reason: Reason
) -> None:
    await here.append(chat, "a", "b", "c")
    epoch = (await here.log.read(chat)).top.epoch
    visitor = client(here, chat)

    await visitor.join(position.model_copy(update={"epoch": position.epoch or epoch}))

    assert visitor.reason == reason
    assert visitor.keys == ["a", "b", "c"]


async def test_too_many_missed_events_or_bytes_are_answered_with_a_snapshot(
    redis: Redis, chat: ChatId
) -> None:
    async with station(redis, replay_events=3, replay_bytes=2_000) as here:
        await here.append(chat, "a", "b", "c", "d")
        epoch = (await here.log.read(chat)).top.epoch
        near = client(here, chat)
        near.keys, near.offset = ["a"], 1
        await near.join(Position(epoch=epoch, offset=1, key="a"))
        far = client(here, chat)
        await far.join(Position(epoch=epoch, offset=0))
        await here.append(chat, "x" * 3_000)
        heavy = client(here, chat)
        await heavy.join(Position(epoch=epoch, offset=4, key="d"))

    assert (near.reason, far.reason, heavy.reason) == (None, Reason.TOO_FAR, Reason.TOO_FAR)


async def test_ones_own_large_event_does_not_keep_one_from_continuing(
    redis: Redis, chat: ChatId
) -> None:
    async with station(redis, replay_bytes=2_000) as here:
        await here.log.append(chat, [outgoing("a", size=3_000), outgoing("b")])
        epoch = (await here.log.read(chat)).top.epoch
        visitor = client(here, chat)
        visitor.keys, visitor.offset = ["a"], 1

        await visitor.join(Position(epoch=epoch, offset=1, key="a"))
        await visitor.read(until="b")

    assert visitor.reason is None


async def test_what_arrives_between_the_reading_and_going_live_is_not_lost(
    here: Station, chat: ChatId
) -> None:
    await here.append(chat, "a")
    visitor = client(here, chat)
    here.hub.admit(visitor.connection)

    entrance = await visitor.enter()
    await here.append_and_wait(chat, "b")
    await here.append_and_wait(chat, "c", "d")
    await visitor.go_live(entrance)
    await here.append(chat, "e")
    await visitor.read(until="e")

    assert visitor.keys == ["a", "b", "c", "d", "e"]


async def test_what_was_lost_while_somebody_joined_is_read_again(
    here: Station, chat: ChatId
) -> None:
    await here.append(chat, "a")
    visitor = client(here, chat)
    here.hub.admit(visitor.connection)
    here.wire.loses = loses("b")

    entrance = await visitor.enter()
    await here.append_and_wait(chat, "b")
    await here.append_and_wait(chat, "c")
    await visitor.go_live(entrance)

    visitor.read_waiting()
    assert visitor.keys == ["a", "b", "c"]


async def test_one_who_joins_a_chat_whose_gap_was_just_filled_gets_that_event_too(
    here: Station, chat: ChatId
) -> None:
    """It was sent to the members from the log, and published to nobody: one who had read the
    log before never got it, and no gap and no comparison of ends ever showed it.
    """
    await here.append(chat, "a")
    member, visitor = client(here, chat), client(here, chat)
    await member.join()
    here.hub.admit(visitor.connection)
    entrance = await visitor.enter()
    here.wire.loses = loses("b")
    await here.append_and_wait(chat, "b")
    here.hub.resubscribed(chat)
    await member.read(until="b")

    await visitor.go_live(entrance)

    visitor.read_waiting()
    assert visitor.keys == ["a", "b"]


async def test_a_lost_event_is_filled_in_when_the_next_one_shows_the_gap(
    here: Station, chat: ChatId
) -> None:
    visitor = client(here, chat)
    await visitor.join()
    here.wire.loses = loses("b", "e")

    for key in "abcdefg":
        await here.append(chat, key)
    await visitor.read(until="g")

    assert visitor.keys == list("abcdefg")


async def test_after_a_gap_was_filled_events_cost_no_more_reads(
    here: Station, chat: ChatId
) -> None:
    visitor = client(here, chat)
    await visitor.join()
    here.wire.loses = loses("b")
    for key in "abc":
        await here.append(chat, key)
    await visitor.read(until="c")
    reads = here.log.reads

    for n in range(100):
        await here.append(chat, f"d{n}")
    await visitor.read(until="d99")

    assert here.log.reads == reads
    assert visitor.connection.ended is None


async def test_a_lost_last_event_is_found_by_comparing_the_ends(redis: Redis, chat: ChatId) -> None:
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await visitor.join()
        here.wire.loses = loses("b")

        await here.append(chat, "a")
        await here.append(chat, "b")
        await visitor.read(until="b")

        assert visitor.keys == ["a", "b"]


async def test_a_quiet_chat_is_compared_without_being_read(redis: Redis, chat: ChatId) -> None:
    async with station(redis, **TICK) as here:
        visitor = client(here, chat)
        await visitor.join()
        await here.append(chat, "a")
        await visitor.read(until="a")
        feed = here.hub._feeds[chat]
        checked, reads = feed.checked_at, here.log.reads

        await until(lambda: feed.checked_at > checked)

        assert here.log.reads == reads


async def test_a_killed_subscription_loses_nothing(here: Station, chat: ChatId) -> None:
    visitor = client(here, chat)
    await visitor.join()

    for n in range(5):
        await here.append(chat, f"{n}a")
        await here.redis.client_kill_filter(_type="pubsub")
        await here.append(chat, f"{n}b")
        await visitor.read(until=f"{n}b")

    assert visitor.keys == [f"{n}{part}" for n in range(5) for part in "ab"]


async def test_more_than_one_reading_is_missed_and_still_filled_in(
    redis: Redis, chat: ChatId
) -> None:
    async with station(redis, replay_events=10) as here:
        visitor = client(here, chat)
        await visitor.join()
        here.wire.loses = lambda _: True

        keys = [str(n) for n in range(55)]
        for key in keys:
            await here.append_and_wait(chat, key)
        here.hub.resubscribed(chat)
        await visitor.read(until=keys[-1])

        assert visitor.keys == keys


async def test_one_who_was_ended_on_the_way_in_does_not_come_in(
    here: Station, chat: ChatId
) -> None:
    visitor = client(here, chat)
    here.hub.admit(visitor.connection)
    entrance = await visitor.enter()

    visitor.connection.end(NO_CONTINUITY)
    with pytest.raises(ConnectionEnded):
        await visitor.go_live(entrance)

    assert here.hub._feeds[chat].members == set()


async def test_a_hello_that_comes_late_begins_anew(here: Station, chat: ChatId) -> None:
    await here.append(chat, "a")
    visitor = client(here, chat)
    await visitor.join()
    visitor.read_waiting()

    await visitor.go_live(await visitor.enter(visitor.position))
    await here.append(chat, "b")
    await visitor.read(until="b")

    assert visitor.reason is None
    assert visitor.keys == ["a", "b"]
    assert len(here.hub._feeds[chat].members) == here.hub.count == 1


async def test_tabs_of_one_session_are_known_together(here: Station, chat: ChatId) -> None:
    session_id = new_session_id()
    tabs = [new_connection(chat, session_id=session_id) for _ in range(3)]
    for tab in tabs:
        here.hub.admit(tab)

    here.hub.leave(tabs[0])
    here.hub.leave(tabs[0])

    assert here.hub.of_session(session_id) == set(tabs[1:])
    assert here.hub.of_session(new_session_id()) == set()
    assert (here.hub.count, set(here.hub)) == (2, set(tabs[1:]))
    assert here.hub.sessions == {session_id: set(tabs[1:])}


async def test_nothing_is_left_of_those_who_left(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINGER_SECONDS", 0)
    async with station(redis) as here:
        visitors = [client(here, new_chat_id()) for _ in range(20)]
        for visitor in visitors:
            await visitor.join()
        half = [client(here, new_chat_id()) for _ in range(5)]
        for one in half:  # these never get as far as being live
            here.hub.admit(one.connection)
            await one.enter()

        for one in visitors + half:
            here.hub.leave(one.connection)

        await until(lambda: here.hub._feeds == {})
        assert (here.hub.count, here.hub.sessions) == (0, {})
        assert here.follower._confirmed == {}


async def test_a_chat_is_followed_a_little_longer_than_it_is_watched(
    here: Station, chat: ChatId
) -> None:
    first = client(here, chat)
    await first.join()
    here.hub.leave(first.connection)
    here.hub._let_go()

    second = client(here, chat)
    await second.join()
    await here.append(chat, "a")
    await second.read(until="a")

    assert second.keys == ["a"]


async def test_events_of_a_chat_nobody_follows_are_nothing(here: Station, chat: ChatId) -> None:
    here.hub.deliver(chat, Publication("e", 1, [b"{}"]))
    here.hub.resubscribed(chat)

    assert here.hub._feeds == {}


async def test_a_store_that_goes_away_and_comes_back_costs_no_event(
    stores: Addresses, chat: ChatId
) -> None:
    async with proxied(stores) as proxies:
        near = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.3))
        far = connect(stores.redis_url, RedisSettings())
        async with station(near) as here, station(far) as there:
            visitor = client(here, chat)
            await visitor.join()
            await there.append(chat, "a")
            await visitor.read(until="a")

            await proxies.redis.cut()
            for key in "bcd":
                await there.append(chat, key)
            await proxies.redis.restore()
            await visitor.read(until="d")

            assert visitor.keys == list("abcd")
        await near.aclose()
        await far.aclose()
