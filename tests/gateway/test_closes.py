"""Why the server ends a connection, as a real client sees it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from app.embedded.servers import Addresses
from app.protocol.close import close_table
from tests.conftest import make_settings
from tests.gateway.by_hand import upgraded
from tests.sessions.test_routes import path_of
from tests.support.node import Node, running_node
from tests.support.proxy import proxied
from tests.support.raw import Op, frame
from tests.support.scripted import NAME
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
async def brisk(stores: Addresses, quick_watch: None) -> AsyncIterator[Node]:
    """A node with little patience."""
    settings = make_settings(
        stores,
        protocol={
            "heartbeat_seconds": 0.2,
            "pong_seconds": 0.3,
            "frames_per_window": 5,
            "window_seconds": 30,
            "malformed_frames": 3,
            "greeting_seconds": 0.1,
        },
        connections={"per_session": 2},
    )
    async with running_node(settings) as node:
        yield node


async def test_a_binary_frame_gets_4000(node: Node) -> None:
    client = node.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        await socket.raw.send(b"\x00\x01")
        assert (await socket.closed())[0] == 4000


async def test_frames_that_cannot_be_read_get_an_error_each_and_in_the_end_4000(
    brisk: Node,
) -> None:
    client = brisk.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        for _ in range(3):
            await socket.raw.send("rubbish")
        code, _ = await socket.closed()

    assert code == 4000
    assert [one["code"] for one in socket.seen if one["type"] == "error"] == ["malformed_frame"] * 3


async def test_a_client_that_errs_now_and_then_is_not_sent_away(node: Node) -> None:
    """Every unreadable frame of a connection's life was counted, however long it lasted."""
    client = node.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        for _ in range(9):
            await socket.send("from_the_future", id="x")
        await socket.send("ping", id="p")
        await socket.until("pong")
        for number in range(9):
            await socket.send("from_the_future", id=str(number))
        await socket.until(lambda event: event.get("id") == "8")

        assert {one["code"] for one in socket.seen if one["type"] == "error"} == {"unknown_type"}


