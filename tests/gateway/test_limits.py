"""Limits hold on all nodes together, say when to come back, and touch nobody else."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.embedded.servers import Addresses
from app.runs.errors import TooManyRuns
from tests.auth.scene import registered
from tests.conftest import make_settings
from tests.sessions.test_routes import path_of
from tests.support.client import Client, Event, Socket
from tests.support.limits import UNLIMITED, new_address
from tests.support.node import Node, running_node
from tests.support.proxy import proxied
from tests.support.scripted import GATES, NAME
from tests.support.valkey_cluster import running_cluster
from tests.support.waiting import eventually

LIMITS = {
    "starts": "3/2 seconds",
    "handshakes": "30/2 seconds",
    "queries": "3/2 seconds",
    "anonymous_queries": "2/2 seconds",
    "sockets_per_user": 2,
    "sockets_per_address": 3,
    "runs_per_user": 2,
}


@dataclass
class Nodes:
    one: Node
    other: Node


@contextlib.asynccontextmanager
async def two_nodes(stores: Addresses, **given: Any) -> AsyncIterator[Nodes]:
    settings = make_settings(stores, limits=LIMITS, connections={"per_session": 2}, **given)
    async with running_node(settings) as one, running_node(settings) as other:
        yield Nodes(one, other)


@pytest.fixture(scope="module")
async def nodes(stores: Addresses) -> AsyncIterator[Nodes]:
    async with two_nodes(stores) as nodes:
        yield nodes


def somebody(node: Node, address: dict[str, str] | None = None) -> Client:
    """Return a browser at an address of its own, or at this one."""
    client = node.client()
    client.http.headers.update(address or new_address())
    return client


def headers_of(client: Client) -> dict[str, str]:
    """Return what a browser sends with a handshake."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
    return {"x-forwarded-for": client.http.headers["x-forwarded-for"], "cookie": cookies}


@contextlib.asynccontextmanager
async def opened(
    client: Client, session: Any, *, node: Node | None = None, tab: str | None = None
) -> AsyncIterator[Socket]:
    """Open a browser's socket, at its own node or at another."""
    where = node.client() if node is not None else client
    async with where.socket(session, additional_headers=headers_of(client)) as socket:
        await socket.send("hello", tab=tab or uuid.uuid4().hex)
        yield socket


async def is_refused(client: Client, session: Any, **options: Any) -> bool:
    """Whether a socket is closed because there are too many; it is closed in any case."""
    async with opened(client, session, **options) as socket:
        try:
            await socket.until("live")
        except ConnectionClosed:
            assert socket.raw.close_code == 4029
            return True
        return False


async def refused_handshake(client: Client, node: Node) -> tuple[int, dict[str, str], Any] | None:
    address = node.url.replace("http", "ws") + f"/ws/session-{uuid.uuid4()}"
    try:
        async with connect(address, additional_headers=headers_of(client)) as socket:
            await socket.wait_closed()
    except InvalidStatus as refusal:
        answer = refusal.response
        return answer.status_code, dict(answer.headers), json.loads(answer.body or b"")
    return None


async def test_sessions_started_from_one_address(nodes: Nodes) -> None:
    here = somebody(nodes.one)
    there = somebody(nodes.other, {"x-forwarded-for": here.http.headers["x-forwarded-for"]})
    for client in (here, there, here):
        await client.start()

    answer = await there.http.post("/chat/start")

    assert answer.status_code == 429
    error = answer.json()["error"]
    assert error["code"] == "rate_limited"
    assert 0 < error["retry_after_ms"] <= 2_001
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    await somebody(nodes.other).start()
    await asyncio.sleep(error["retry_after_ms"] / 1_000)
    await there.start()


async def test_all_addresses_of_one_ipv6_network_are_one(nodes: Nodes) -> None:
    network = f"2001:db8:{uuid.uuid4().hex[:4]}:1"
    client = nodes.one.client()
    for number in range(3):
        client.http.headers["x-forwarded-for"] = f"{network}::{number}"
        await client.start()

    client.http.headers["x-forwarded-for"] = f"{network}:9:9:9:9"

    assert (await client.http.post("/chat/start")).status_code == 429


async def test_handshakes_from_one_address_are_refused_before_they_are_accepted(
    nodes: Nodes,
) -> None:
    client = somebody(nodes.one)
    for number in range(30):
        node = nodes.one if number % 2 else nodes.other
        assert await refused_handshake(client, node) is None

    refusal = await refused_handshake(client, nodes.other)

    assert refusal is not None
    status, headers, body = refusal
    assert status == 429
    assert body["error"]["code"] == "rate_limited"
    assert 1 <= int(headers["retry-after"]) <= 3
    assert await refused_handshake(somebody(nodes.other), nodes.other) is None
    await asyncio.sleep(body["error"]["retry_after_ms"] / 1_000)
    assert await refused_handshake(client, nodes.other) is None


async def asked(socket: Socket, text: str = "say:hello") -> Event:
    return await socket.ask(text)


