"""A real client over real sockets, that keeps what it saw."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from app.protocol.events import PROTOCOL, RUN_ENDS
from app.protocol.schemas import SERVER

SECONDS = 10.0  # nothing in these tests takes nearly as long

Event = dict[str, Any]


class Socket:
    """One open socket and everything it received."""

    def __init__(self, connection: ClientConnection) -> None:
        self.raw = connection
        self.seen: list[Event] = []

    async def send(self, type_: str, **fields: Any) -> None:
        await self.raw.send(json.dumps({"type": type_, **fields}))

    async def receive(self) -> Event:
        """Return the next frame; answers pings on the way."""
        async with asyncio.timeout(SECONDS):
            while True:
                event: Event = json.loads(await self.raw.recv())
                if event["type"] == "ping":
                    await self.raw.send('{"type":"pong"}')
                    continue
                SERVER.validate_python(event)  # what is sent is what is documented
                self.seen.append(event)
                return event

    async def until(self, wanted: str | Callable[[Event], bool]) -> Event:
        """Return the first frame from now on that is of this type, or fits."""
        fits = wanted if callable(wanted) else lambda event: event["type"] == wanted
        async with asyncio.timeout(SECONDS):
            while True:
                event = await self.receive()
                if fits(event):
                    return event

    async def until_end(self) -> Event:
        """Return the next end of a run."""
        return await self.until(lambda event: event["type"] in RUN_ENDS)

    async def ask(self, text: str, **fields: Any) -> Event:
        """Send a query and return its acknowledgement."""
        await self.send("query", id="q", query=text, **fields)
        return await self.until(lambda event: event.get("id") == "q")

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes; return its code and reason."""
        async with asyncio.timeout(SECONDS):
            with contextlib.suppress(Exception):
                while True:
                    self.seen.append(json.loads(await self.raw.recv()))
            await self.raw.wait_closed()
        return self.raw.close_code or 1006, self.raw.close_reason or ""

    def types(self) -> list[str]:
        return [event["type"] for event in self.seen]

    def numbered(self) -> list[Event]:
        """Return the events, that is what has an offset and is not a control frame."""
        return [event for event in self.seen if "key" in event and event["type"] != "snapshot"]


class Client:
    """An anonymous browser: one cookie jar, any number of sockets."""

    def __init__(self, url: str) -> None:
        self.url = url
        # no TLS here: loading the certificates of the world takes 30 ms for each client
        self.http = httpx.AsyncClient(base_url=url, timeout=SECONDS, verify=False)

    async def start(self, **body: Any) -> dict[str, Any]:
        answer = await self.http.post("/chat/start", json=body)
        assert answer.status_code == 201, answer.text
        started: dict[str, Any] = answer.json()
        return started

    @contextlib.asynccontextmanager
    async def socket(
        self,
        session: dict[str, Any] | str,
        *,
        hello: dict[str, Any] | None = None,
        path: str = "/ws/{}",
        **options: Any,
    ) -> AsyncIterator[Socket]:
        """Open a socket; with ``hello`` (a dictionary, perhaps empty), greet and go live."""
        session_id = session if isinstance(session, str) else session["session_id"]
        address = self.url.replace("http", "ws", 1) + path.format(session_id)
        options.setdefault("subprotocols", [PROTOCOL])
        async with connect(address, max_size=None, **options) as connection:
            socket = Socket(connection)
            if hello is not None:
                await socket.send("hello", **hello)
                await socket.until("live")
            yield socket

    async def close(self) -> None:
        await self.http.aclose()
