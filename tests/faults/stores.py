"""A Postgres and a Valkey of the fleet's own, which can be stopped, killed, frozen, emptied."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from redis.asyncio import Redis

from app.embedded import holders, postgres, program, valkey
from app.embedded.binaries import reachable
from app.embedded.place import Place, open_place
from app.embedded.program import Program
from app.embedded.servers import Addresses, servers
from tests.support.databases import migrate_with_document
from tests.support.until import until

Data = Literal["kept", "empty", "saved"]


class Guard:
    """Keeps those who watch over the servers from starting what is to be away for a while:
    they need the data directory's lock for it.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._away: set[str] = set()
        self._held = contextlib.AsyncExitStack()
        self._lock = -1
        self._one_at_a_time = asyncio.Lock()

    async def keep_away(self, name: str) -> int:
        """Have nobody start it but the caller; return the lock's descriptor."""
        async with self._one_at_a_time:
            if not self._away:
                self._lock = await self._held.enter_async_context(holders.locked(self._place.lock))
            self._away.add(name)
            return self._lock

    async def is_back(self, *names: str) -> None:
        async with self._one_at_a_time:
            self._away.difference_update(names)
            if not self._away:
                await self._held.aclose()


class Store:
    """One server program.

    Args:
        program: how the embedded servers start and know it.
        executable: what is started.
        place: their data directory.
        guard: of the servers there.
    """

    def __init__(self, program_: Program, executable: Path, place: Place, guard: Guard) -> None:
        self.name = program_.name
        self._program = program_
        self._executable = executable
        self._place = place
        self._guard = guard
        self.is_frozen = False

    @property
    def pid(self) -> int | None:
        return program.find(self._program)

    async def start(self) -> None:
        """Start it unless it runs; returns when it takes commands."""
        lock = await self._guard.keep_away(self.name)
        await asyncio.to_thread(postgres.forget_reused_pids, self._place)  # one may be unburied
        await program.ensure_running(self._program, self._executable, lock=lock)
        await self._guard.is_back(self.name)

    async def stop(self) -> None:
        """End it as its operator would: what was acknowledged is on disk."""
        await self._guard.keep_away(self.name)
        self.thaw()
        await program.stop(self._program)

    async def kill(self) -> None:
        """End it and all its children with SIGKILL."""
        await self._guard.keep_away(self.name)
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.is_frozen = False
        await until(lambda: self.pid is None)

    def freeze(self) -> None:
        """Stop the clock for it: connections stay open, nothing is answered."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        for pid in self._pids() if self.is_frozen else ():
            os.kill(pid, signal.SIGCONT)
        self.is_frozen = False

    def _pids(self) -> list[int]:
        pid = self.pid
        if pid is None:
            return []
        listed = subprocess.run(
            ["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = (line.split() for line in listed.stdout.splitlines())
        return [pid, *(int(child) for child, parent in pairs if int(parent) == pid)]


class RedisStore(Store):
    """The Valkey, and what can happen to its data."""

    def __init__(
        self, program_: Program, executable: Path, place: Place, guard: Guard, url: str
    ) -> None:
        super().__init__(program_, executable, place, guard)
        self.client = Redis.from_url(url)
        """Goes straight to it, past every proxy."""
        self._saved = place.root / "valkey-saved"

    async def flush(self) -> None:
        """Forget everything, as somebody with FLUSHALL does."""
        await self.client.flushall()

    def save(self) -> None:
        """Keep a copy of the data as it is now, for ``restart(data="saved")``: what a replica
        had that was behind.
        """
        shutil.rmtree(self._saved, ignore_errors=True)
        _copy(self._place.valkey, self._saved)

    async def restart(self, *, data: Data = "kept", kill: bool = False) -> None:
        """Stop and start it.

        Args:
            data: what it comes back with: all of it, nothing, or what ``save`` kept.
            kill: end it with SIGKILL rather than politely.
        """
        await (self.kill() if kill else self.stop())
        folder = self._place.valkey
        if data != "kept":
            for entry in folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if data == "saved":
            _copy(self._saved, folder)
        await self.start()


class Stores:
    """Both, running and migrated, with a document in the knowledge so that nodes start fast."""

    def __init__(self, addresses: Addresses, postgres_: Store, redis: RedisStore) -> None:
        self.addresses = addresses
        self.postgres = postgres_
        self.redis = redis

    async def heal(self) -> None:
        """Have both run and answer."""
        for store in (self.postgres, self.redis):
            store.thaw()
            await store.start()


@contextlib.asynccontextmanager
async def private_stores(folder: Path) -> AsyncIterator[Stores]:
    """Run stores in ``folder`` for as long as the block lasts."""
    async with servers(folder) as addresses:
        place = await asyncio.to_thread(open_place, folder)
        binaries = await reachable(place)
        guard = Guard(place)
        redis = RedisStore(
            valkey.program(place), binaries.valkey, place, guard, addresses.redis_url
        )
        database = Store(postgres.program(place), binaries.postgres, place, guard)
        stores = Stores(addresses, database, redis)
        try:
            await migrate_with_document(addresses.database_url)
            yield stores
        finally:
            for store in (stores.postgres, stores.redis):
                store.thaw()
            await guard.is_back(database.name, redis.name)
            await redis.client.aclose()


def _copy(source: Path, to: Path) -> None:
    """Copy a folder and whose it is."""
    to.mkdir(exist_ok=True)
    subprocess.run(["/bin/cp", "-a", f"{source}/.", str(to)], check=True)
