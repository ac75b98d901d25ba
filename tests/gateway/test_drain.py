"""A node that leaves sends its clients elsewhere and takes no new ones."""

import asyncio
import contextlib
import json
import uuid

import pytest
from websockets.exceptions import InvalidStatus

from app.embedded.servers import Addresses
from tests.conftest import make_settings
from tests.sessions.test_routes import path_of
from tests.support.node import running_node
from tests.support.scripted import GATES, NAME
from tests.support.waiting import eventually


async def test_a_draining_node_closes_with_4200_and_refuses_newcomers(stores: Addresses) -> None:
    settings = make_settings(stores, sessions={"require_credential": True})
    async with running_node(settings) as node:
        client = node.client()
        session = await client.start()
        headers = {"authorization": f"Bearer {session['token']}"}
        async with (
            client.socket(session, hello={}, additional_headers=headers) as known,
            client.socket(session) as silent,
        ):
            await node.services.gateway.drain(7)
            code, reason = await known.closed()
            ready = await client.http.get("/health/ready")
            with pytest.raises(InvalidStatus) as caught:
                async with client.socket(session, additional_headers=headers):
                    pass
            answer = await client.http.post(path_of(session, "/ticket"))
            await silent.send("hello", ticket=answer.json()["ticket"])
            late, _ = await silent.closed()

    assert (code, json.loads(reason)) == (4200, {"delay_ms": 1_000})
    assert late == 4200
    assert caught.value.response.status_code == 503
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")


@pytest.fixture
def quick_waves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty waves in two seconds rather than in twenty."""
    monkeypatch.setattr("app.gateway.endpoint._WAVE_SECONDS", 0.1)


@pytest.mark.usefixtures("quick_waves")
@pytest.mark.parametrize("count", [25, 39])
async def test_many_clients_are_sent_away_in_waves_and_in_time(
    stores: Addresses, count: int
) -> None:
    """Of 39 each was a wave of its own: it took twice as long, and the node was killed."""
    loop = asyncio.get_running_loop()
    async with running_node(make_settings(stores, connections={"per_session": 60})) as node:
        client = node.client()
        session = await client.start()
        async with contextlib.AsyncExitStack() as stack:
            sockets = [
                await stack.enter_async_context(client.socket(session, hello={}))
                for _ in range(count)
            ]
            begun = loop.time()
            drain = asyncio.ensure_future(node.services.gateway.drain(2))
            closed = asyncio.gather(*(socket.closed() for socket in sockets))
            await eventually(lambda: _below(node.services.hub, count))
            left_in_the_middle = node.services.hub.count
            codes = {code for code, _ in await closed}
            await drain
            took = loop.time() - begun

    assert codes == {4200}
    assert 0 < left_in_the_middle < count
    assert took < 2.5


async def _below(hub: object, count: int) -> bool:
    return int(hub.count) < count  # type: ignore[attr-defined]


async def test_what_is_queued_for_a_client_is_sent_before_it_is_sent_away(
    stores: Addresses,
) -> None:
    async with running_node(make_settings(stores)) as node:
        client = node.client()
        session = await client.start(agent=NAME)
        gate = uuid.uuid4().hex
        async with client.socket(session, hello={}) as socket:
            await socket.ask(f"say:begun wait:{gate}")
            await GATES.wait_until_reached(gate)
            await socket.until("message_delta")
            for number in range(10):
                await socket.send("ping", id=str(number))
            await socket.until(lambda event: event.get("id") == "0")
            await node.services.gateway.drain(0)
            code, _ = await socket.closed()
        GATES.open(gate)

    assert code == 4200
