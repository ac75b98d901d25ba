"""What clients send: read, refused with one clear error, or acknowledged after commit."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.embedded.servers import Addresses
from app.storage.postgres import Postgres
from tests.conftest import make_settings
from tests.sessions.rows import rows
from tests.support.client import Socket
from tests.support.node import Node, running_node
from tests.support.proxy import proxied
from tests.support.scripted import GATES, NAME


@pytest.fixture(scope="module")
async def patient(stores: Addresses) -> AsyncIterator[Node]:
    """A node that lets one connection send many frames."""
    settings = make_settings(
        stores, protocol={"frames_per_window": 1_000, "malformed_frames": 1_000}
    )
    async with running_node(settings) as node:
        yield node


@pytest.fixture(scope="module")
async def line(patient: Node) -> AsyncIterator[Socket]:
    """One connection that all of the bad frames below go over."""
    client = patient.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        yield socket


def nested(depth: int) -> str:
    return '{"type":"ping","id":"n","x":' + "[" * depth + "]" * depth + "}"


BAD = {
    "empty": ("", "malformed_frame"),
    "blank": ("  ", "malformed_frame"),
    "no JSON": ("{", "malformed_frame"),
    "two": ("{}{}", "malformed_frame"),
    "a list": ("[]", "malformed_frame"),
    "a text": ('"query"', "malformed_frame"),
    "null": ("null", "malformed_frame"),
    "a number": ("1e999", "malformed_frame"),
    "NaN": ('{"type":"ping","id":NaN}', "malformed_frame"),
    "no type": ('{"query":"x"}', "malformed_frame"),
    "a type that is none": ('{"type":5}', "unknown_type"),
    "a null type": ('{"type":null}', "unknown_type"),
    "an unknown type": ('{"type":"dance"}', "unknown_type"),
    "a type of the server": ('{"type":"welcome"}', "unknown_type"),
    "another hello": ('{"type":"hello"}', "unexpected_frame"),
    "no text": ('{"type":"query"}', "malformed_frame"),
    "a text that is none": ('{"type":"query","query":5}', "malformed_frame"),
    "a null text": ('{"type":"query","query":null}', "malformed_frame"),
    "an id that is none": ('{"type":"query","query":"x","id":5}', "malformed_frame"),
    "an empty id": ('{"type":"query","query":"x","id":""}', "malformed_frame"),
    "a long id": ('{"type":"query","query":"x","id":"%s"}' % ("i" * 65), "malformed_frame"),
    "an empty message id": (
        '{"type":"query","query":"x","client_message_id":""}',
        "malformed_frame",
    ),
    "a wish that is none": ('{"type":"query","query":"x","on_busy":"dance"}', "malformed_frame"),
    "NUL": ('{"type":"query","query":"a\\u0000b"}', "malformed_frame"),
    "NUL in an id": ('{"type":"query","query":"x","id":"\\u0000"}', "malformed_frame"),
    "a lone high surrogate": ('{"type":"query","query":"\\ud800"}', "malformed_frame"),
    "a lone low surrogate": ('{"type":"query","query":"\\udc00x"}', "malformed_frame"),
    "deep": (nested(17), "malformed_frame"),
    "deeper": (nested(1_000), "malformed_frame"),
    "deepest": (nested(100_000), "malformed_frame"),
    "open without end": ("[" * 200_000, "malformed_frame"),
    "a number without end": ('{"type":"ping","x":%s}' % ("9" * 200_000), "malformed_frame"),
    "blanks only": ('{"type":"query","query":" \\t\\n\\u3000\\u00a0"}', "blank_text"),
    "no text at all": ('{"type":"query","query":""}', "blank_text"),
    "nothing visible": ('{"type":"query","query":"\\u200b\\ufeff\\u2060"}', "blank_text"),
    "too long": (json.dumps({"type": "query", "query": "가" * 16_001}), "text_too_long"),
    "another agent": ('{"type":"query","query":"x","agent":"supervisor"}', "wrong_agent"),
    "no run": ('{"type":"cancel"}', "run_not_found"),
    "no such run": (f'{{"type":"cancel","run_id":"{uuid.UUID(int=1)}"}}', "run_not_found"),
    "a run that is none": ('{"type":"cancel","run_id":"x"}', "run_not_found"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
async def test_a_bad_frame_is_one_clear_error_and_the_connection_lives(
    line: Socket, case: str
) -> None:
    text, code = BAD[case]

    await line.raw.send(text)
    error = await line.until("error")

    assert error["code"] == code
    assert error["temporary"] is False
    assert 10 < len(error["message"]) < 200
    assert error["message"].endswith(".")
    await line.send("ping", id=case[:64])
    assert (await line.until("pong"))["id"] == case[:64]
    assert not line.numbered()


async def test_the_error_names_the_frame_where_it_can_be_known(line: Socket) -> None:
    for text, ref in (
        ('{"type":"query","id":"c1"}', "c1"),
        ('{"type":"dance","id":"c2"}', "c2"),
        ('{"id":"c3"}', "c3"),
        ('{"type":"query","query":"","id":"c4"}', "c4"),
        ('{"type":"query","id":"c5","query":5}', "c5"),
        ('{"type":"query","id":5}', None),
        ("rubbish", None),
    ):
        await line.raw.send(text)
        assert (await line.until("error"))["id"] == ref


async def test_an_empty_frame_that_comes_first_is_answered_too(node: Node) -> None:
    """It was taken for no frame at all: the client waited for an answer in vain."""
    session = await node.client().start()

    async with node.client().socket(session) as socket:
        await socket.raw.send("")
        error = await socket.until("error")

    assert error["code"] == "malformed_frame"


async def test_fields_of_a_newer_client_are_ignored(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={"tab": "t", "mood": "good"}) as socket:
        ack = await socket.ask("say:hello", emphasis={"deep": [1]}, attachments=[])
        await socket.until_end()

    assert ack["type"] == "ack"


@pytest.mark.parametrize("text", ["x", "가" * 16_000, "🦊", "a\r\nb\tc", "́", "<script>"])
async def test_a_text_is_stored_as_it_was_sent(
    patient: Node, postgres: Postgres, text: str
) -> None:
    client = patient.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        ack = await socket.ask(text)
        event = await socket.until("user_message")

    assert event["text"] == text
    [row] = await rows(postgres, "SELECT text FROM messages WHERE id = :id", id=ack["message_id"])
    assert row["text"] == text


async def test_when_the_ack_arrives_message_and_run_are_committed(
    patient: Node, postgres: Postgres
) -> None:
    client = patient.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        for number in range(20):
            gate = uuid.uuid4().hex
            ack = await socket.ask(f"wait:{gate}", on_busy="replace")
            [row] = await rows(
                postgres,
                "SELECT m.role, m.run_id, r.status, c.message_count FROM messages m"
                " JOIN runs r ON r.id = m.run_id JOIN chats c ON c.id = m.chat_id"
                " WHERE m.id = :id AND r.message_id = m.id",
                id=ack["message_id"],
            )
            GATES.open(gate)

            assert (row["role"], str(row["run_id"])) == ("user", ack["run_id"])
            assert row["message_count"] >= number + 1


async def test_a_query_without_an_id_is_done_and_not_acknowledged(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        await socket.send("query", query="say:hello")
        await socket.until_end()

    assert "ack" not in socket.types()


async def test_a_resend_is_acknowledged_with_what_was_done_the_first_time(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        first = await socket.ask("say:hello", client_message_id="m1")
        await socket.until_end()
        second = await socket.ask("say:hello", client_message_id="m1")
        conflict = await socket.ask("say:bye", client_message_id="m1")
        same = await socket.ask("say:hello", client_message_id="m2")

    assert (first["duplicate"], second["duplicate"], same["duplicate"]) == (False, True, False)
    assert second == first | {"duplicate": True}
    assert same["message_id"] != first["message_id"]
    assert (conflict["type"], conflict["code"]) == ("error", "idempotency_conflict")


async def test_pings_are_answered_with_their_id(node: Node) -> None:
    client = node.client()
    session = await client.start()

    async with client.socket(session, hello={}) as socket:
        await socket.send("ping", id="p1")
        await socket.send("ping")
        pongs = [await socket.until("pong"), await socket.until("pong")]

    assert pongs == [{"type": "pong", "id": "p1"}, {"type": "pong", "id": None}]


async def test_invalid_utf_8_ends_that_connection_only(node: Node) -> None:
    client = node.client()
    session = await client.start()

    async with (
        client.socket(session, hello={}) as healthy,
        client.socket(session, hello={}) as socket,
    ):
        await socket.raw.send(b"\xff\xfe", text=True)
        assert (await socket.closed())[0] == 1007
        await healthy.send("ping", id="p")
        await healthy.until("pong")


# Limits


async def test_frames_beyond_the_rate_are_told_when_to_come_back(stores: Addresses) -> None:
    settings = make_settings(stores, protocol={"frames_per_window": 3, "window_seconds": 0.3})
    async with running_node(settings) as node:
        client = node.client()
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            for number in range(4):
                await socket.send("ping", id=str(number))
            error = await socket.until("error")
            assert (error["code"], error["id"], error["temporary"]) == ("rate_limited", "3", True)
            assert 0 < error["retry_after_ms"] <= 301

            for _ in range(4):  # time and again, and the connection is still there
                await asyncio.sleep(error["retry_after_ms"] / 1_000)
                for number in range(4):
                    await socket.send("ping", id=str(number))
                error = await socket.until("error")
                assert error["code"] == "rate_limited"
            await asyncio.sleep(error["retry_after_ms"] / 1_000)
            assert (await socket.ask("say:hello"))["type"] == "ack"


async def test_commands_that_wait_for_the_database_are_limited_and_none_is_lost(
    stores: Addresses,
) -> None:
    async with proxied(stores) as proxies:
        settings = make_settings(proxies.addresses, protocol={"unacknowledged": 3})
        async with running_node(settings) as node:
            client = node.client()
            session = await client.start(agent=NAME)
            async with client.socket(session, hello={}) as socket:
                proxies.postgres.stall()
                for number in range(5):
                    await socket.send("query", id=str(number), query=f"say:{number}")
                replies = [await _reply(socket) for _ in range(2)]
                await socket.send("ping", id="p")  # the reader is not held up
                await socket.until("pong")
                await proxies.postgres.restore()
                replies += [await _reply(socket) for _ in range(3)]

    assert [(one["id"], one["type"]) for one in replies] == [
        ("3", "error"),
        ("4", "error"),
        ("0", "ack"),
        ("1", "ack"),
        ("2", "ack"),
    ]
    assert {one["code"] for one in replies[:2]} == {"rate_limited"}
    assert all(one["retry_after_ms"] > 0 for one in replies[:2])


async def _reply(socket: Socket) -> dict[str, Any]:
    return await socket.until(lambda event: event["type"] in {"ack", "error"})


async def test_without_postgres_a_query_is_refused_and_may_be_sent_again(
    stores: Addresses,
) -> None:
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            database={"pool_size": 3, "connect_seconds": 1, "migrate": False},
        )
        async with running_node(settings) as node:
            client = node.client()
            session = await client.start(agent=NAME)
            async with client.socket(session, hello={}) as socket:
                await proxies.postgres.cut()
                error = await socket.ask("say:hello", client_message_id="m")
                await proxies.postgres.restore()
                ack = await socket.ask("say:hello", client_message_id="m")
                await socket.until_end()

    assert (error["type"], error["code"], error["temporary"]) == ("error", "unavailable", True)
    assert error["retry_after_ms"] > 0
    assert (ack["type"], ack["duplicate"]) == ("ack", False)