@pytest.mark.parametrize(("has_account", "allowed"), [(False, 2), (True, 3)], ids=str)
async def test_messages_of_one_person(nodes: Nodes, has_account: bool, allowed: int) -> None:
    client = (await registered(nodes.one))[0] if has_account else nodes.one.client()
    client.http.headers.update(new_address())
    session = await client.start(agent=NAME)
    stranger = somebody(nodes.other)
    async with (
        opened(client, session) as here,
        opened(client, session, node=nodes.other) as there,
        opened(stranger, await stranger.start(agent=NAME)) as other,
    ):
        for number in range(allowed):
            assert (await asked(here if number % 2 else there))["type"] == "ack"

        error = await asked(here)

        assert (error["code"], error["temporary"]) == ("rate_limited", True)
        assert 0 < error["retry_after_ms"] <= 2_001
        assert (await asked(there))["code"] == "rate_limited"
        assert (await asked(other))["type"] == "ack"
        await asyncio.sleep(error["retry_after_ms"] / 1_000)
        assert (await asked(here))["type"] == "ack"  # it lives


async def test_sockets_of_one_address(nodes: Nodes) -> None:
    client = somebody(nodes.one)
    neighbours = [somebody(nodes.one, dict(client.http.headers)) for _ in range(2)]
    mine, *theirs = [await one.start() for one in (client, *neighbours)]
    async with contextlib.AsyncExitStack() as stack:
        for who, session in zip(neighbours, theirs, strict=True):
            socket = await stack.enter_async_context(opened(who, session, node=nodes.other))
            await socket.until("live")
        async with opened(client, mine) as socket:
            await socket.until("live")

            assert await is_refused(client, mine)

            far = somebody(nodes.one)
            assert not await is_refused(far, await far.start())

        async def has_room() -> bool:
            return not await is_refused(client, mine)

        await eventually(has_room)


async def test_sockets_of_one_user(nodes: Nodes) -> None:
    client, _ = await registered(nodes.one)
    client.http.headers.update(new_address())
    sessions = [await client.start() for _ in range(3)]
    async with (
        opened(client, sessions[0]) as first,
        opened(client, sessions[1], node=nodes.other) as second,
    ):
        for socket in (first, second):
            await socket.until("live")
        client.http.headers.update(new_address())

        assert await is_refused(client, sessions[2], node=nodes.other)

        anonymous = somebody(nodes.other)
        assert not await is_refused(anonymous, await anonymous.start())


async def test_a_tab_that_comes_back_before_its_loss_was_noticed_is_no_second_socket(
    nodes: Nodes,
) -> None:
    client, _ = await registered(nodes.one)
    client.http.headers.update(new_address())
    session = await client.start()
    async with opened(client, session, tab="a") as a, opened(client, session, tab="b") as b:
        for socket in (a, b):
            await socket.until("live")

        for tab in ("a", "b"):
            assert not await is_refused(client, session, node=nodes.other, tab=tab)


async def test_tabs_of_one_session(nodes: Nodes) -> None:
    client = somebody(nodes.one)
    session = await client.start()
    async with opened(client, session, tab="a") as a, opened(client, session, tab="b") as b:
        for socket in (a, b):
            await socket.until("live")

        async def both_are_known() -> bool:
            state = (await client.http.get(path_of(session))).json()
            return len(state["connections"]) == 2

        await eventually(both_are_known)

        assert await is_refused(client, session, node=nodes.other, tab="c")


async def test_chats_of_one_user_that_are_answered_at_once(nodes: Nodes) -> None:
    client, _ = await registered(nodes.one)
    gates = [uuid.uuid4().hex for _ in range(2)]
    runs, sessions = nodes.one.services.runs, nodes.one.services.sessions
    started = []
    for _ in range(3):
        client.http.headers.update(new_address())
        started.append((await client.start(agent=NAME))["session_id"])
    first, second, third = [await sessions.get(one) for one in started]
    for session, gate in zip((first, second), gates, strict=True):
        await runs.accept(session, f"wait:{gate}")
        await GATES.wait_until_reached(gate)

    client.http.headers.update(new_address())
    async with opened(client, started[2], node=nodes.other) as socket:
        error = await asked(socket)

        assert (error["code"], error["temporary"]) == ("too_many_runs", True)
        assert error["retry_after_ms"] > 0
        await runs.accept(first, "say:queued")  # in a chat that is being answered
        stranger, _ = await registered(nodes.other)
        stranger.http.headers.update(new_address())
        async with opened(stranger, await stranger.start(agent=NAME)) as other:
            assert (await asked(other))["type"] == "ack"
        GATES.open(gates[1])

        async def has_room() -> bool:
            with contextlib.suppress(TooManyRuns):
                await runs.accept(third, "say:hello")
                return True
            return False

        await eventually(has_room)
    GATES.open(gates[0])


async def test_without_redis_sessions_start_and_messages_are_taken(stores: Addresses) -> None:
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses, limits={**UNLIMITED, "starts": "1/minute", "queries": "1/minute"}
        )
        async with running_node(settings) as node:
            client = somebody(node)
            await client.start()
            assert (await client.http.post("/chat/start")).status_code == 429
            stranger = somebody(node)

            await proxies.redis.cut()

            await stranger.start()
            session = await stranger.start(agent=NAME)
            found = await node.services.sessions.get(session["session_id"])
            await node.services.rates.count("queries", "1")
            await node.services.runs.accept(found, "say:hello")
            await proxies.restore()


async def test_on_a_redis_cluster(stores: Addresses) -> None:
    async with (
        running_cluster() as cluster,
        two_nodes(Addresses(stores.database_url, cluster.url)) as nodes,
    ):
        await test_sessions_started_from_one_address(nodes)
        await test_messages_of_one_person(nodes, has_account=True, allowed=3)
        await test_sockets_of_one_address(nodes)
        await test_sockets_of_one_user(nodes)
        await test_tabs_of_one_session(nodes)
