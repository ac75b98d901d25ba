"""Stands between two ends of a wire, TCP or Unix, and can hurt it in every way a network does."""

import asyncio
import contextlib
import socket
import struct
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app.embedded.servers import Addresses

Address = Path | tuple[str, int]

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST instead of FIN
_GAP_SECONDS = 0.0005  # between slices, so that each is a packet of its own
_WAITING_BYTES = 65_536  # more than this is left with the sender


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to bytes on their way in one direction. By default: nothing."""

    lost: bool = False
    """They are read and thrown away, as a network does that is gone without a word."""
    held: bool = False
    """They are not even read: the sender's buffers fill up."""
    rate: float | None = None
    """Bytes per second that get through."""
    delay: float = 0.0
    """Seconds that each takes longer."""
    piece: int | None = None
    """Most bytes that arrive in one packet."""
    cut_after: int | None = None
    """Bytes of each connection that get through before it is reset."""


NONE = Faults()
LOST = Faults(lost=True)
HELD = Faults(held=True)


class Proxy:
    """Forwards connections from one address to another until told not to.

    Args:
        listen: where it listens; port 0 takes a free one.
        target: where connections go; may be changed, and counts for those to come.
    """

    def __init__(self, listen: Address, target: Address) -> None:
        self.target = target
        self.links: set[Link] = set()
        self.up = NONE
        """Of the direction from whoever connects to the target."""
        self.down = NONE
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._refuses = False

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def restore(self) -> None:
        """Take connections again, and forward what they say."""
        self.fault()
        await self.listen()

    async def listen(self) -> None:
        """Take connections, with whatever faults there are."""
        self._refuses = False
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        if isinstance(self._listen, Path):
            self._listen.unlink(missing_ok=True)
            self._server = await loop.create_unix_server(self._arrived, self._listen)
        else:
            self._server = await loop.create_server(self._arrived, *self._listen, backlog=1_024)

    async def cut(self) -> None:
        """Break every connection and refuse new ones, as a process that died."""
        self._refuses = True
        if self._server is not None and isinstance(self._listen, Path):
            self._server.close()  # a TCP port is kept: somebody else might take it
            self._server = None
            self._listen.unlink(missing_ok=True)
        while self.links:  # some may only be on their way in
            self.reset()
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """Break every connection and be gone."""
        await self.cut()
        if self._server is not None:
            self._server.close()
            self._server = None

    def reset(self) -> None:
        """Break every connection there is with a RST; new ones are taken."""
        for link in list(self.links):
            link.cut()

    def stall(self) -> None:
        """Keep connections open but let nothing through, as a process that hangs."""
        self.fault(up=HELD, down=HELD)

    def fault(self, *, up: Faults = NONE, down: Faults = NONE) -> None:
        """Have these faults on every connection, present and to come."""
        self.up, self.down = up, down
        for link in list(self.links):
            link.fault(up=up, down=down)

    def link_of(self, port: int) -> "Link | None":
        """Return the connection that comes from this local TCP port."""
        return next((link for link in self.links if link.port == port), None)

    def _arrived(self) -> asyncio.Protocol:
        return Link(self).client


