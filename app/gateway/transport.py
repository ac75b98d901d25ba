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
from websockets.server import ServerProtocol

from app.protocol.close import FRAME_TOO_LARGE

_EXTENSION = "colloquy.transport"
_DISCARD_SECONDS = 1.0  # for the rest of a frame that nobody will read

# The kernel takes up to 4 MiB for a client that does not read, each, and until they are full
# nothing looks slow. More than this of what is not even on its way stays with us.
_UNSENT_BYTES = 131_072


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
        if not self._deaf:
            super().data_received(data)

    async def send(self, message: Any) -> None:
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
