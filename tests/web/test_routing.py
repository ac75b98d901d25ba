"""Addresses and methods that are not there, in the one error shape."""

import asyncio

import pytest

from tests.support.answers import error_of
from tests.support.node import Node


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/chat",
        "/api/v1/chat/sessions",
        "/chats",
        "/chat/sessions/a/b",
        "/%00",
        "/%ff%fe",
        "/..%2f..%2fetc%2fpasswd",
        "/assets/../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/main.py",
        "//evil.example/",
    ],
)
async def test_an_unknown_address_is_not_found(node: Node, path: str) -> None:
    answer = await node.client().http.get(node.url + path)

    error_of(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat/start", "POST"),
        ("DELETE", "/api/v1/chat/start", "POST"),
        ("PUT", "/chat/sessions/x", "DELETE, GET, HEAD"),
        ("POST", "/chat/conversations", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
    ],
)
async def test_another_method_is_told_which_ones_there_are(
    node: Node, method: str, path: str, allowed: str
) -> None:
    answer = await node.client().http.request(method, path)

    error_of(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


async def test_a_socket_without_an_upgrade_is_not_found(node: Node) -> None:
    session = await node.client().start()

    answer = await node.client().http.get(session["ws_path"])

    error_of(answer, 404, "not_found")


async def test_head_is_get_without_a_body(node: Node) -> None:
    answer = await node.client().http.head("/health/live")

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"POST /chat/start HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /chat/start HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_refused_and_harms_nobody(node: Node, raw: bytes) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    writer.write_eof()

    async with asyncio.timeout(5):
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
    writer.close()

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in answer
    assert (await node.client().http.get("/health/live")).status_code == 200
