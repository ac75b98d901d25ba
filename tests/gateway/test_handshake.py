"""From an upgrade request to a conversation: who may, in which order, and what is said."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.embedded.servers import Addresses
from app.protocol.events import PROTOCOL
from app.settings import ProtocolSettings
from app.storage.postgres import Postgres
from tests.conftest import make_settings
from tests.sessions.test_routes import expire, path_of
from tests.support.answers import bearer
from tests.support.client import Client
from tests.support.node import Node, running_node
from tests.support.proxy import proxied
from tests.support.scripted import NAME
from tests.support.waiting import eventually

PATHS = ["/ws/{}", "/api/v1/chat/ws/{}"]

UNKNOWN = uuid.UUID("5e0a1b7c-0d51-4c6f-9a52-2f6a0e3c7d11")  # fixed: test ids must not change


@pytest.fixture(scope="module")
async def strict(stores: Addresses) -> AsyncIterator[Node]:
    """A node whose operator demands more than an anonymous session's id."""
    settings = make_settings(
        stores,
        sessions={"require_credential": True},
        protocol={"hello_seconds": 0.4, "greeting_seconds": 0.1},
        server={"origins": ["https://shop.example.com"]},
        connections={"per_node": 3},
    )
    async with running_node(settings) as node:
        yield node


async def closed(client: Client, session: Any, **options: Any) -> int:
    async with client.socket(session, **options) as socket:
        code, reason = await socket.closed()
        assert len(reason.encode()) < 124
        return code


