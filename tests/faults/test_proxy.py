"""The proxy does to a wire what it says, and nothing else."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.proxy import HELD, LOST, Faults, Proxy
from tests.support.until import until

SECONDS = 0.1


@dataclass
class Wire:
    """A proxy before a server, and both ends of one connection through it."""

    proxy: Proxy
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    def say(self, data: bytes) -> None:
        """Have the server say something."""
        self.far[1].write(data)

    async def hear(self, size: int) -> bytes:
        async with asyncio.timeout(5):
            return await self.near[0].readexactly(size)


@contextlib.asynccontextmanager
async def wire(folder: Path | None = None, *, down: Faults | None = None) -> AsyncIterator[Wire]:
    """Connect through a proxy; by Unix sockets in ``folder``, or else by TCP."""
    arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait((reader, writer))

    if folder is None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        proxy = Proxy(("127.0.0.1", 0), server.sockets[0].getsockname())
    else:
        server = await asyncio.start_unix_server(serve, folder / "far")
        proxy = Proxy(folder / "near", folder / "far")
    if down is not None:
        proxy.down = down
    await proxy.listen()
    if folder is None:
        near = await asyncio.open_connection("127.0.0.1", proxy.port)
    else:
        near = await asyncio.open_unix_connection(folder / "near")
    far = await arrived.get()
    try:
        yield Wire(proxy, near, far)
    finally:
        await proxy.close()
        server.close()
        for writer in (near[1], far[1]):
            await _end(writer)


@pytest.fixture(params=["tcp", "unix"])
async def one(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    async with wire(tmp_path if request.param == "unix" else None) as made:
        yield made


async def test_unhurt_it_forwards_both_ways_and_closes_with_either_side(one: Wire) -> None:
    one.say(b"x" * 1_000_000)
    one.near[1].write(b"hello")

    assert await one.hear(1_000_000) == b"x" * 1_000_000
    assert await one.far[0].readexactly(5) == b"hello"
    one.near[1].close()
    assert await one.far[0].read() == b""
    one.far[1].close()
    await until(lambda: not one.proxy.links)


async def test_a_cut_tcp_connection_is_reset_and_a_refusing_proxy_takes_no_new_one() -> None:
    async with wire() as one:
        await one.proxy.cut()

        with pytest.raises(ConnectionResetError):
            await one.hear(1)
        with pytest.raises(ConnectionResetError):
            await one.far[0].readexactly(1)
        reader, writer = await asyncio.open_connection("127.0.0.1", one.proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await _end(writer)


async def test_after_a_half_close_the_client_is_still_heard(one: Wire) -> None:
    [link] = one.proxy.links
    link.half_close()

    assert await one.near[0].read() == b""
    one.near[1].write(b"still here")
    assert await one.far[0].readexactly(10) == b"still here"


async def test_a_lost_way_swallows_bytes_and_ends_and_the_other_way_works(one: Wire) -> None:
    one.proxy.fault(down=LOST)
    one.say(b"unheard")
    one.near[1].write(b"heard")

    assert await one.far[0].readexactly(5) == b"heard"
    one.far[1].close()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await one.hear(1)


async def test_a_held_way_fills_the_senders_buffers_and_loses_nothing(one: Wire) -> None:
    one.proxy.fault(down=HELD)
    said = b"y" * 8_000_000
    one.say(said)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await one.far[1].drain()

    one.proxy.fault()
    assert await one.hear(len(said)) == said


async def test_exactly_so_many_bytes_get_through_before_the_cut() -> None:
    async with wire(down=Faults(cut_after=1_234)) as one:
        one.say(b"z" * 10_000)

        assert await one.hear(1_234) == b"z" * 1_234
        with pytest.raises(ConnectionResetError):
            await one.hear(1)


async def test_slices_delays_and_rates_change_when_bytes_come_and_not_which(one: Wire) -> None:
    said = bytes(range(256)) * 8
    for faults, seconds in [
        (Faults(piece=7), 0),
        (Faults(delay=SECONDS), SECONDS),
        (Faults(rate=len(said) / SECONDS), SECONDS * 0.9),
    ]:
        one.proxy.fault(down=faults)
        began = time.monotonic()
        one.say(said)

        assert await one.hear(len(said)) == said
        assert time.monotonic() - began >= seconds


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
