"""Two nodes, one chat: it does not matter which of them a client comes to."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from app.events.follower import SIGNALS
from app.protocol.codec import decode
from app.settings import Settings
from tests.sessions.test_routes import path_of
from tests.support.client import Client
from tests.support.node import Node, running_node
from tests.support.scripted import GATES, NAME
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def other(settings: Settings) -> AsyncIterator[Node]:
    async with running_node(settings) as other:
        yield other


def at(node: Node, client: Client) -> Client:
    """The same browser, at another node."""
    there = node.client()
    there.http.cookies.update(client.http.cookies)
    return there


async def test_a_chat_is_followed_live_from_both_nodes(node: Node, other: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with (
        client.socket(session, hello={"tab": "a"}) as here,
        at(other, client).socket(session, hello={"tab": "b"}) as there,
    ):
        await here.ask("say:from say:here")
        await there.until_end()
        await there.ask("say:from say:there")
        await there.until_end()
        await here.until(lambda event: event["type"] == "run_completed" and event["offset"] > 7)

    assert here.numbered() == there.numbered()
    assert here.seen[0]["node"] != there.seen[0]["node"]


async def test_a_client_goes_on_at_the_other_node_where_it_was(node: Node, other: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    gate = uuid.uuid4().hex
    async with client.socket(session, hello={"tab": "t"}) as first:
        await first.ask(f"say:Hel wait:{gate} say:lo")
        event = await first.until("message_delta")
        after = {
            "epoch": first.seen[0]["epoch"],
            "offset": event["offset"],
            "key": event["key"],
        }

    await GATES.wait_until_reached(gate)
    there = at(other, client)
    async with there.socket(session, hello={"tab": "t", "after": after}) as second:
        GATES.open(gate)
        await second.until_end()

    assert second.seen[0]["resumed"] is True
    events = first.numbered() + second.numbered()
    assert [one["offset"] for one in events] == list(range(1, len(events) + 1))


async def test_a_session_ended_at_one_node_ends_at_both(node: Node, other: Node) -> None:
    client = node.client()
    session = await client.start()

    async with (
        client.socket(session, hello={}) as here,
        at(other, client).socket(session, hello={}) as there,
    ):
        await at(other, client).http.delete(path_of(session))

        for socket in (here, there):
            assert (await socket.closed())[0] == 4010
            assert socket.types()[-1] == "session_ended"


async def test_connections_at_both_nodes_are_known_at_either(node: Node, other: Node) -> None:
    client = node.client()
    session = await client.start()

    async with (
        client.socket(session, hello={"tab": "a"}),
        at(other, client).socket(session, hello={"tab": "b"}),
    ):
        wanted = {("a", node.services.node), ("b", other.services.node)}
        for one in (client, at(other, client)):

            async def both_known(one: Client = one) -> bool:
                state = (await one.http.get(path_of(session))).json()
                return {(there["tab"], there["node"]) for there in state["connections"]} == wanted

            await eventually(both_known)

    async def nobody() -> bool:
        return (await client.http.get(path_of(session))).json()["live"] is False

    await eventually(nobody)


async def test_proofs_of_one_node_are_good_at_the_other(node: Node, other: Node) -> None:
    client = node.client()
    headers = {"idempotency-key": uuid.uuid4().hex}
    first = (await client.http.post("/chat/start", headers=headers)).json()
    there = at(other, client)

    again = (await there.http.post("/chat/start", headers=headers)).json()
    ticket = (await client.http.post(path_of(first, "/ticket"))).json()["ticket"]

    assert again["session_id"] != ""
    assert (await there.http.get(path_of(first))).status_code == 200
    async with other.client().socket(first, hello={"ticket": ticket}) as socket:
        assert socket.types()[-1] == "live"


async def test_a_cancel_at_one_node_stops_the_answer_at_the_other(node: Node, other: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    gate = uuid.uuid4().hex

    async with (
        client.socket(session, hello={}) as here,
        at(other, client).socket(session, hello={}) as there,
    ):
        await here.ask(f"say:begun wait:{gate}")
        await GATES.wait_until_reached(gate)
        await there.send("cancel", id="c")
        end = await there.until_end()
        assert end["type"] == "run_cancelled"
        await here.until("run_cancelled")
    GATES.open(gate)


async def test_a_tab_that_returns_elsewhere_hears_why_it_was_closed(
    node: Node, other: Node
) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={"tab": "t"}) as first:
        welcome = first.seen[0]
        await first.raw.send(b"binary")
        assert (await first.closed())[0] == 4000

    after = {"epoch": welcome["epoch"], "offset": welcome["offset"]}
    hello = {"tab": "t", "after": after}
    async with at(other, client).socket(session, hello=hello) as again:
        assert again.seen[0]["previous_close"] == {"code": 4000}


async def test_why_a_tab_was_closed_is_not_told_after_another_return(node: Node) -> None:
    """Who returned without a position, as after 4110, was not told, but the next time was."""
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={"tab": "t"}) as first:
        await first.raw.send(b"binary")
        assert (await first.closed())[0] == 4000

    async with client.socket(session, hello={"tab": "t"}) as second:
        welcome = second.seen[0]
        assert welcome["previous_close"] == {"code": 4000}
        second.raw.transport.abort()

    after = {"epoch": welcome["epoch"], "offset": welcome["offset"]}
    async with client.socket(session, hello={"tab": "t", "after": after}) as third:
        assert "previous_close" not in third.seen[0]


async def test_a_tab_that_returns_elsewhere_ends_its_older_socket(node: Node, other: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={"tab": "t"}) as first:
        hello = {"tab": "t", "after": {"epoch": first.seen[0]["epoch"], "offset": 0}}

        async def is_known() -> bool:
            return bool(await node.services.liveness.present(session["session_id"]))

        await eventually(is_known)
        async with at(other, client).socket(session, hello=hello) as newer:
            assert (await first.closed())[0] == 4006
            await newer.ask("say:on")
            await newer.until_end()


async def test_a_word_that_a_tab_returned_elsewhere_does_not_end_what_it_opened_since(
    node: Node, other: Node, redis: Redis
) -> None:
    """It named the newest socket and ended all the others; heard late, also a newer one."""
    client = node.client()
    session = await client.start(agent=NAME)
    async with redis.pubsub() as signals:
        await signals.subscribe(SIGNALS)
        async with client.socket(session, hello={"tab": "t"}) as first:
            hello = {"tab": "t", "after": {"epoch": first.seen[0]["epoch"], "offset": 0}}

            async def is_known() -> bool:
                return bool(await node.services.liveness.present(session["session_id"]))

            await eventually(is_known)
            async with at(other, client).socket(session, hello=hello):
                assert (await first.closed())[0] == 4006
        said = await _heard(signals, session)

    async with client.socket(session, hello=hello) as newest:
        await redis.publish(SIGNALS, said)
        await newest.ask("say:on")  # its answer passes by the same way, later
        await newest.until_end()


async def _heard(signals: PubSub, session: dict[str, Any]) -> bytes:
    """Return what was said of a session's older sockets."""
    async with asyncio.timeout(10):
        async for message in signals.listen():
            if message["type"] == "message":
                signal = decode(message["data"])
                about = signal["kind"], signal.get("session_id")
                if about == ("superseded", session["session_id"]):
                    return bytes(message["data"])
    raise AssertionError("nothing was said")


async def test_tabs_on_another_node_hear_that_their_session_lives_longer(
    node: Node, other: Node
) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with (
        client.socket(session, hello={}) as here,
        at(other, client).socket(session, hello={}) as there,
    ):
        await at(other, client).http.post(f"{path_of(session)}/extend")
        for socket in (here, there):
            told = await socket.until("session_extended")
            assert told["expires_at"] >= session["expires_at"]