async def refused(client: Client, session: dict[str, Any], **headers: str) -> tuple[int, Any]:
    """Return status and body of an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with connect(
            client.url.replace("http", "ws") + session["ws_path"], additional_headers=headers
        ):
            pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(response.body or b"")


# The order of things


@pytest.mark.parametrize("path", PATHS)
async def test_a_new_client_is_welcomed_shown_the_chat_and_live(node: Node, path: str) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={"tab": "t", "client": "test/1"}, path=path) as socket:
        welcome, snapshot, live = socket.seen
        assert socket.raw.subprotocol == PROTOCOL

    limits = ProtocolSettings()
    assert welcome | {"connection_id": "", "epoch": ""} == {
        "type": "welcome",
        "protocol": "colloquy.v1",
        "connection_id": "",
        "session_id": session["session_id"],
        "chat_id": session["chat_id"],
        "agent": NAME,
        "user_id": None,
        "node": node.services.node,
        "epoch": "",
        "offset": 0,
        "resumed": False,
        "reason": "first",
        "replay": 0,
        "heartbeat_ms": 25_000,
        "limits": {
            "frame_bytes": limits.frame_bytes,
            "text_chars": 16_000,
            "frames_per_window": 20,
            "window_seconds": 10,
            "unacknowledged": 8,
        },
        "expires_at": session["expires_at"],
    }
    assert snapshot["type"] == "snapshot"
    assert (snapshot["epoch"], snapshot["offset"]) == (welcome["epoch"], 0)
    assert (snapshot["messages"], snapshot["runs"]) == ([], [])
    assert snapshot["session"] == {
        "session_id": session["session_id"],
        "status": "active",
        "expires_at": session["expires_at"],
    }
    assert live == {"type": "live", "offset": 0}


async def test_the_simplest_client_needs_the_id_and_nothing_else(node: Node) -> None:
    session = await node.client().start(agent=NAME)
    address = f"{node.url.replace('http', 'ws')}/ws/{session['session_id']}"

    async with connect(address) as socket:
        await socket.send(json.dumps({"type": "query", "query": "say:hello"}))
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["type"] != "run_completed":
            seen.append(json.loads(await socket.recv()))

    assert [one["type"] for one in seen] == [
        "welcome",
        "snapshot",
        "live",
        "user_message",
        "run_started",
        "message_started",
        "message_delta",
        "message_completed",
        "run_completed",
    ]


async def test_a_client_that_only_listens_is_shown_the_chat_too(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session) as listener, client.socket(session, hello={}) as speaker:
        await listener.until("live")
        await speaker.ask("say:hello")
        await listener.until_end()

    assert listener.types()[:4] == ["welcome", "snapshot", "live", "user_message"]


async def test_a_hello_that_comes_late_is_answered_with_another_beginning(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session) as socket:
        await socket.ask("say:one")
        await socket.until_end()
        welcome = socket.seen[0]
        last = socket.numbered()[-1]
        socket.seen.clear()

        after = {"epoch": welcome["epoch"], "offset": last["offset"], "key": last["key"]}
        await socket.send("hello", tab="late", after=after)
        await socket.until("live")
        await socket.ask("say:two")
        await socket.until_end()

        assert socket.types()[:2] == ["welcome", "live"]
        assert socket.seen[0]["resumed"] is True
        offsets = [event["offset"] for event in socket.numbered()]
        assert offsets == list(range(last["offset"] + 1, last["offset"] + 1 + len(offsets)))

        await socket.send("hello", tab="again")
        error = await socket.until("error")
        assert error["code"] == "unexpected_frame"
        await socket.ask("say:three")


# Sessions that are not there


@pytest.mark.parametrize(
    "session_id",
    [
        "x",
        "session-",
        "session-1",
        f"session-{uuid.UUID(int=0)}",
        f"session-{UNKNOWN}",
        str(UNKNOWN),
        f"SESSION-{UNKNOWN}",
        f"session-{UNKNOWN.hex}",
        f"session-{UNKNOWN}%00",
        "%F0%9F%A6%8A",
        "s" * 4_000,
    ],
    ids=lambda text: text[:12],
)
async def test_an_id_that_is_no_sessions_gets_4004(node: Node, session_id: str) -> None:
    assert await closed(node.client(), session_id) == 4004


@pytest.mark.parametrize("credential", ["none", "token"])
@pytest.mark.parametrize("fate", ["expired", "ended"])
async def test_a_session_that_is_over_gets_4004_whatever_the_credential(
    node: Node, postgres: Postgres, fate: str, credential: str
) -> None:
    client = node.client()
    session = await client.start()
    if fate == "expired":
        await expire(postgres, session)
    else:
        await client.http.delete(path_of(session))
    headers = bearer(session) if credential == "token" else {}

    assert await closed(client, session, additional_headers=headers) == 4004


async def test_a_session_opened_with_anothers_token_looks_like_none(strict: Node) -> None:
    session, other = await strict.client().start(), await strict.client().start()

    assert await closed(strict.client(), session, additional_headers=bearer(other)) == 4004


# Credentials


@pytest.mark.parametrize("path", PATHS)
async def test_cookie_and_token_open_a_session_that_needs_one(strict: Node, path: str) -> None:
    client = strict.client()
    session = await client.start()
    cookie = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())

    for headers in (bearer(session), {"cookie": cookie}):
        async with client.socket(session, path=path, additional_headers=headers) as socket:
            await socket.until("live")


async def test_a_ticket_opens_it_once(strict: Node) -> None:
    client = strict.client()
    session = await client.start()
    answer = await client.http.post(path_of(session, "/ticket"))
    ticket = answer.json()["ticket"]
    assert answer.json()["expires_in"] == 60

    async with client.socket(session, hello={"ticket": ticket}) as socket:
        assert socket.types() == ["welcome", "snapshot", "live"]
    async with client.socket(session) as socket:
        await socket.send("hello", ticket=ticket)
        assert (await socket.closed())[0] == 4001


async def test_a_ticket_of_another_session_looks_like_no_session(strict: Node) -> None:
    client = strict.client()
    session, other = await client.start(), await client.start()
    ticket = (await client.http.post(path_of(other, "/ticket"))).json()["ticket"]

    async with client.socket(session) as socket:
        await socket.send("hello", ticket=ticket)
        assert (await socket.closed())[0] == 4004


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"type":"hello"}', 4001),
        ('{"type":"hello","ticket":"tkt_made_up"}', 4001),
        ('{"type":"hello","ticket":""}', 4001),
        ('{"type":"query","query":"let me in"}', 4001),
        ('{"type":"ping"}', 4001),
        ("rubbish", 4000),
        ('{"type":"hello","ticket":5}', 4000),
        (b"binary", 4000),
        ('{"type":"hello","ticket":"' + "x" * 300_000 + '"}', 4009),
        ('{"type":"hello","ticket":"' + "x" * 3_000_000 + '"}', 4009),
    ],
    ids=[
        "no ticket",
        "made-up ticket",
        "empty ticket",
        "query",
        "ping",
        "rubbish",
        "malformed",
        "binary",
        "large",
        "huge",
    ],
)
async def test_whoever_proves_nothing_is_sent_away(
    strict: Node, frame: str | bytes, code: int
) -> None:
    session = await strict.client().start()

    async with strict.client().socket(session) as socket:
        await socket.raw.send(frame)
        assert (await socket.closed())[0] == code


async def test_whoever_says_nothing_gets_4108(strict: Node) -> None:
    session = await strict.client().start()

    assert await closed(strict.client(), session) == 4108


@pytest.mark.parametrize("value", ["Bearer x", "Bearer cst_session-1_", "bearer \xe9"])
async def test_a_bad_token_gets_4001_even_where_none_is_needed(node: Node, value: str) -> None:
    session = await node.client().start()

    code = await closed(node.client(), session, additional_headers={"authorization": value})

    assert code == 4001


# Versions


@pytest.mark.parametrize("offered", [["colloquy.v2"], ["chat", "colloquy.v0"]])
async def test_a_client_of_another_version_gets_4005_and_can_see_it(
    node: Node, offered: list[str]
) -> None:
    """A browser ends a handshake in which nothing of its offer is chosen, and sees 1006."""
    client = node.client()
    session = await client.start()

    async with client.socket(session, subprotocols=offered) as socket:
        assert socket.raw.subprotocol == offered[0]
        assert (await socket.closed())[0] == 4005


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(None, None), ([PROTOCOL], PROTOCOL), (["colloquy.v9", PROTOCOL], PROTOCOL)],
)
async def test_our_version_is_chosen_where_it_is_offered(
    node: Node, offered: list[str] | None, chosen: str | None
) -> None:
    client = node.client()
    session = await client.start()

    async with client.socket(session, subprotocols=offered, hello={}) as socket:
        assert socket.raw.subprotocol == chosen


# Pages of other sites, and nodes that are full


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "https://shop.example.com.evil.example",
        "http://shop.example.com",
        "file://",
        "http://[",
    ],
)
async def test_a_page_of_another_site_is_refused_before_it_is_accepted(
    strict: Node, origin: str
) -> None:
    client = strict.client()
    session = await client.start()

    status, body = await refused(client, session, origin=origin, **bearer(session))

    assert (status, body["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("origin", ["own", "https://shop.example.com"])
async def test_own_and_listed_pages_may_connect(strict: Node, origin: str) -> None:
    client = strict.client()
    session = await client.start()
    headers = bearer(session) | {"origin": strict.url if origin == "own" else origin}

    async with client.socket(session, hello={}, additional_headers=headers):
        pass


async def test_a_full_node_sends_clients_elsewhere(strict: Node) -> None:
    client = strict.client()
    session = await client.start()
    await eventually(lambda: _is_empty(strict))
    async with (
        client.socket(session, hello={}, additional_headers=bearer(session)),
        client.socket(session, hello={}, additional_headers=bearer(session)),
        client.socket(session, hello={}, additional_headers=bearer(session)),
    ):
        status, body = await refused(client, session, **bearer(session))

    assert (status, body["error"]["code"]) == (503, "unavailable")


async def test_sockets_that_have_not_said_who_they_are_count_too(strict: Node) -> None:
    """Only greeted ones were counted: any number could be held open, five seconds each."""
    client = strict.client()
    session = await client.start()
    await eventually(lambda: _is_empty(strict))
    async with client.socket(session), client.socket(session), client.socket(session):
        status, _ = await refused(client, session, **bearer(session))

    assert status == 503
    await eventually(lambda: _is_empty(strict))
    async with client.socket(session, hello={}, additional_headers=bearer(session)):
        pass


async def _is_empty(node: Node) -> bool:
    gateway = node.services.gateway
    return node.services.hub.count + gateway._shaking == 0


# Stores that are away


@pytest.mark.parametrize("store", ["postgres", "redis"])
async def test_while_a_store_is_away_sockets_get_4103(stores: Addresses, store: str) -> None:
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            database={"pool_size": 2, "connect_seconds": 1, "migrate": False},
            redis={"command_seconds": 0.5},
        )
        async with running_node(settings) as node:
            client = node.client()
            session = await client.start()
            proxy = getattr(proxies, store)
            await proxy.cut()

            assert await closed(client, session) == 4103

            await proxy.restore()

            async def comes_in() -> bool:
                async with client.socket(session) as socket:
                    return (await socket.raw.recv())[:17] == '{"type":"welcome"'

            assert await eventually(lambda: _tried(comes_in()))


async def _tried(attempt: Any) -> bool:
    try:
        return bool(await attempt)
    except Exception:  # noqa: BLE001 - not yet
        return False


async def test_a_bug_in_the_handshake_is_told_and_costs_one_connection(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transport was dropped without a word: 1006."""
    client = node.client()
    session = await client.start()

    async def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(node.services.gateway._handshake, "shake", crash)
        assert await closed(client, session) == 4100

    async with client.socket(session, hello={}):
        pass