async def test_an_older_socket_of_the_same_tab_gets_4006(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with (
        client.socket(session, hello={"tab": "a"}) as first,
        client.socket(session, hello={"tab": "b"}) as other,
        client.socket(session, hello={"tab": "a"}) as second,
    ):
        assert (await first.closed())[0] == 4006
        for living in (other, second):
            await living.send("ping", id="p")
            await living.until("pong")


@pytest.mark.parametrize(
    ("characters", "fragments"),
    [(262_144, 1), (300_000, 7), (400_000, 1), (2_000_000, 7)],
    ids=["just over", "in pieces", "over the transport's own limit", "far over in pieces"],
)
async def test_a_frame_that_is_too_large_gets_4009(
    node: Node, characters: int, fragments: int
) -> None:
    """Above the transport's own limit it was 1009, which says to come back and try again."""
    client = node.client()
    session = await client.start()
    text = json.dumps({"type": "query", "query": "x" * characters})
    step = len(text) // fragments + 1
    pieces = [text[start : start + step] for start in range(0, len(text), step)]

    async with client.socket(session, hello={}) as socket:
        try:
            await socket.raw.send(text if fragments == 1 else pieces)
        except Exception:  # noqa: BLE001 - it may be closed before all is sent
            assert characters > 262_144
        code, _ = await socket.closed()

    assert code == 4009
    async with client.socket(session, hello={}) as again:
        assert again.types()[-1] == "live"


async def test_a_client_that_reads_only_when_all_is_sent_learns_why_it_was_closed(
    node: Node,
) -> None:
    """Closed at once, with the rest unread, the kernel reset the connection: 1006."""
    client = node.client()
    session = await client.start()
    loop = asyncio.get_running_loop()
    seen = b""

    async with upgraded(client, session) as raw, asyncio.timeout(10):
        await loop.sock_sendall(raw, frame(Op.TEXT, b"x" * 8_000_000))
        while received := await loop.sock_recv(raw, 65_536):
            seen += received

    assert (4009).to_bytes(2, "big") + b"frame too large" in seen


async def test_the_largest_frame_that_is_allowed_is_read(node: Node) -> None:
    client = node.client()
    session = await client.start()
    ping = {"type": "ping", "id": "p", "padding": ""}
    ping["padding"] = "가" * ((262_144 - len(json.dumps(ping).encode())) // 3)

    async with client.socket(session, hello={}) as socket:
        await socket.raw.send(json.dumps(ping, ensure_ascii=False))
        await socket.until("pong")


async def test_when_its_owner_ends_a_session_its_sockets_get_4010(node: Node) -> None:
    client = node.client()
    session = await client.start()

    async with client.socket(session, hello={}) as one, client.socket(session) as other:
        await other.until("live")
        await client.http.delete(path_of(session))

        for socket in (one, other):
            assert (await socket.closed())[0] == 4010
            assert socket.seen[-1] == {
                "type": "session_ended",
                "session_id": session["session_id"],
            }


async def test_more_sockets_than_a_session_may_have_get_4029(brisk: Node) -> None:
    client = brisk.client()
    session, other = await client.start(), await client.start()

    async with client.socket(session) as one, client.socket(session) as two:
        for socket in (one, two):
            await socket.until("live")
        async with client.socket(session) as third:
            assert (await third.closed())[0] == 4029
        async with client.socket(other) as elsewhere:
            await elsewhere.until("live")

    async def room_again() -> bool:
        async with client.socket(session) as socket:
            return "welcome" in str(await socket.raw.recv())

    assert await eventually(lambda: _tried(room_again()))


async def _tried(attempt: Any) -> bool:
    try:
        return bool(await attempt)
    except Exception:  # noqa: BLE001 - not yet
        return False


async def test_a_bug_in_one_connection_gets_4100_and_harms_no_other(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = node.client()
    session = await client.start()

    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    async with (
        client.socket(session, hello={}) as healthy,
        client.socket(session, hello={}) as socket,
    ):
        with monkeypatch.context() as patch:
            patch.setattr("app.gateway.dispatch.Dispatch.check_rate", crash)
            await socket.send("ping")
            assert (await socket.closed())[0] == 4100
        await healthy.send("ping", id="p")
        await healthy.until("pong")


async def test_when_the_log_begins_anew_its_followers_get_4110(node: Node, redis: Redis) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    chat = session["chat_id"]

    async with client.socket(session, hello={}) as socket:
        await socket.ask("say:one")
        await socket.until_end()
        await redis.delete(f"{{{chat}}}:meta", f"{{{chat}}}:log")
        await socket.send("query", query="say:two")
        assert (await socket.closed())[0] == 4110

    async def answered() -> bool:
        page = await client.http.get(f"/chats/{chat}/messages")
        return [one["text"] for one in page.json()["messages"]][1::2] == ["one", "two"]

    assert await eventually(answered)
    async with client.socket(session, hello={}) as again:
        assert again.seen[0]["reason"] == "first"
        assert len(again.seen[1]["messages"]) == 4


async def test_a_close_does_not_wait_for_a_redis_that_hangs(stores: Addresses) -> None:
    """Why a tab is closed was kept first, for however long that took."""
    loop = asyncio.get_running_loop()
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            redis={"command_seconds": 8},
            connections={"close_seconds": 0.3},
        )
        async with running_node(settings) as node:
            client = node.client()
            session = await client.start()
            async with client.socket(session, hello={"tab": "t"}) as socket:
                proxies.redis.stall()
                begun = loop.time()
                await socket.raw.send(b"binary")
                code, _ = await socket.closed()
                took = loop.time() - begun
            await proxies.redis.restore()

    assert code == 4000
    assert took < 4


async def test_a_newcomer_hears_of_a_redis_that_hangs_as_soon_as_one_command_has_failed(
    stores: Addresses,
) -> None:
    """Then it was tried to keep in Redis that Redis does not answer."""
    loop = asyncio.get_running_loop()
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            redis={"command_seconds": 1.5},
            connections={"close_seconds": 5},
        )
        async with running_node(settings) as node:
            client = node.client()
            session = await client.start()
            async with client.socket(session) as socket:
                proxies.redis.stall()
                begun = loop.time()
                await socket.send("hello", tab="t")
                code, _ = await socket.closed()
                took = loop.time() - begun
            await proxies.redis.restore()

    assert code == 4103
    assert took < 2.5


async def test_a_client_that_said_hello_and_answers_no_ping_gets_4111(brisk: Node) -> None:
    client = brisk.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        async with asyncio.timeout(5):
            code, _ = await socket.closed()

    assert code == 4111
    assert "ping" in socket.types()


async def test_a_client_that_answers_its_pings_stays(brisk: Node) -> None:
    client = brisk.client()
    session = await client.start()
    pings = 0

    async with client.socket(session, hello={}) as socket, asyncio.timeout(5):
        while pings < 3:
            assert json.loads(await socket.raw.recv()) == {"type": "ping"}
            pings += 1
            await socket.send("pong")


async def test_a_client_that_never_said_hello_is_asked_for_no_pong(brisk: Node) -> None:
    client = brisk.client()
    session = await client.start()
    limit = brisk.services.settings.protocol

    async with client.socket(session) as socket:
        await socket.until("live")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(limit.heartbeat_seconds * 2 + limit.pong_seconds + 0.5):
                await socket.raw.recv()
        await socket.send("ping", id="p")
        await socket.until("pong")


async def test_a_flood_of_frames_is_limited_and_then_gets_4129(brisk: Node) -> None:
    client = brisk.client()
    session = await client.start()

    async with client.socket(session) as socket:
        for _ in range(5 + 5):
            await socket.send("ping")
        code, reason = await socket.closed()

    assert code == 4129
    assert 0 < json.loads(reason)["retry_after_ms"] <= 30_001
    errors = [one for one in socket.seen if one["type"] == "error"]
    assert [one["code"] for one in errors] == ["rate_limited"] * 5
    assert all(one["temporary"] and 0 < one["retry_after_ms"] <= 30_001 for one in errors)
    assert socket.types().count("pong") == 5


async def test_every_code_a_client_may_see_is_in_the_table() -> None:
    """The codes of this file and of its neighbours, in the table that clients read."""
    seen = {4000, 4001, 4004, 4005, 4006, 4009, 4010, 4029, 4100, 4103, 4108, 4109, 4110, 4111}

    assert seen | {4129, 4200} <= set(close_table())
