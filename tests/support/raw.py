"""A WebSocket client made of bytes: it can say what no library would."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from enum import IntEnum

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
_MEDIUM, _LONG = 126, 127  # lengths that say that the length follows


class Op(IntEnum):
    MORE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(
    op: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """Return a frame (RFC 6455, section 5.2), right or wrong.

    Args:
        op: the opcode, 0 to 15.
        payload: what it carries; its mask is zero.
        fin: whether it is the last of its message.
        reserved: the three bits that mean nothing here.
        masked: clients must; servers must not.
        length: what it says of its length.
    """
    size = len(payload) if length is None else length
    mask = 0x80 if masked else 0
    first = (0x80 if fin else 0) | reserved << 4 | op
    if size < _MEDIUM:
        head = struct.pack("!BB", first, mask | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, mask | _MEDIUM, size)
    else:
        head = struct.pack("!BBQ", first, mask | _LONG, size)
    return head + (bytes(4) if masked else b"") + payload


class Raw:
    """One connection, beyond its handshake or without one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.code: int | None = None
        """Of the close frame, once one has come."""
        self.pongs: list[bytes] = []
        """What they carried."""
        self.port: int = writer.get_extra_info("sockname")[1]
        self._reader = reader
        self._writer = writer

    async def upgrade(self, path: str, port: int, early: bytes) -> None:
        """Do the handshake, and send ``early`` before it is answered."""
        sending = asyncio.create_task(
            self.send(_UPGRADE.format(path=path, port=port).encode() + early)
        )
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        await sending

    async def send(self, data: bytes) -> None:
        """Send bytes; that the server has gone is no error."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def head(self) -> bytes:
        """Return the head of an HTTP answer."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def finish(self) -> None:
        """Say that no more will come."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    async def text(self) -> bytes | None:
        """Return the next text message, or None at the end."""
        while (received := await self._frame()) is not None:
            op, payload = received
            if op == Op.TEXT:
                return payload
            if op == Op.PONG:
                self.pongs.append(payload)
            if op == Op.CLOSE:
                self.code = int.from_bytes(payload[:2], "big")
                break
        return None

    async def over(self) -> None:
        """Read whatever comes until the server ends it."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65_536):
                pass

    async def _frame(self) -> tuple[int, bytes] | None:
        try:
            first, size = await self._reader.readexactly(2)
            if size == _MEDIUM:
                [size] = struct.unpack("!H", await self._reader.readexactly(2))
            elif size == _LONG:
                [size] = struct.unpack("!Q", await self._reader.readexactly(8))
            return first & 15, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


@contextlib.asynccontextmanager
async def dialled(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """Connect, and say nothing yet; the connection is aborted after the block."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=receive_buffer or 65_536)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def upgraded(
    port: int, path: str, *, early: bytes = b"", receive_buffer: int | None = None
) -> AsyncIterator[Raw]:
    """Connect and do the handshake."""
    async with dialled(port, receive_buffer=receive_buffer) as raw:
        await raw.upgrade(path, port, early)
        yield raw
