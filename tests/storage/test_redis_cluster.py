"""Two whole nodes on a real Redis Cluster: what they promise holds on it as on one server."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from app.embedded.servers import Addresses
from app.events.log import _keys
from app.kit.errors import Unavailable
from app.kit.ids import ChatId, SessionId
from app.liveness.store import LivenessStore
from tests.conftest import make_settings
from tests.gateway.test_nodes import at
from tests.sessions.test_routes import path_of
from tests.support.client import Client, Socket
from tests.support.databases import Databases
from tests.support.node import Node, running_node
from tests.support.scripted import GATES, NAME
from tests.support.until import until
from tests.support.valkey_cluster import Cluster, Server


@dataclass
class Nodes:
    one: Node
    other: Node


@pytest.fixture(scope="module")
async def nodes(running: Cluster, stores: Addresses) -> AsyncIterator[Nodes]:
    async with Databases.of(stores).clone() as own:  # other nodes would take our runs
        settings = make_settings(
            Addresses(own.database_url, running.url), redis={"command_seconds": 2}
        )
        async with running_node(settings) as one, running_node(settings) as other:
            yield Nodes(one, other)


@dataclass
class Chat:
    """A browser with a chat of its own, at either node."""

    here: Client
    there: Client
    session: dict[str, Any]
    server: Server

    @property
    def chat_id(self) -> ChatId:
        return ChatId(uuid.UUID(self.session["chat_id"]))

    @contextlib.asynccontextmanager
    async def sockets(self) -> AsyncIterator[tuple[Socket, Socket]]:
        async with (
            self.here.socket(self.session, hello={"tab": "a"}) as here,
            self.there.socket(self.session, hello={"tab": "b"}) as there,
        ):
            yield here, there


async def chats_everywhere(cluster: Cluster, nodes: Nodes, each: int) -> list[Chat]:
    """Start chats until every server has so many."""
    owner = await cluster.owners()
    chats: dict[int, list[Chat]] = {server.port: [] for server in cluster.servers}
    while any(len(some) < each for some in chats.values()):
        client = nodes.one.client()
        session = await client.start(agent=NAME)
        server = owner(f"{{{session['chat_id']}}}")
        if len(chats[server.port]) < each:
            chat = Chat(client, at(nodes.other, client), session, server)
            chats[server.port].append(chat)
    return [chat for some in chats.values() for chat in some]


def position(socket: Socket) -> dict[str, Any]:
    event = socket.numbered()[-1]
    return {"epoch": socket.seen[0]["epoch"], "offset": event["offset"], "key": event["key"]}


def said(socket: Socket) -> str:
    return "".join(one["text"] for one in socket.numbered() if one["type"] == "message_delta")


def whole(socket: Socket) -> bool:
    """Whether nothing is missing, nothing came twice and nothing was taken back."""
    offsets = [one["offset"] for one in socket.numbered()]
    return "snapshot" not in socket.types()[3:] and offsets == list(
        range(offsets[0], offsets[0] + len(offsets))
    )


async def test_a_turn_in_a_chat_of_any_server_is_followed_and_resumed_from_both_nodes(
    cluster: Cluster, nodes: Nodes
) -> None:
    async def talk(chat: Chat) -> None:
        gate = uuid.uuid4().hex
        async with chat.sockets() as (here, there):
            async with chat.here.socket(chat.session, hello={"tab": "c"}) as leaving:
                await leaving.ask(f"say:Hel progress:planning_started wait:{gate} say:lo")
                await leaving.until("message_delta")
                await leaving.until("planning_started")
            GATES.open(gate)
            after = position(leaving)
            async with chat.there.socket(chat.session, hello={"tab": "c", "after": after}) as back:
                for socket in (here, there, back):
                    if "run_completed" not in socket.types():
                        await socket.until_end()
        assert here.numbered() == there.numbered()
        assert back.seen[0]["resumed"] is True
        told = [{**one, "replayed": None} for one in leaving.numbered() + back.numbered()]
        assert told == [{**one, "replayed": None} for one in here.numbered()]
        assert said(here) == "Hello"

    await asyncio.gather(*(talk(chat) for chat in await chats_everywhere(cluster, nodes, 4)))


async def test_tickets_presence_and_a_stop_work_across_nodes(
    cluster: Cluster, nodes: Nodes
) -> None:
    async def use(chat: Chat) -> None:
        gate = uuid.uuid4().hex
        ticket = (await chat.here.http.post(path_of(chat.session, "/ticket"))).json()["ticket"]
        stranger = nodes.other.client().socket(chat.session, hello={"ticket": ticket})
        async with chat.sockets() as (here, there), stranger as ticketed:
            assert ticketed.types()[-1] == "live"
            session_id = SessionId(chat.session["session_id"])
            for node in (nodes.one, nodes.other):
                await until(partial(_are_there, node.services.liveness, session_id))
            await here.ask(f"say:begun wait:{gate}")
            await GATES.wait_until_reached(gate)
            await there.send("cancel", id="c")
            for socket in (here, there, ticketed):
                assert (await socket.until_end())["type"] == "run_cancelled"
        GATES.open(gate)

    chats = await chats_everywhere(cluster, nodes, 2)
    await asyncio.gather(*(use(chat) for chat in chats))

    sessions = [SessionId(chat.session["session_id"]) for chat in chats]
    liveness = nodes.one.services.liveness
    await until(partial(_are_gone, liveness, sessions))
    both = {nodes.one.services.node, nodes.other.services.node}

    async def have_said_so() -> bool:
        return both <= set(await liveness.nodes())

    await until(have_said_so)


async def _are_there(liveness: LivenessStore, session_id: SessionId) -> bool:
    present = await liveness.present(session_id)
    return sorted(one.tab or "" for one in present) == ["", "a", "b"]


async def _are_gone(liveness: LivenessStore, sessions: list[SessionId]) -> bool:
    return not await liveness.live_among(sessions)


async def test_a_slot_that_moves_in_the_middle_of_an_answer_loses_nothing(
    cluster: Cluster, nodes: Nodes
) -> None:
    [chat, *_] = await chats_everywhere(cluster, nodes, 1)
    meta, log = _keys(chat.chat_id)
    first, second, third = (uuid.uuid4().hex for _ in range(3))
    before = await cluster.refusals()

    async with chat.sockets() as (here, there):

        async def heard(word: str) -> None:
            for socket in (here, there):
                while word not in said(socket):
                    await socket.receive()

        await here.ask(
            f"say:one wait:{first} say:two wait:{second} say:three wait:{third} say:four"
        )
        await heard("one")
        move = await cluster.move(meta)
        await move.begin()
        GATES.open(first)
        await heard("two")  # the keys are still there
        await move.carry(meta)
        GATES.open(second)  # they lie apart: the append waits
        await until(partial(_refused, cluster, "TRYAGAIN", before["TRYAGAIN"]))
        await move.carry(log)
        await heard("three")  # they are at the new server, the slot is not
        await move.finish()
        GATES.open(third)
        for socket in (here, there):
            await socket.until_end()

    assert said(here) == "onetwothreefour"
    assert whole(here)
    assert here.numbered() == there.numbered()
    after = await cluster.refusals()
    assert all(after[one] > before[one] for one in ("ASK", "MOVED", "TRYAGAIN"))


async def _refused(cluster: Cluster, error: str, before: int) -> bool:
    return (await cluster.refusals())[error] > before


async def test_a_server_that_dies_and_comes_back_costs_a_while_and_no_word(
    cluster: Cluster, nodes: Nodes
) -> None:
    """It is one the nodes listen on, so that they must find another."""
    listened = [one for one in cluster.servers if await one.says("CLIENT LIST", "TYPE", "pubsub")]
    victim = listened[0]
    chats = await chats_everywhere(cluster, nodes, 2)
    gates = [uuid.uuid4().hex for _ in chats]
    read = nodes.one.services.hub._log.read

    async def refuses(chat: Chat) -> bool:
        try:
            await read(chat.chat_id)
        except Unavailable:
            return True
        return False

    async def answers(chat: Chat) -> bool:
        return not await refuses(chat)

    async with contextlib.AsyncExitStack() as stack:
        pairs = [await stack.enter_async_context(chat.sockets()) for chat in chats]
        for (here, there), gate in zip(pairs, gates, strict=True):
            await here.ask(f"say:before wait:{gate} say:after")
            for socket in (here, there):
                await socket.until("message_delta")

        victim.stop()
        [first, *_] = [chat for chat in chats if chat.server is victim]
        await until(partial(refuses, first))
        for gate in gates[::2]:  # of each server one answer ends now, one goes on later
            GATES.open(gate)
        victim.start()
        for chat in chats:
            await until(partial(answers, chat), seconds=20)
        for gate in gates[1::2]:
            GATES.open(gate)
        for here, there in pairs:
            for socket in (here, there):
                await socket.until_end()

    for here, there in pairs:
        [completed] = [one for one in here.numbered() if one["type"] == "message_completed"]
        assert completed["text"] == "beforeafter"
        assert whole(here)
        assert here.numbered() == there.numbered()
