"""A WebSocket opened by hand, for clients that a library would not let us be."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

from tests.support.client import Client


@contextlib.asynccontextmanager
async def upgraded(
    client: Client, session: dict[str, Any], *, receive_bytes: int | None = None
) -> AsyncIterator[socket.socket]:
    """Open a socket and read no further than the end of the handshake.

    Args:
        client: whose node it goes to.
        session: whose socket it is.
        receive_bytes: how much the kernel keeps for a client that does not read.
    """
    host, port = client.url.removeprefix("http://").split(":")
    with socket.socket() as raw:
        if receive_bytes is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, (host, int(port)))
        request = (
            f"GET {session['ws_path']} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        await loop.sock_sendall(raw, request.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await loop.sock_recv(raw, 1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield raw
