"""uvicorn's WebSocket protocol, made to let go of clients that do not read.

uvicorn closes a transport politely, which waits until the client has read what is queued:
one that never reads keeps its socket and its memory for ever. Here every goodbye has an
end. And a frame that is too large is answered with our own code, which clients know.
"""

import contextlib
import socket
from asyncio import BaseTransport
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import State
from websockets.server import ServerProtocol

from app.protocol.close import FRAME_TOO_LARGE, Close, rate_limited

_EXTENSION = "colloquy.transport"
_DISCARD_SECONDS = 1.0  # for the rest of a frame that nobody will read

# The kernel takes up to 4 MiB for a client that does not read, each, and until they are full
# nothing looks slow. More than this of what is not even on its way stays with us.
_UNSENT_BYTES = 131_072

_PARSED_BYTES = 4_096  # at once; the smallest frames have six
_PINGS, _PING_SECONDS = 100, 10.0  # of the protocol's own, whatever a client does beside


class _Messages(ServerProtocol):
    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        if code == CloseCode.MESSAGE_TOO_BIG:
            code, reason = FRAME_TOO_LARGE
        super().fail(code, reason)


class AbortableProtocol(WebSocketsSansIOProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Messages(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )
        self._deaf = False
        self._unparsed = bytearray()
        self._pings = 0
        self._pings_until = 0.0

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):  # not TCP: a Unix socket behind a proxy
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        scope = getattr(self, "scope", None)  # not there when the handshake was refused
        if scope is not None:  # the application's task has not begun yet
            scope["extensions"][_EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._unparsed or len(data) > _PARSED_BYTES:
            is_new = not self._unparsed
            self._unparsed += data
            if is_new:
                self._parse_some()
        else:
            super().data_received(data)
            self._answer_unreadable()

    async def receive(self) -> Any:
        message = await super().receive()
        if self._unparsed and not self.read_paused:
            self._parse_soon()
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        self._unparsed.clear()
        super().connection_lost(exc)

    def _parse_some(self) -> None:
        """Parse a little: one read may bring forty thousand frames, and meanwhile nobody else
        is served. After a message the rest waits until that has been taken.
        """
        some = bytes(self._unparsed[:_PARSED_BYTES])
        del self._unparsed[:_PARSED_BYTES]
        super().data_received(some)
        self._answer_unreadable()
        if self._deaf:
            self._unparsed.clear()
            self._resume()
        elif self._unparsed and not self.read_paused:
            self._parse_soon()

    def _answer_unreadable(self) -> None:
        """Send the refusal of a handshake that cannot be read: uvicorn would wait for ever."""
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._deaf = True
            self._abort_after(_DISCARD_SECONDS)

    def _parse_soon(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_soon(self._parse_more)

    def _parse_more(self) -> None:
        if self.read_paused or self.transport.is_closing():
            return
        if self._unparsed:
            self._parse_some()
        if not self._unparsed and not self.read_paused:
            self._resume()

    def _resume(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def handle_ping(self) -> None:
        now = self.loop.time()
        if now >= self._pings_until:
            self._pings, self._pings_until = 0, now + _PING_SECONDS
        self._pings += 1
        if self._pings > _PINGS:
            self._end(rate_limited(int(_PING_SECONDS * 1_000)))
        elif self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # nobody reads what answers them

    def _end(self, close: Close) -> None:
        if self._deaf:
            return
        if self.conn.state is State.OPEN:
            self.conn.send_close(*close)
        self.handle_parser_exception()

    def handle_cont(self, event: Any) -> None:
        # One growing text: a list of pieces costs forty bytes for each, even an empty one.
        message: list[Any] = self.frames
        if not isinstance(message[0], bytearray):
            message[0] = bytearray(message[0])
        message[0] += event.data
        if event.fin:
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self._deaf:
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:  # a client's fault: uvicorn logs it as ours, with its text
                self.frames = []
                self._end(Close(CloseCode.INVALID_DATA))
                return
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        await self.writable.wait()
        if self._deaf and self.handshake_complete:
            return  # closed from here, and whoever reads is told so
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # else uvicorn logs each refusal as an error
        if message["type"] == "websocket.close" and self.close_timer is not None:
            self._abort_after(self.close_timeout)

    def handle_close(self, event: Any) -> None:
        super().handle_close(event)
        self._abort_unless_sent()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_unless_sent()

    def handle_parser_exception(self) -> None:
        # Closed at once, with the rest of the frame unread, the kernel would reset the
        # connection, and the client would lose the very frame that tells it why.
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close is not None else (1006, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self._deaf = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._abort_after(_DISCARD_SECONDS)

    def _abort_unless_sent(self) -> None:
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._abort_after(self.close_timeout)

    def _abort_after(self, seconds: float) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)


def limit_goodbye(scope: Scope, seconds: float) -> None:
    """Bound how long a client may take to answer a close, and to read what was sent before
    it. Does nothing on other servers than ours.
    """
    protocol: AbortableProtocol | None = scope["extensions"].get(_EXTENSION)
    if protocol is not None:
        protocol.close_timeout = seconds


def abort(scope: Scope) -> None:
    """Cut a connection off, whatever is unsent. Does nothing on other servers than ours."""
    protocol: AbortableProtocol | None = scope["extensions"].get(_EXTENSION)
    if protocol is not None:
        protocol.transport.abort()
