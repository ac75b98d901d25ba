"""Heartbeats: who is believed to be there, for how long, and what is left afterwards."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.kit.ids import ConnectionId, NodeId, SessionId, new_connection_id, new_node_id
from app.kit.ids import new_session_id as new_session
from app.liveness.store import LivenessStore, Presence
from app.settings import LivenessSettings, RedisSettings
from app.storage.redis import connect
from tests.support.until import until

BRIEF = LivenessSettings(beat_seconds=0.05, ttl_seconds=0.15)


def store(redis: Redis, settings: LivenessSettings | None = None) -> LivenessStore:
    return LivenessStore(redis, settings or LivenessSettings(), new_node_id())


def tabs(*names: str | None) -> list[tuple[ConnectionId, str | None]]:
    return [(new_connection_id(), name) for name in names]


async def test_every_connection_of_every_node_is_there(redis: Redis) -> None:
    one, other = store(redis), store(redis)
    session, elsewhere = new_session(), new_session()
    here, there = tabs("a", None), tabs("a|b")

    await one.beat({session: here, elsewhere: tabs("x")})
    await other.beat({session: there})

    assert set(await other.present(session)) == {
        Presence(here[0][0], one._node, "a"),
        Presence(here[1][0], one._node, None),
        Presence(there[0][0], other._node, "a|b"),
    }
    assert len(await one.present(elsewhere)) == 1
    assert await one.present(new_session()) == []


async def test_nodes_are_there_even_without_sessions(redis: Redis) -> None:
    one, other = store(redis), store(redis)

    await one.beat({})
    await other.beat({})

    assert {one._node, other._node} <= set(await one.nodes())


async def test_a_connection_that_left_is_gone_in_a_moment(redis: Redis) -> None:
    liveness, session = store(redis), new_session()
    connections = tabs("a", "b")
    await liveness.beat({session: connections})

    liveness.left(session, *connections[0])
    liveness.left(session, *connections[0])
    await liveness.changes.flush()

    assert [one.tab for one in await liveness.present(session)] == ["b"]


async def test_a_connection_that_arrives_is_there_in_a_moment(redis: Redis) -> None:
    liveness, session = store(redis), new_session()
    [(connection, tab)] = tabs("a")

    liveness.arrived(session, connection, tab)
    await liveness.changes.flush()

    assert await liveness.present(session) == [Presence(connection, liveness._node, tab)]


async def test_one_that_arrives_and_leaves_is_gone(redis: Redis) -> None:
    liveness, session = store(redis), new_session()
    [connection] = tabs("a")

    liveness.arrived(session, *connection)
    liveness.left(session, *connection)
    await liveness.changes.flush()

    assert await liveness.present(session) == []


async def test_a_tab_learns_once_on_another_node_why_it_was_closed(redis: Redis) -> None:
    one, other, session = store(redis), store(redis), new_session()
    await one.beat({session: tabs("a", "b")})

    await one.closed(session, "a", 4109)

    there = await one.present(session)
    assert await other.returned(session, "b") == (None, there)
    assert await other.returned(session, "a") == (4109, there)
    assert (await other.returned(session, "a"))[0] is None
    assert (await one.returned(session, "a"))[1] == []  # its own are no other node's


async def test_a_node_that_leaves_is_gone_at_once(redis: Redis) -> None:
    liveness = store(redis)
    await liveness.beat({})

    await liveness.forget_node()

    assert liveness._node not in await liveness.nodes()


async def test_nobody_is_believed_for_longer_than_they_said(redis: Redis) -> None:
    liveness, session = store(redis, BRIEF), new_session()
    await liveness.beat({session: tabs("a")})
    assert len(await liveness.present(session)) == 1

    async def nobody() -> bool:
        return await liveness.present(session) == []

    await until(nobody, seconds=2)
    assert liveness._node not in await liveness.nodes()


async def test_one_who_goes_on_beating_stays_while_another_lapses(redis: Redis) -> None:
    liveness, session = store(redis, BRIEF), new_session()
    stays, lapses = tabs("stays"), tabs("lapses")
    await liveness.beat({session: stays + lapses})

    async def only_one() -> bool:
        await liveness.beat({session: stays})
        return [one.tab for one in await liveness.present(session)] == ["stays"]

    await until(only_one, seconds=2)


async def test_one_who_lapsed_is_not_believed_behind_one_who_is(redis: Redis) -> None:
    """The key outlives its members: it is kept for the one that is believed longest."""
    brief, session = store(redis, BRIEF), new_session()
    await brief.beat({session: tabs("lapses")})
    await store(redis).beat({session: tabs("stays")})

    async def only_one() -> bool:
        return [one.tab for one in await brief.present(session)] == ["stays"]

    await until(only_one, seconds=2)


async def test_who_executes_runs_is_known_apart_from_who_serves_only(redis: Redis) -> None:
    worker, server = (
        store(redis),
        LivenessStore(redis, LivenessSettings(), new_node_id(), executes=False),
    )
    await worker.beat({})
    await server.beat({})

    nodes, workers = await worker.nodes(), await worker.workers()
    await worker.forget_node()

    assert {worker._node, server._node} <= set(nodes)
    assert worker._node in workers
    assert server._node not in workers
    assert worker._node not in {*await worker.workers(), *await worker.nodes()}


async def test_a_client_without_a_socket_can_be_there(redis: Redis) -> None:
    liveness, session = store(redis), new_session()

    await liveness.beat_client(session)
    await liveness.beat_client(session)

    assert await liveness.present(session) == [Presence(ConnectionId("http"), liveness._node, None)]


async def test_every_key_goes_away_by_itself(redis: Redis) -> None:
    liveness, session = store(redis, BRIEF), new_session()
    await liveness.beat({session: tabs("a", "b")})
    await liveness.beat_client(session)

    left = await redis.pttl(f"{{{session}}}:live")

    assert 0 < left <= 150
    assert await redis.pttl("colloquy:nodes") > 0


async def test_nothing_is_kept_of_those_who_lapsed(redis: Redis) -> None:
    liveness, session = store(redis, BRIEF), new_session()
    for _ in range(20):
        await liveness.beat({session: tabs("a")})
    members = f"{{{session}}}:live"

    async def only_the_newest() -> bool:
        await liveness.beat({session: []})
        return await redis.zcard(members) == 0

    await until(only_the_newest, seconds=2)


async def test_thousands_of_sessions_beat_at_once(redis: Redis) -> None:
    liveness = store(redis)
    sessions: dict[SessionId, list[tuple[ConnectionId, str | None]]] = {
        new_session(): tabs("a") for _ in range(1_201)
    }

    await liveness.beat(sessions)

    present = await asyncio.gather(*map(liveness.present, sessions))
    assert [[one.connection_id for one in found] for found in present] == [
        [connections[0][0]] for connections in sessions.values()
    ]


async def test_the_sessions_that_have_a_connection_are_found_among_many(redis: Redis) -> None:
    one, other = store(redis), store(redis)
    here, there, nowhere = new_session(), new_session(), new_session()
    await one.beat({here: tabs("a")})
    await other.beat({there: tabs("b")})

    assert await one.live_among([nowhere, here, there]) == {here, there}
    assert await one.live_among([]) == set()


async def test_a_store_that_is_away_is_unavailable(stores: Addresses) -> None:
    away = connect("unix:///nowhere/at/all.sock", RedisSettings(command_seconds=0.3))
    liveness = LivenessStore(away, LivenessSettings(), NodeId("n"))
    session = new_session()

    for attempt in (
        liveness.beat({session: []}),
        liveness.beat_client(session),
        liveness.closed(session, "t", 4109),
        liveness.returned(session, "t"),
        liveness.present(session),
        liveness.live_among([session]),
        liveness.nodes(),
        liveness.forget_node(),
    ):
        with pytest.raises(Unavailable):
            await attempt
    await away.aclose()


async def test_a_seat_is_one_for_all_nodes_and_free_again_in_a_moment(redis: Redis) -> None:
    one, other, whose = store(redis), store(redis), new_session()
    first, second = new_connection_id(), new_connection_id()

    seat = await one.sit(whose, first, stands_for="a", seats=1)
    refused = await other.sit(whose, second, stands_for="b", seats=1)

    assert seat is not None
    assert refused is None
    one.stand_up([seat])
    await one.changes.flush()
    assert await other.sit(whose, second, stands_for="b", seats=1)


async def test_what_stands_for_the_same_shares_a_seat(redis: Redis) -> None:
    """A node that is killed says nothing: its tabs come back before their seats are free."""
    dead, other, whose = store(redis), store(redis), new_session()

    for tab in ("a|1", "b"):
        assert await dead.sit(whose, new_connection_id(), stands_for=tab, seats=2)

    for tab in ("a|1", "b"):
        assert await other.sit(whose, new_connection_id(), stands_for=tab, seats=2)
    assert await other.sit(whose, new_connection_id(), stands_for="c", seats=2) is None


async def test_a_connection_that_says_late_what_it_stands_for_has_one_seat(redis: Redis) -> None:
    liveness, whose, connection = store(redis), new_session(), new_connection_id()

    assert await liveness.sit(whose, connection, stands_for=connection, seats=1)

    assert await liveness.sit(whose, connection, stands_for="tab", seats=1)


async def test_a_seat_is_kept_by_heartbeats_and_by_nothing_else(redis: Redis) -> None:
    liveness, whose = store(redis, BRIEF), new_session()
    seat = await liveness.sit(whose, new_connection_id(), stands_for="a", seats=1)
    assert seat is not None

    async def is_free() -> bool:
        return await liveness.sit(whose, new_connection_id(), stands_for="b", seats=1) is not None

    for _ in range(10):
        await liveness.beat_seats([seat])
        assert not await is_free()
        await asyncio.sleep(0.03)
    await until(is_free)
