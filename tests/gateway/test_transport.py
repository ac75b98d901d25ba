"""Frames that no library sends: what they cost is bounded, and nobody else waits for them."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from app.gateway.transport import AbortableProtocol
from app.observability.metrics import REGISTRY
from tests.gateway.test_slow_clients import serving
from tests.support.node import Node
from tests.support.raw import Op, Raw, frame, upgraded
from tests.support.until import until

MANY = 20_000
LAST = frame(Op.TEXT, b'{"type":"ping","id":"last"}')


@contextlib.asynccontextmanager
async def raw_socket(node: Node, *, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    session = await node.client().start()
    port = int(node.url.rpartition(":")[2])
    async with upgraded(port, session["ws_path"], receive_buffer=receive_buffer) as raw:
        yield raw


async def answer(raw: Raw) -> bytes | None:
    """Return the answer to ``LAST``, or None if the connection was closed before."""
    async with asyncio.timeout(10):
        while (text := await raw.text()) is not None and b'"last"' not in text:
            pass
    return text


async def test_a_message_in_very_many_pieces_is_one_message(node: Node) -> None:
    pieces = frame(Op.MORE, fin=False) + frame(Op.MORE, b" ", fin=False)
    async with raw_socket(node) as raw:
        await raw.send(frame(Op.TEXT, b'{"type":"ping",', fin=False) + pieces * MANY)
        await raw.send(frame(Op.MORE, b'"id":"last"}'))

        assert await answer(raw) == b'{"type":"pong","id":"last"}'


async def test_who_pings_now_and_then_is_answered(node: Node) -> None:
    async with raw_socket(node) as raw:
        await raw.send(frame(Op.PING, b"x") * 50 + LAST)

        assert await answer(raw) is not None
        assert raw.pongs == [b"x"] * 50


async def test_who_pings_without_end_gets_4129(node: Node) -> None:
    async with raw_socket(node) as raw:
        await raw.send(frame(Op.PING, b"x" * 125) * MANY)

        assert await answer(raw) is None
        assert raw.code == 4129


async def test_bad_utf_8_is_not_an_error_of_ours(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    """It was logged as one, with the client's words."""
    async with raw_socket(node) as raw:
        await raw.send(frame(Op.TEXT, b"\xff"))

        assert await answer(raw) is None
        assert raw.code == 1007
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_what_is_said_to_one_who_was_just_closed_is_lost_and_no_crash(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer ran into the transport's own close: that was logged as a bug, and as 4100."""
    close = AbortableProtocol.handle_parser_exception

    def overtaken(protocol: AbortableProtocol) -> None:
        for connection in node.services.hub:
            connection.offer(b"{}")
        close(protocol)

    monkeypatch.setattr(AbortableProtocol, "handle_parser_exception", overtaken)
    before = closes("4100"), closes("client")
    async with raw_socket(node) as raw:
        await raw.send(LAST)
        await answer(raw)
        await raw.send(frame(Op.PING, b"x" * 126))
        await answer(raw)
    await until(lambda: before != (closes("4100"), closes("client")))

    assert raw.code == 1002
    assert closes("4100") == before[0]


def closes(code: str) -> float:
    """Return how many sockets have ended so."""
    return REGISTRY.get_sample_value("colloquy_connections_closed_total", {"code": code}) or 0


async def test_the_kernel_takes_little_for_one_who_does_not_read(node: Node) -> None:
    async with raw_socket(node) as raw:
        await raw.send(LAST)
        await answer(raw)
        transport = serving(raw.port)
        assert transport is not None
        wire = transport.get_extra_info("socket")
        unsent = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)

    assert 0 < unsent <= 131_072


async def test_many_small_frames_let_others_have_their_turn(node: Node) -> None:
    """All that one read brings was parsed at once, for a tenth of a second and more."""
    loop, longest = asyncio.get_running_loop(), 0.0
    async with raw_socket(node) as raw:
        sending = asyncio.create_task(raw.send(frame(Op.TEXT, b"1") * MANY))
        closing = asyncio.create_task(answer(raw))
        while not closing.done():
            since = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - since)
        await sending

    assert raw.code == 4000
    assert longest < 0.05
