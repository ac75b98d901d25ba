"""The embedded servers of one data directory: shared by whoever uses it, stopped by the last."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.embedded import holders, postgres, valkey
from app.embedded.binaries import reachable
from app.embedded.place import Place, furnish, open_place
from app.embedded.program import ensure_running, stop
from app.kit.errors import AppError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the embedded servers listen: sockets in a private folder, never a port."""

    database_url: str
    """As libpq reads it: ``postgresql://colloquy@/colloquy?host=/a/folder&port=5432``."""
    redis_url: str
    """``unix:///a/folder/valkey.sock``."""


@contextlib.asynccontextmanager
async def servers(data_dir: Path) -> AsyncIterator[Addresses]:
    """Run PostgreSQL and Valkey in ``data_dir`` for as long as the block lasts.

    The directory is made if need be. Servers that run in it already are joined: each
    process that uses them is on a list, and the last one to leave stops them. Whatever a
    killed process left behind is put right. Takes about 1 s the first time, then 0.1 s.

    Raises:
        AppError: the directory cannot be used or a server does not start (``errors.py``).
    """
    place = await asyncio.to_thread(open_place, data_dir)
    me = await asyncio.to_thread(holders.myself)
    async with holders.locked(place.lock) as lock:
        await asyncio.to_thread(furnish, place)
        # Before the servers start: if we are killed meanwhile, the next one clears it away.
        await asyncio.to_thread(holders.add, place.holders, me)
        try:
            await _start(place, lock)
        except BaseException:
            await _leave(place, me)
            raise
    try:
        yield Addresses(
            database_url=postgres.url(place), redis_url=f"unix://{valkey.socket_path(place)}"
        )
    finally:
        try:
            async with holders.locked(place.lock):
                await _leave(place, me)
        except AppError as error:  # whoever comes next strikes us off the list
            log.warning("embedded_servers_not_left", reason=error.message)


async def _start(place: Place, lock: int) -> None:
    binaries = await reachable(place)
    await postgres.initialise(place, binaries, lock=lock)
    # Both to their end, even if one fails: a server half-started is one nobody stops.
    outcomes = await asyncio.gather(
        ensure_running(postgres.program(place), binaries.postgres, lock=lock),
        ensure_running(valkey.program(place), binaries.valkey, lock=lock),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def _leave(place: Place, me: holders.Holder) -> None:
    left = await asyncio.to_thread(holders.remove, place.holders, me)
    if left:
        return
    await asyncio.gather(stop(postgres.program(place)), stop(valkey.program(place)))
    if place.sockets.parent != place.root:
        with contextlib.suppress(OSError):  # not empty: somebody keeps a file there
            place.sockets.rmdir()
