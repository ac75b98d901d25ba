"""Stands between a node and a store, and can cut or stall the wire."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app.embedded.servers import Addresses


class StoreProxy:
    """Forwards one Unix socket to another until told not to.

    Args:
        path: where it listens.
        target: the store's own socket.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def restore(self) -> None:
        """Take connections again, and forward what they say."""
        self._flows.set()
        if self._server is None:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def cut(self) -> None:
        """Break every connection and refuse new ones, as a store that died."""
        self._flows.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        self._path.unlink(missing_ok=True)
        while self._open:  # some may only be on their way in
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.sleep(0.005)

    def stall(self) -> None:
        """Keep connections open but let nothing through, as a store that hangs."""
        self._flows.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            there_reader, there_writer = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(there_writer)
        ways = [
            asyncio.ensure_future(self._pump(reader, there_writer)),
            asyncio.ensure_future(self._pump(there_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, there_writer):
                end.transport.abort()
                self._open.discard(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()


class Proxies:
    """Both stores behind proxies, and their addresses there."""

    def __init__(self, folder: Path, stores: Addresses) -> None:
        query = parse_qs(urlsplit(stores.database_url).query)
        there, port = query["host"][0], query["port"][0]
        name = f".s.PGSQL.{port}"
        self.postgres = StoreProxy(folder / name, Path(there) / name)
        self.redis = StoreProxy(
            folder / "redis.sock", Path(stores.redis_url.removeprefix("unix://"))
        )
        self.addresses = Addresses(
            database_url=stores.database_url.replace(there, str(folder)),
            redis_url=f"unix://{folder / 'redis.sock'}",
        )


@contextlib.asynccontextmanager
async def proxied(stores: Addresses) -> AsyncIterator[Proxies]:
    """Put proxies before the stores for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="colloquy-proxy-", dir="/tmp") as folder:
        proxies = Proxies(Path(folder), stores)
        await proxies.postgres.restore()
        await proxies.redis.restore()
        try:
            yield proxies
        finally:
            await proxies.postgres.cut()
            await proxies.redis.cut()
