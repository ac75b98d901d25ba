"""Whatever a body holds, a start answers in the one error shape and stores nothing."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from app.storage.postgres import Postgres
from tests.sessions.rows import count, session_row
from tests.support.answers import error_of
from tests.support.node import Node


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


BAD = {
    "not JSON": (b"{", 422, "malformed_body"),
    "cut off": (b'{"agent":"superv', 422, "malformed_body"),
    "not UTF-8": (b'{"agent":"\xff\xfe"}', 422, "malformed_body"),
    "blanks only": (b"   ", 422, "malformed_body"),
    "a list": (b"[]", 422, "malformed_body"),
    "a text": (b'"hello"', 422, "malformed_body"),
    "null": (b"null", 422, "malformed_body"),
    "a number": (b"12", 422, "malformed_body"),
    "two objects": (b"{}{}", 422, "malformed_body"),
    "agent is a number": (b'{"agent":5}', 422, "malformed_body"),
    "agent is empty": (b'{"agent":""}', 422, "malformed_body"),
    "agent is too long": (b'{"agent":"%s"}' % (b"a" * 65), 422, "malformed_body"),
    "agent holds NUL": (b'{"agent":"a\\u0000b"}', 422, "malformed_body"),
    "agent is a lone surrogate": (b'{"agent":"\\ud800"}', 422, "malformed_body"),
    "chat_id is a number": (b'{"chat_id":5}', 422, "malformed_body"),
    "chat_id is no UUID": (b'{"chat_id":"chat-1"}', 422, "malformed_body"),
    "chat_id is a list": (b'{"chat_id":[]}', 422, "malformed_body"),
    "user_id is a text": (b'{"user_id":"1"}', 422, "malformed_body"),
    "user_id is true": (b'{"user_id":true}', 422, "malformed_body"),
    "user_id is a fraction": (b'{"user_id":1.5}', 422, "malformed_body"),
    "metadata is a list": (b'{"metadata":[]}', 422, "malformed_body"),
    "metadata is a text": (b'{"metadata":"x"}', 422, "malformed_body"),
    "metadata is not finite": (b'{"metadata":{"a":NaN}}', 422, "malformed_body"),
    "metadata is infinite": (b'{"metadata":{"a":[-Infinity]}}', 422, "malformed_body"),
    "metadata overflows": (b'{"metadata":{"a":1e400}}', 422, "malformed_body"),
    "metadata holds NUL": (b'{"metadata":{"a":"x\\u0000"}}', 422, "malformed_body"),
    "a key of metadata holds NUL": (b'{"metadata":{"\\u0000":1}}', 422, "malformed_body"),
    "metadata is a lone surrogate": (b'{"metadata":{"a":"\\udfff"}}', 422, "malformed_body"),
    "metadata is a huge number": (
        b'{"metadata":{"a":%s}}' % (b"9" * 40),
        422,
        "malformed_body",
    ),
    "metadata is a number without end": (
        b'{"metadata":{"a":%s}}' % (b"9" * 5_000),
        422,
        "malformed_body",
    ),
    "metadata is too large": (
        b'{"metadata":{"a":"%s"}}' % (b"x" * 8_192),
        422,
        "bad_request",
    ),
    "metadata is nested without end": (
        f'{{"metadata":{nested(100_000)}}}'.encode(),
        422,
        "malformed_body",
    ),
    "metadata is nested too deeply": (
        f'{{"metadata":{nested(60)}}}'.encode(),
        422,
        "malformed_body",
    ),
    "too large": (b'{"metadata":{"a":"%s"}}' % (b"x" * 1_100_000), 413, "body_too_large"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
@pytest.mark.parametrize("keyed", [False, True], ids=["", "with a key"])
async def test_a_bad_body_is_one_clear_error(
    node: Node, postgres: Postgres, case: str, keyed: bool
) -> None:
    content, status, code = BAD[case]
    before = [await count(postgres, table) for table in ("sessions", "chats", "visitors")]

    answer = await node.client().http.post(
        "/chat/start", content=content, headers={"idempotency-key": case} if keyed else {}
    )

    error = error_of(answer, status, code)
    assert "pydantic" not in error["message"].lower()
    assert len(error["message"]) < 200
    after = [await count(postgres, table) for table in ("sessions", "chats", "visitors")]
    assert after == before
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "metadata",
    [
        {"text": "\\u0000 written out, not meant"},
        {"path": "C:\\u0000"},
        {"emoji": "🦊", "zero width": "\u200b"},
        {"big": 2**63 - 1, "small": -(2**63)},
        json.loads(nested(20)),
    ],
    ids=["escaped", "after one backslash", "astral", "64 bits", "20 levels"],
)
async def test_unusual_metadata_that_can_be_kept_is_kept(
    node: Node, postgres: Postgres, metadata: dict[str, object]
) -> None:
    session = await node.client().start(metadata=metadata)

    row = await session_row(postgres, session["session_id"])

    assert row["metadata"] == metadata


async def test_a_body_is_refused_while_it_is_still_being_sent(node: Node) -> None:
    """Neither a length that is announced nor one that is not gets a huge body read."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 65_536
            await asyncio.sleep(0)

    answer = await node.client().http.post("/chat/start", content=endless())

    error_of(answer, 413, "body_too_large")


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(node: Node) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /chat/start HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()

    assert (await node.client().start())["session_id"]