class Link:
    """One connection through the proxy: two ends, and a way in each direction."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.port = 0
        self._over = asyncio.Event()
        self.client = _End(self)
        self.server = _End(self)
        self.client.way = Way(self.client, self.server)
        self.server.way = Way(self.server, self.client)
        self._dialling: asyncio.Task[None] | None = None
        self.fault(up=proxy.up, down=proxy.down)

    def fault(self, *, up: Faults = NONE, down: Faults = NONE) -> None:
        """Have these faults on this connection."""
        self.client.way.fault(up)
        self.server.way.fault(down)

    async def over(self) -> None:
        """Wait until it has ended, in whatever way."""
        await self._over.wait()

    def cut(self) -> None:
        """Break it with a RST on both sides."""
        self._forget()
        if self._dialling is not None:
            self._dialling.cancel()
        for end in (self.client, self.server):
            end.reset()

    def cut_after(self, count: int) -> None:
        """Break it when ``count`` more bytes have reached the client."""
        self.server.way.fault(Faults(cut_after=self.server.way.passed + count))

    def half_close(self) -> None:
        """Tell the client that no more will come; what it sends still gets through."""
        self.server.way.shut()

    def begun(self, end: "_End") -> None:
        if end is not self.client:
            if not self.client.is_open:  # it did not wait
                end.reset()
            return
        name = end.transport.get_extra_info("peername")
        self.port = name[1] if isinstance(name, tuple) else 0
        self.proxy.links.add(self)
        if self.proxy._refuses:
            self.cut()
            return
        end.pause("dialling")
        self._dialling = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        loop, target = asyncio.get_running_loop(), self.proxy.target
        try:
            if isinstance(target, Path):
                await loop.create_unix_connection(lambda: self.server, str(target))
            else:
                await loop.create_connection(lambda: self.server, *target)
        except OSError:
            self.cut()
            return
        self.client.resume("dialling")

    def ended(self, end: "_End", error: Exception | None) -> None:
        """One end has gone: so does the other, unless the network between them keeps it."""
        other = self.server if end is self.client else self.client
        if end.way.keeps_secrets:
            end.way.secret = True
            return
        self._forget()
        if isinstance(error, ConnectionResetError):
            other.reset()
        else:
            end.way.shut(close=True)

    def settle(self) -> None:
        """Close what both sides have ended."""
        if self.client.way.is_done and self.server.way.is_done:
            for end in (self.client, self.server):
                end.transport.close()

    def _forget(self) -> None:
        self.proxy.links.discard(self)
        self._over.set()


class _End(asyncio.Protocol):
    """One socket of a link."""

    way: "Way"

    def __init__(self, link: Link) -> None:
        self.link = link
        self._transport: asyncio.Transport | None = None
        self._paused: set[str] = set()

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def pause(self, why: str) -> None:
        if not self._paused and self.is_open:
            self.transport.pause_reading()
        self._paused.add(why)

    def resume(self, why: str) -> None:
        self._paused.discard(why)
        if not self._paused and self.is_open:
            self.transport.resume_reading()

    def reset(self) -> None:
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._paused:
            transport.pause_reading()
        self.link.begun(self)

    def data_received(self, data: bytes) -> None:
        self.way.take(data)

    def eof_received(self) -> bool:
        if self.way.keeps_secrets:
            self.way.secret = True
        else:
            self.way.shut()
        return True  # half-open until the other side has spoken, too

    def connection_lost(self, error: Exception | None) -> None:
        self.link.ended(self, error)

    def pause_writing(self) -> None:
        self.way.peer.pause("full")

    def resume_writing(self) -> None:
        self.way.peer.resume("full")


class Way:
    """One direction of a link: bytes read at ``source``, written at ``peer``."""

    def __init__(self, source: _End, peer: _End) -> None:
        self.source = source
        self.peer = peer
        self.passed = 0
        """Bytes that got through."""
        self.sieve: Callable[[bytes], bytes] | None = None
        """Sees bytes as they come, and returns those that may go on."""
        self.secret = False  # the source has ended, and the peer does not know
        self.is_done = False  # its end has been passed on
        self._faults = NONE
        self._waiting: deque[tuple[float, bytes]] = deque()  # due at, bytes
        self._waiting_bytes = 0
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._shut: bool | None = None  # the source has ended: close (True) or end of data

    @property
    def keeps_secrets(self) -> bool:
        """Whether the peer would not hear of the source's end."""
        return self._faults.lost or self._faults.held

    def fault(self, faults: Faults) -> None:
        self._faults = faults
        if faults.held:
            self.source.pause("held")
        else:
            self.source.resume("held")
        if self.secret and not self.keeps_secrets:
            self.peer.reset()  # the network is back, and nobody is there
        self._flush()

    def take(self, data: bytes) -> None:
        if self.sieve is not None:
            data = self.sieve(data)
        if self._faults.lost or not data:
            return
        if self._faults == NONE and not self._waiting:
            self._write(data)
            return
        due = asyncio.get_running_loop().time() + self._faults.delay
        self._waiting.append((due, data))
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _WAITING_BYTES:
            self.source.pause("waiting")
        self._flush()

    def shut(self, *, close: bool = False) -> None:
        """Pass the end on when everything before it has got through."""
        self._shut = self._shut or close
        self._flush()

    def _write(self, data: bytes) -> None:
        self.passed += len(data)
        if self.peer.is_open and not self.is_done:
            self.peer.transport.write(data)

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not self._faults.held:
            wait = max(self._waiting[0][0], self._free_at) - loop.time()
            if wait > 0:
                self._timer = loop.call_later(wait, self._flush)
                return
            self._send_some(loop.time())
        if self._shut is not None and not self._waiting and self.peer.is_open:
            if self._shut:
                self.peer.transport.close()
            elif not self.is_done:
                self.is_done = True
                self.peer.transport.write_eof()
                self.source.link.settle()

    def _send_some(self, now: float) -> None:
        """Let through as much of what waits as one packet may hold."""
        faults = self._faults
        due, data = self._waiting.popleft()
        size = min(len(data), faults.piece or len(data))
        if faults.rate is not None:
            size = max(1, min(size, int(faults.rate * 0.02)))
            self._free_at = now + size / faults.rate
        elif faults.piece is not None:
            self._free_at = now + _GAP_SECONDS
        is_last = faults.cut_after is not None and self.passed + size >= faults.cut_after
        if faults.cut_after is not None:
            size = min(size, max(0, faults.cut_after - self.passed))
        if size < len(data):
            self._waiting.appendleft((due, data[size:]))
        self._waiting_bytes -= size
        self._write(data[:size])
        if is_last:
            self._waiting.clear()
            asyncio.get_running_loop().call_soon(self.source.link.cut)
        elif self._waiting_bytes <= _WAITING_BYTES:
            self.source.resume("waiting")


class Proxies:
    """Both stores behind proxies, and their addresses there."""

    def __init__(self, folder: Path, stores: Addresses) -> None:
        query = parse_qs(urlsplit(stores.database_url).query)
        there, port = query["host"][0], query["port"][0]
        name = f".s.PGSQL.{port}"
        self.postgres = Proxy(folder / name, Path(there) / name)
        self.redis = Proxy(folder / "redis.sock", Path(stores.redis_url.removeprefix("unix://")))
        self.addresses = Addresses(
            database_url=stores.database_url.replace(there, str(folder)),
            redis_url=f"unix://{folder / 'redis.sock'}",
        )

    async def restore(self) -> None:
        """Forward everything again."""
        await self.postgres.restore()
        await self.redis.restore()

    async def close(self) -> None:
        """Break both wires for good."""
        await self.postgres.close()
        await self.redis.close()


@contextlib.asynccontextmanager
async def proxied(stores: Addresses) -> AsyncIterator[Proxies]:
    """Put proxies before the stores for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="colloquy-proxy-", dir="/tmp") as folder:
        proxies = Proxies(Path(folder), stores)
        await proxies.restore()
        try:
            yield proxies
        finally:
            await proxies.close()
