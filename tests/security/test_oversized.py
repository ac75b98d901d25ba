"""Whatever is too large is refused with an error that says so, and costs no more than that."""

import asyncio
from typing import Any

import pytest

from app.main import ENDPOINTS
from app.storage.postgres import Postgres
from tests.auth.scene import PASSWORD, new_email, registered
from tests.security.people import People
from tests.support.answers import error_of
from tests.support.node import Node
from tests.support.raw import dialled

MEGABYTE = 1_000_000
LARGE = "x" * MEGABYTE
BODIED = sorted({(one.method, one.path) for one in ENDPOINTS if one.body is not None})
BODILESS = sorted(
    {(one.method, one.path) for one in ENDPOINTS if one.body is None and one.method != "GET"}
)


@pytest.mark.parametrize(("method", "path"), BODIED)
async def test_a_body_beyond_the_limit_is_refused_everywhere(
    guarded: Node, postgres: Postgres, method: str, path: str
) -> None:
    account = await People(guarded, postgres).account()
    body = b'{"x":"' + b"x" * (guarded.services.settings.server.body_bytes + 1) + b'"}'

    answer = await guarded.client().http.request(
        method, path.format(session_id="s", provider="p"), content=body, headers=account.bearer
    )

    error_of(answer, 413, "body_too_large")


@pytest.mark.parametrize(("method", "path"), BODILESS)
async def test_a_body_where_none_is_wanted_is_not_read(
    guarded: Node, postgres: Postgres, method: str, path: str
) -> None:
    account = await People(guarded, postgres).account()

    answer = await guarded.client().http.request(
        method,
        path.format(session_id="s", provider="p"),
        content=b"x" * 3_000_000,
        headers=account.bearer,
    )

    assert answer.status_code in {202, 404}


@pytest.mark.parametrize("path", ["/auth/register", "/auth/login", "/chat/start"])
@pytest.mark.parametrize(
    "body",
    [b"[" * MEGABYTE, b'{"a":' * 150_000, b"\xff" * 1_000, b"9" * MEGABYTE],
    ids=["lists", "objects", "no text", "a number"],
)
async def test_a_body_that_is_hard_to_read_is_refused(
    guarded: Node, path: str, body: bytes
) -> None:
    error_of(await guarded.client().http.post(path, content=body), 422, "malformed_body")


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/auth/register", {"email": LARGE}),
        ("/auth/register", {"email": f"{LARGE}@example.org"}),
        ("/auth/register", {"password": LARGE}),
        ("/auth/register", {"display_name": LARGE}),
        ("/auth/login", {"email": LARGE}),
        ("/auth/login", {"password": LARGE}),
        ("/auth/password/forgot", {"email": LARGE}),
        ("/auth/password/reset", {"token": LARGE}),
        ("/auth/password/reset", {"token": "t", "password": LARGE}),
        ("/auth/verify", {"token": LARGE}),
        ("/chat/start", {"agent": LARGE}),
        ("/chat/start", {"chat_id": LARGE}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
async def test_a_field_of_a_megabyte_is_refused(
    guarded: Node, path: str, change: dict[str, Any]
) -> None:
    body = {"email": new_email(), "password": PASSWORD, **change}

    error_of(await guarded.client().http.post(path, json=body), 422, "malformed_body")


@pytest.mark.parametrize("field", ["display_name", "locale", "timezone", "avatar_url"])
async def test_a_profile_takes_no_megabyte(guarded: Node, field: str) -> None:
    client, answer = await registered(guarded)

    said = await client.http.patch("/users/me", json={field: f"https://{LARGE}"})

    error_of(said, 422, "malformed_body")
    assert (await client.http.get("/users/me")).json() == answer["user"]


async def test_metadata_of_a_megabyte_is_refused(guarded: Node) -> None:
    answer = await guarded.client().http.post("/chat/start", json={"metadata": {"a": LARGE}})

    assert answer.status_code == 422


@pytest.mark.parametrize("where", ["address", "query", "header", "name", "cookie", "many", "token"])
@pytest.mark.parametrize("upgrade", [False, True], ids=["request", "upgrade"])
async def test_a_head_of_a_megabyte_is_refused(guarded: Node, where: str, upgrade: bool) -> None:
    path = {"address": f"/{LARGE}", "query": f"/health/live?a={LARGE}"}.get(where, "/health/live")
    lines = {
        "header": f"x: {LARGE}",
        "name": f"{LARGE}: x",
        "cookie": f"cookie: colloquy_login={LARGE}",
        "many": "\r\n".join(f"x-{number}: xxxxxxxxxx" for number in range(50_000)),
        "token": f"authorization: Bearer {LARGE}",
    }

    head = await _refused(guarded, path, lines.get(where, "x: y"), upgrade=upgrade)

    assert head.startswith("HTTP/1.1 431 ")
    assert "application/json" in head


@pytest.mark.parametrize(
    "line",
    [
        f"cookie: colloquy_login={'x' * 9_000}",
        f"cookie: colloquy_login={'x' * 60_000}",
        "\r\n".join(["a: b"] * 200),
    ],
    ids=["9 kB", "60 kB", "200 headers"],
)
@pytest.mark.parametrize("upgrade", [False, True], ids=["request", "upgrade"])
async def test_a_head_within_the_limit_meets_no_bug(
    guarded: Node, line: str, upgrade: bool
) -> None:
    head = await _refused(guarded, "/health/live", line, upgrade=upgrade)

    status = int(head.split(" ")[1])
    assert status == 200 if not upgrade else 400 <= status < 500


async def test_a_head_that_never_ends_is_refused(guarded: Node) -> None:
    port = _port(guarded)
    async with dialled(port) as raw, asyncio.timeout(5):
        await raw.send(b"GET /health/live HTTP/1.1\r\nHost: a\r\nx: ")
        for _ in range(200):
            await raw.send(b"y" * 1_000)
        head = await raw.head()

    assert head.startswith(b"HTTP/1.1 431 ")


async def test_a_connection_goes_on_with_heads_that_are_large_only_together(
    guarded: Node,
) -> None:
    client = guarded.client()

    for _ in range(5):
        answer = await client.http.get("/health/live", headers={"x": "y" * 20_000})
        assert answer.status_code == 200


async def _refused(node: Node, path: str, line: str, *, upgrade: bool) -> str:
    port = _port(node)
    tail = "Connection: close\r\n"
    if upgrade:
        path = path.replace("/health/live", "/ws/sess_none")
        tail = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        )
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{tail}{line}\r\n\r\n"
    async with dialled(port) as raw, asyncio.timeout(5):
        await raw.send(request.encode())
        return (await raw.head()).decode("latin-1")


def _port(node: Node) -> int:
    return int(node.url.rpartition(":")[2])
