"""What happens to sockets by the clock: warnings, ends, and who is there."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from app.embedded.servers import Addresses
from app.sessions.types import Activity
from app.storage.postgres import Postgres
from tests.conftest import make_settings
from tests.sessions.rows import rows
from tests.sessions.test_routes import expire, path_of
from tests.support.client import Client
from tests.support.node import Node, running_node
from tests.support.proxy import proxied
from tests.support.scripted import NAME
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def warning(stores: Addresses, quick_watch: None) -> AsyncIterator[Node]:
    settings = make_settings(
        stores,
        sessions={"ttl_seconds": 2, "warn_seconds": 1, "slide_seconds": 0},
        liveness={"beat_seconds": 0.3, "ttl_seconds": 1},
    )
    async with running_node(settings) as node:
        yield node


async def state(client: Client, session: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await client.http.get(path_of(session))).json()
    return found


async def test_sockets_are_warned_before_their_session_ends_and_then_told(warning: Node) -> None:
    client = warning.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        code, _ = await socket.closed()

    assert code == 4004
    assert socket.types()[3:] == ["session_expiring", "session_ended"]
    expiring = socket.seen[3]
    assert expiring["expires_at"] == session["expires_at"]
    assert 0 <= expiring["seconds"] <= 1


async def test_an_extended_session_is_told_so_and_lives_on(warning: Node) -> None:
    client = warning.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        await socket.until("session_expiring")
        answer = await client.http.post(path_of(session, "/extend"))
        extended = await socket.until("session_extended")
        second = await socket.until("session_expiring")

    assert extended["expires_at"] == answer.json()["expires_at"] > session["expires_at"]
    assert second["expires_at"] == extended["expires_at"]


async def test_activity_alone_keeps_a_session_and_its_sockets(warning: Node) -> None:
    client = warning.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        await socket.ask("say:still")
        expiring = await socket.until("session_expiring")
        if expiring["expires_at"] == session["expires_at"]:  # looked at before it was written
            expiring = await socket.until("session_expiring")
        assert expiring["expires_at"] > session["expires_at"]
        assert "session_ended" not in socket.types()


async def test_a_query_after_the_end_is_refused_before_anybody_noticed_it(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        await expire(postgres, session)
        error = await socket.ask("say:too late")

    assert (error["type"], error["code"]) == ("error", "session_not_found")
    assert (
        await rows(postgres, "SELECT 1 FROM messages WHERE chat_id = :id", id=session["chat_id"])
        == []
    )


async def test_who_is_connected_can_be_read_and_is_gone_after_leaving(node: Node) -> None:
    client = node.client()
    session = await client.start()

    async with client.socket(session, hello={"tab": "a|b"}) as one:
        async with client.socket(session) as other:
            await other.until("live")
            await eventually(lambda: _count(client, session, 2))
            there = await state(client, session)
        await eventually(lambda: _count(client, session, 1))
        left = await state(client, session)
    await eventually(lambda: _count(client, session, 0))

    names = {socket.seen[0]["connection_id"]: tab for socket, tab in ((one, "a|b"), (other, None))}
    assert there["live"] is True
    assert {(one["connection_id"], one["node"], one["tab"]) for one in there["connections"]} == {
        (name, node.services.node, tab) for name, tab in names.items()
    }
    assert [one["tab"] for one in left["connections"]] == ["a|b"]
    assert (await state(client, session))["live"] is False


async def test_a_connection_that_says_late_which_tab_it_is_is_there_once(node: Node) -> None:
    """It was there with and without a tab, and only one of them left with it."""
    client = node.client()
    session = await client.start()

    async with client.socket(session) as socket:
        await socket.send("ping", id="p")  # it does not wait for a hello any longer
        await socket.until("live")
        await eventually(lambda: _count(client, session, 1))
        await socket.send("hello", tab="late")
        await socket.until("live")

        async def by_its_tab() -> bool:
            return [one["tab"] for one in (await state(client, session))["connections"]] == ["late"]

        await eventually(by_its_tab)
    await eventually(lambda: _count(client, session, 0))


async def _count(client: Client, session: dict[str, Any], wanted: int) -> bool:
    return len((await state(client, session))["connections"]) == wanted


async def test_a_connection_that_stays_is_believed_to_be_there_as_long(warning: Node) -> None:
    """Each word is good for one second here; the node repeats it."""
    client = warning.client()
    session = await client.start()
    async with client.socket(session, hello={"tab": "t"}) as socket:
        for _ in range(2):
            await socket.until("session_expiring")
            await client.http.post(path_of(session, "/extend"))

        assert [one["tab"] for one in (await state(client, session))["connections"]] == ["t"]


async def test_a_node_that_dies_is_not_believed_for_long(
    stores: Addresses, warning: Node, redis: Redis
) -> None:
    client = warning.client()
    session = await client.start()
    ghost = "conn_ghost|n_dead|tab"
    key = f"{{{session['session_id']}}}:live"
    seconds, micros = await redis.time()
    await redis.zadd(key, {ghost: seconds * 1_000 + micros // 1_000 + 700})

    assert (await state(client, session))["live"] is True
    await eventually(lambda: _count(client, session, 0))


async def test_a_session_that_ended_while_no_node_could_hear_it_ends_all_the_same(
    stores: Addresses, postgres: Postgres, quick_watch: None
) -> None:
    """The word of another node can be lost with Redis; nobody looked until the TTL ran out."""
    settings = make_settings(stores, liveness={"beat_seconds": 0.3, "ttl_seconds": 2})
    async with running_node(settings) as node:
        client = node.client()
        session = await client.start()
        async with client.socket(session, hello={}) as socket:
            await rows(
                postgres,
                "UPDATE sessions SET status = 'completed' WHERE session_id = :id",
                id=session["session_id"],
            )
            code, _ = await socket.closed()

    assert code == 4010
    assert socket.types()[-1] == "session_ended"


async def test_a_session_that_ended_is_found_to_have_even_without_redis(
    stores: Addresses, postgres: Postgres, quick_watch: None
) -> None:
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            liveness={"beat_seconds": 0.3, "ttl_seconds": 2},
            redis={"command_seconds": 0.5},
        )
        async with running_node(settings) as node:
            session = await node.client().start()
            async with node.client().socket(session, hello={"tab": "t"}) as socket:
                proxies.redis.stall()
                await rows(
                    postgres,
                    "UPDATE sessions SET status = 'completed' WHERE session_id = :id",
                    id=session["session_id"],
                )
                code, _ = await socket.closed()
            await proxies.redis.restore()

    assert code == 4010


async def test_pings_come_in_time_though_the_database_hangs(
    stores: Addresses, quick_watch: None
) -> None:
    """A look at the database held up the pings, and clients took the connection for dead."""
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            protocol={"heartbeat_seconds": 0.3, "pong_seconds": 60},
            liveness={"beat_seconds": 0.2, "ttl_seconds": 2},
            database={"connect_seconds": 5, "statement_seconds": 5},
        )
        async with running_node(settings) as node:
            session = await node.client().start()
            async with node.client().socket(session, hello={}) as socket:
                proxies.postgres.stall()
                async with asyncio.timeout(4):
                    for _ in range(4):
                        while json.loads(await socket.raw.recv())["type"] != "ping":
                            pass
                        await socket.send("pong")
                await proxies.postgres.restore()


async def test_counting_activity_does_not_wait_for_the_database(node: Node) -> None:
    session = await node.client().start()

    node.services.sessions.note(Activity(session["session_id"], requests=1))
