"""The embedded servers of one data directory: shared by whoever uses it, started again if
they die, stopped by the last.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.embedded import holders, postgres, valkey
from app.embedded.binaries import Binaries, reachable
from app.embedded.place import Place, furnish, open_place
from app.embedded.program import Program, ensure_running, find, last_line, stop
from app.kit.errors import AppError

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 10.0  # between two starts of one that dies at once: the disk is full


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
    killed process left behind is put right, and a server that dies meanwhile is started
    again. Takes about 1 s the first time, then 0.1 s.

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
            binaries = await reachable(place)
            await postgres.initialise(place, binaries, lock=lock)
            await _start(_programs(place, binaries), lock)
        except BaseException:
            await _leave(place, me)
            raise
    try:
        async with _kept_running(place, binaries):
            yield Addresses(
                database_url=postgres.url(place), redis_url=f"unix://{valkey.socket_path(place)}"
            )
    finally:
        try:
            async with holders.locked(place.lock):
                await _leave(place, me)
        except AppError as error:  # whoever comes next strikes us off the list
            log.warning("embedded_servers_not_left", reason=error.message)


def _programs(place: Place, binaries: Binaries) -> dict[Program, Path]:
    return {
        postgres.program(place): binaries.postgres,
        valkey.program(place): binaries.valkey,
    }


async def _start(programs: Mapping[Program, Path], lock: int) -> None:
    # All to their end, even if one fails: a server half-started is one nobody stops.
    outcomes = await asyncio.gather(
        *(ensure_running(program, binary, lock=lock) for program, binary in programs.items()),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


@contextlib.asynccontextmanager
async def _kept_running(place: Place, binaries: Binaries) -> AsyncIterator[None]:
    """Watch over the servers for as long as the block lasts."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(place, _programs(place, binaries)))
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised below: a group would wrap it
            failure = error
        finally:
            watching.cancel()
    if failure is not None:
        raise failure


async def _watch(place: Place, programs: Mapping[Program, Path]) -> None:
    """Start again what has died, until cancelled. Never raises."""
    pause = _LOOK_SECONDS
    while True:
        await asyncio.sleep(pause)
        try:
            dead = await asyncio.to_thread(_dead, programs)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS) if dead else _LOOK_SECONDS
            if dead:
                await _revive(place, programs)
        except AppError as error:
            log.warning("embedded_server_not_restarted", reason=error.message)
        except Exception:
            log.exception("embedded_watch_crashed")


async def _revive(place: Place, programs: Mapping[Program, Path]) -> None:
    """Start the servers that do not run: one of the processes that notice does it."""
    async with holders.locked(place.lock) as lock:
        dead = await asyncio.to_thread(_dead, programs)
        for program in dead:
            last = await asyncio.to_thread(last_line, program.log)
            log.error("embedded_server_died", server=program.name, last_line=last)
        await asyncio.to_thread(postgres.forget_reused_pids, place)
        await _start(dead, lock)
    for program in dead:
        log.warning("embedded_server_restarted", server=program.name)


def _dead(programs: Mapping[Program, Path]) -> dict[Program, Path]:
    return {program: binary for program, binary in programs.items() if find(program) is None}


async def _leave(place: Place, me: holders.Holder) -> None:
    left = await asyncio.to_thread(holders.remove, place.holders, me)
    if left:
        return
    await asyncio.gather(stop(postgres.program(place)), stop(valkey.program(place)))
    if place.sockets.parent != place.root:
        with contextlib.suppress(OSError):  # not empty: somebody keeps a file there
            place.sockets.rmdir()
