"""The load client reads what servers send, however the network cuts it."""

import asyncio

import pytest

from bench.wire import Closed, Http, Socket


class Wire(asyncio.Transport):
    """Takes what a client writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))


def connected() -> tuple[Socket, Wire]:
    socket, wire = Socket(), Wire()
    socket.connection_made(wire)
    return socket, wire


def frame(payload: bytes, opcode: int = 1) -> bytes:
    if len(payload) < 126:
        return bytes((0x80 | opcode, len(payload))) + payload
    return bytes((0x80 | opcode, 126)) + len(payload).to_bytes(2, "big") + payload


UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n"


@pytest.mark.parametrize("cut", [1, 7, 10_000], ids=["bytes", "pieces", "whole"])
async def test_frames_are_found_wherever_the_stream_is_cut(cut: int) -> None:
    socket, _ = connected()
    long = b'{"offset":2,"type":"message_delta","text":"%b"}' % (b"x" * 300)
    stream = UPGRADED + frame(b'{"type":"live","offset":1}') + frame(long)

    for start in range(0, len(stream), cut):
        socket.data_received(stream[start : start + cut])

    assert set(socket.first) == {b"open", b"live", b"message_delta"}
    assert socket.frames == 2


async def test_pings_of_both_kinds_are_answered() -> None:
    socket, wire = connected()

    socket.data_received(UPGRADED + frame(b'{"type": "ping"}') + frame(b"abc", opcode=9))

    assert [data[6:] for data in wire.written] == [b'{"type":"pong"}', b"abc"]
    assert [data[0] & 0xF for data in wire.written] == [1, 10]


async def test_a_close_reaches_whoever_waits() -> None:
    socket, _ = connected()
    socket.data_received(UPGRADED)
    waiting = asyncio.ensure_future(socket.until(b"run_completed"))
    await asyncio.sleep(0)

    socket.data_received(frame((4004).to_bytes(2, "big"), opcode=8))

    with pytest.raises(Closed, match="4004"):
        await waiting


async def test_an_answer_that_is_not_a_success_is_an_error() -> None:
    http = Http("127.0.0.1:1")
    http.connection_made(Wire())
    asking = asyncio.ensure_future(http.post("/chat/start", b"{}"))
    await asyncio.sleep(0)

    http.data_received(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")

    with pytest.raises(Closed, match="503"):
        await asking


async def test_an_answer_in_pieces_is_put_together() -> None:
    http = Http("127.0.0.1:1")
    http.connection_made(Wire())
    asking = asyncio.ensure_future(http.post("/chat/start", b"{}"))
    await asyncio.sleep(0)

    for piece in (b"HTTP/1.1 201 Created\r\nContent-Len", b'gth: 8\r\n\r\n{"a"', b": 1}"):
        http.data_received(piece)

    assert await asking == b'{"a": 1}'
