"""A client that does not read harms nobody but itself, and is let go of."""

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from app.agents.types import Agent
from app.connections.connection import Connection
from app.embedded.servers import Addresses
from tests.conftest import make_settings
from tests.gateway.by_hand import upgraded
from tests.support.client import Client
from tests.support.node import Node, running_node
from tests.support.raw import Op, frame
from tests.support.scripted import scripted_agent
from tests.support.waiting import eventually

FLOOD_EVENTS, FLOOD_BYTES = 200, 50_000  # 10 MB, far more than all buffers on the way
DRIP_BYTES = 1_000
ENOUGH = asyncio.Event()
QUEUE_BYTES = 262_144


class State(TypedDict, total=False):
    done: bool


async def flood(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    for number in range(FLOOD_EVENTS):
        runtime.stream_writer({"name": f"wave{number}", "payload": {"x": "x" * FLOOD_BYTES}})
        await asyncio.sleep(0.005)
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "done"}})
    return {"done": True}


async def drip(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    while not ENOUGH.is_set():
        runtime.stream_writer({"name": "drop", "payload": {"x": "x" * DRIP_BYTES}})
        await asyncio.sleep(0.02)
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "done"}})
    return {"done": True}


async def preach(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    for _ in range(10):
        words = {"text": "x" * (QUEUE_BYTES // 8)}
        runtime.stream_writer({"name": "message_delta", "payload": words})
    return {"done": True}


def agent(work: Any) -> Agent:
    graph = StateGraph(State)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    return Agent(work.__name__, "Says far too much.", graph.compile(), closing_node="work")


@pytest.fixture(scope="module")
async def narrow(stores: Addresses, quick_watch: None) -> AsyncIterator[Node]:
    settings = make_settings(
        stores,
        connections={
            "queue_bytes": QUEUE_BYTES,
            "send_seconds": 0.5,
            "close_seconds": 0.3,
        },
        protocol={"heartbeat_seconds": 0.3, "pong_seconds": 0.5},
    )
    agents = [scripted_agent(), *map(agent, (flood, drip, preach))]
    async with running_node(settings, agents=agents) as node:
        yield node


@contextlib.asynccontextmanager
async def deaf(client: Client, session: dict[str, Any], **hello: Any) -> AsyncIterator[int]:
    """Say hello and never read a frame; gives the client's port."""
    async with upgraded(client, session, receive_bytes=4_096) as raw:
        greeting = frame(Op.TEXT, json.dumps({"type": "hello", **hello}).encode())
        await asyncio.get_running_loop().sock_sendall(raw, greeting)
        yield raw.getsockname()[1]


def serving(port: int) -> asyncio.Transport | None:
    """Return the server's transport of a client's port, until its socket is closed."""
    # by type: `isinstance` would touch what weak references no longer lead to
    transports: list[asyncio.Transport] = [
        one for one in gc.get_objects() if issubclass(type(one), asyncio.Transport)
    ]
    for one in transports:
        peer, sock = one.get_extra_info("peername"), one.get_extra_info("socket")
        if sock is not None and peer and peer[1] == port and sock.fileno() != -1:
            return one
    return None


async def admitted(node: Node, session: dict[str, Any], tab: str) -> Connection:
    async def look() -> Connection | None:
        siblings = node.services.hub.of_session(session["session_id"])
        return next((one for one in siblings if one.tab == tab), None)

    found = await eventually(look)
    assert found is not None
    return found


async def test_a_client_that_never_reads_is_dropped_and_the_others_miss_nothing(
    narrow: Node,
) -> None:
    client = narrow.client()
    session = await client.start(agent="flood")
    most_queued = most_buffered = 0
    async with (
        deaf(client, session, tab="deaf") as port,
        client.socket(session, hello={"tab": "good"}) as good,
    ):
        connection = await admitted(narrow, session, "deaf")
        transport = serving(port)
        assert transport is not None
        await good.send("query", query="flood")
        waves = 0
        while (event := await good.receive())["type"] != "run_completed":
            waves += event["type"] == "custom"
            most_queued = max(most_queued, connection._bytes)
            most_buffered = max(most_buffered, transport.get_write_buffer_size())

        assert waves == FLOOD_EVENTS
        assert connection.ended is not None
        assert connection.ended.code == 4109
        assert most_queued <= QUEUE_BYTES + FLOOD_BYTES + 1_000
        assert most_buffered <= 3 * FLOOD_BYTES  # one frame beyond the transport's high water

        name = connection.id
        del connection, transport
        await eventually(lambda: _let_go(port, name))

    hello = {"tab": "deaf", "after": {"epoch": "of before", "offset": 0}}
    async with client.socket(session, hello=hello) as back:
        assert back.seen[0]["previous_close"] == {"code": 4109}


async def _let_go(port: int, name: str) -> bool:
    """Whether neither the connection nor its transport is in this process any more."""
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, Connection) and one.id == name]
    return not kept and serving(port) is None


@pytest.mark.parametrize("kind", ["flood", "drip"])
async def test_a_deaf_client_that_is_sent_away_does_not_keep_its_socket(
    narrow: Node, kind: str
) -> None:
    """uvicorn waits until a client has read what is queued before it closes: for this one
    that was for ever, with its memory, whatever the reason it was closed for.
    """
    ENOUGH.clear()
    client = narrow.client()
    session = await client.start(agent=kind)
    async with deaf(client, session, tab="deaf") as port:
        connection = await admitted(narrow, session, "deaf")
        transport = serving(port)
        assert transport is not None
        wire = transport.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        async with client.socket(session, hello={"tab": "good"}) as good:
            await good.send("query", query="say much")
            await eventually(lambda: _buffered(transport))
            ENOUGH.set()
            await client.http.delete(f"/chat/sessions/{session['session_id']}")
            await good.closed()

        name = connection.id
        del connection, wire
        transport = None
        await eventually(lambda: _let_go(port, name))


async def _buffered(transport: Any) -> bool:
    return bool(transport.get_write_buffer_size() > 0)


async def test_an_answer_larger_than_all_that_may_wait_reaches_who_reads(narrow: Node) -> None:
    """One frame of it was too many, and every socket of the chat was closed with 4109."""
    client = narrow.client()
    session = await client.start(agent="preach")

    async with client.socket(session, hello={}) as socket:
        await socket.ask("at length")
        completed = await socket.until("message_completed")
        end = await socket.until_end()

    assert len(completed["text"]) > QUEUE_BYTES
    assert end["type"] == "run_completed"


async def test_a_deaf_client_that_nothing_is_said_to_is_noticed_by_its_silence(
    narrow: Node,
) -> None:
    client = narrow.client()
    session = await client.start()
    async with deaf(client, session, tab="deaf") as port:
        connection = await admitted(narrow, session, "deaf")
        name = connection.id
        del connection
        await eventually(lambda: _let_go(port, name))

    assert narrow.services.hub.count == 0


async def test_sixty_comings_and_goings_leave_nothing_behind(narrow: Node) -> None:
    client = narrow.client()
    session = await client.start()
    hub, watch = narrow.services.hub, narrow.services.watch

    async def come_and_go(number: int) -> None:
        async with client.socket(session, hello={"tab": f"t{number}"}) as one:
            if number % 3 == 0:
                one.raw.transport.abort()

    for start in range(0, 60, 6):
        async with asyncio.TaskGroup() as group:
            for number in range(start, start + 6):
                group.create_task(come_and_go(number))

    await eventually(lambda: _is(lambda: hub.count == 0 and not hub.sessions))
    await eventually(lambda: _is(lambda: session["session_id"] not in watch._ends))
    await eventually(lambda: _is(lambda: not narrow.services.gateway._shaking))


async def _is(claim: Any) -> bool:
    return bool(claim())
