"""uvicorn's WebSocket protocol, with a way to cut a connection that does not read.

uvicorn's keepalive closes the transport politely, which waits for the client to read what
is queued: one that never reads is never dropped. ``abort`` does not wait.
"""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "colloquy.abort"


class AbortableProtocol(WebSocketsSansIOProtocol):
    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        scope = getattr(self, "scope", None)  # not there when the handshake was refused
        if scope is not None:  # the application's task has not begun yet
            scope["extensions"][EXTENSION] = self.transport.abort

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()
