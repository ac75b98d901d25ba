"""The smallest clients that will do: HTTP with one kept connection, and a WebSocket.

A load client must never be the slow part, so these know nothing but what the bench says,
and take from a frame its type and nothing else.
"""

import asyncio
import re
import time
from typing import cast

HOST = "127.0.0.1"

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_TYPE = b'"type":'
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_PINGED = b'{"type":"pong"}'


def start_of(agent: str) -> bytes:
    """Return the body that starts a session with an agent."""
    return b'{"agent":"%b"}' % agent.encode()


class Closed(Exception):
    """The server ended the connection, or refused what was asked."""


class Http(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._buffer = b""
        self._waiter: asyncio.Future[bytes] | None = None

    @classmethod
    async def connect(cls, host: str, port: int) -> "Http":
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: cls(f"{host}:{port}"), host, port)
        return made

    async def post(self, path: str, body: bytes) -> bytes:
        """Send JSON; return the body of the answer.

        Raises:
            Closed: the answer is not 201, or there is none.
        """
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(
            b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (path.encode(), self._host.encode(), len(body), body)
        )
        return await self._waiter

    def close(self) -> None:
        self._waiter = None
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or self._waiter is None:
            return
        length = _LENGTH.search(head + b"\r\n")
        if length is None or not head.startswith(b"HTTP/1.1 201"):
            self._waiter.set_exception(Closed(head.split(b"\r\n", 1)[0].decode()))
            return
        if len(rest) >= int(length[1]):
            self._buffer = b""
            waiter, self._waiter = self._waiter, None
            waiter.set_result(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Closed(f"the connection was lost: {exc}"))


class Socket(asyncio.Protocol):
    """One WebSocket, without extensions. Notes when each type of frame came first, and what
    was in the frames if ``heard`` is made a list.
    """

    __slots__ = ("_buffer", "_open", "_transport", "_waiter", "_wanted", "first", "frames", "heard")

    def __init__(self) -> None:
        self.heard: list[bytes] | None = None
        self.first: dict[bytes, float] = {}
        self.frames = 0
        self._buffer = b""
        self._open = False
        self._wanted = b""
        self._waiter: asyncio.Future[float] | None = None

    @classmethod
    async def connect(
        cls, host: str, port: int, path: str, *, source: str | None = None
    ) -> "Socket":
        """Open a socket; return it when the server has accepted."""
        transport, made = await asyncio.get_running_loop().create_connection(
            cls, host, port, local_addr=(source, 0) if source else None
        )
        transport.write(
            b"GET %b HTTP/1.1\r\nhost: %b:%d\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-key: Y29sbG9xdXkgYmVuY2ghIQ==\r\nsec-websocket-version: 13\r\n"
            b"sec-websocket-protocol: colloquy.v1\r\n\r\n" % (path.encode(), host.encode(), port)
        )
        await made.until(b"open")
        return made

    @property
    def is_open(self) -> bool:
        return self._open

    def send(self, data: bytes) -> None:
        self._send(_TEXT, data)

    async def until(self, kind: bytes) -> float:
        """Return when the first frame of this type came, by ``time.perf_counter``.

        Raises:
            Closed: the server ends the connection before.
        """
        if kind in self.first:
            return self.first[kind]
        self._wanted = kind
        self._waiter = asyncio.get_running_loop().create_future()
        return await self._waiter

    def close(self) -> None:
        """Say goodbye; the server cuts the connection."""
        self._waiter = None
        if self._open:
            self._send(_CLOSE, b"\x03\xe8")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()  # the loop's own clock counts milliseconds
        data = self._buffer + data
        start = 0
        if not self._open:
            start = data.find(b"\r\n\r\n") + 4
            if start < 4:
                self._buffer = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self._fail(data.split(b"\r\n", 1)[0].decode())
                return
            self._open = True
            self._came(b"open", now)
        while len(data) - start >= 2:
            head = start + 2
            length = data[start + 1]
            if length == 126:
                head += 2
                length = int.from_bytes(data[start + 2 : head], "big")
            elif length == 127:
                head += 8
                length = int.from_bytes(data[start + 2 : head], "big")
            end = head + length
            if head > len(data) or end > len(data):
                break
            self._frame(data[start] & 0xF, data[head:end], now)
            start = end
        self._buffer = data[start:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        self._fail(f"the connection was lost: {exc}")

    def _frame(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == _TEXT:
            self.frames += 1
            if self.heard is not None:
                self.heard.append(payload)
            begins = payload.index(b'"', payload.index(_TYPE) + len(_TYPE)) + 1
            kind = payload[begins : payload.index(b'"', begins)]
            if kind == b"ping":
                self.send(_PINGED)
            self._came(kind, now)
        elif opcode == _PING:
            self._send(_PONG, payload)
        elif opcode == _CLOSE:
            self._fail(f"closed with {int.from_bytes(payload[:2], 'big')}")

    def _came(self, kind: bytes, now: float) -> None:
        if kind not in self.first:
            self.first[kind] = now
        if kind == self._wanted and self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(now)

    def _fail(self, why: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Closed(why))

    def _send(self, opcode: int, data: bytes) -> None:
        # Masked with zeros: legal, and free. There is no proxy here to be protected.
        length = len(data)
        head = (
            bytes((0x80 | opcode, 0x80 | length))
            if length < 126
            else b"%b%b"
            % (
                bytes((0x80 | opcode, 0x80 | 126)),
                length.to_bytes(2, "big"),
            )
        )
        self._transport.write(head + b"\0\0\0\0" + data)
