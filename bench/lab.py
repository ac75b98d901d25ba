"""The things that are measured: real stores, a server of its own process, workers."""

import asyncio
import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from app.embedded.servers import Addresses, servers
from bench.processes import cpu_seconds, find
from bench.savers import Saving
from bench.worker import Worker

SERVER_CORE = 0
LOAD_CORE = 1
READY = "Open http://"
_READY_SECONDS = 120
_STOP_SECONDS = 40
_IDLE_SHARE = 0.03


class NotReady(Exception):
    """The service did not start; the end of its log says why."""


class Lab:
    """A data directory with running stores, and the processes that work on it."""

    def __init__(self, folder: Path, addresses: Addresses, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.database_url = addresses.database_url
        self._postgres = find("postgres", folder)
        self._valkey = find("valkey-server", folder)
        self._stack = stack
        self._servers: dict[Saving, Server] = {}

    @cached_property
    def floor(self) -> Worker:
        """What the service stands on, on the service's core."""
        return self._stack.enter_context(_working("bench.floor", core=SERVER_CORE))

    @cached_property
    def load(self) -> Worker:
        """The clients, on a core of their own."""
        return self._stack.enter_context(_working("bench.load", core=LOAD_CORE))

    @property
    def server(self) -> "Server":
        """The service, on one core."""
        return self.server_with(Saving.BOUNDED)

    def server_with(self, saving: Saving) -> "Server":
        """Return a service, on the same core, that keeps checkpoints in this way."""
        if saving not in self._servers:
            self._servers[saving] = self._stack.enter_context(self.fresh_server(saving))
        return self._servers[saving]

    @contextlib.contextmanager
    def fresh_server(self, saving: Saving = Saving.BOUNDED) -> Iterator["Server"]:
        """Serve with a process that has done nothing yet."""
        command = ("bench.server", str(SERVER_CORE), str(self.folder), saving)
        server = Server(*command, log=self.folder / "bench.log")
        try:
            server.settle()
            yield server
        finally:
            server.close()

    def cpu(self, server: "Server | None" = None) -> dict[str, float]:
        """Return the CPU seconds spent so far, by who spent them; of one of the servers."""
        return {
            "server": cpu_seconds((server or self.server).pid),
            "postgres": cpu_seconds(self._postgres),
            "valkey": cpu_seconds(self._valkey),
            "client": cpu_seconds(self.load.pid),
        }


class Server:
    """A serving child process, ready when this is made."""

    def __init__(self, *command: str, log: Path) -> None:
        began = time.perf_counter()
        # As an ordinary start does, it keeps what it compiles.
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
                env=environ,
            )
        line = self._first_line()
        if READY not in line:
            self.close()
            raise NotReady(log.read_text(errors="replace")[-2_000:])
        self.ready_seconds = time.perf_counter() - began
        self.port = int(line.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    def settle(self) -> None:
        """Wait until it does nothing: what follows a start, or a load."""
        busy = cpu_seconds(self.pid)
        for _ in range(40):
            time.sleep(0.25)
            now = cpu_seconds(self.pid)
            if now - busy <= _IDLE_SHARE * 0.25:
                return
            busy = now

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _first_line(self) -> str:
        if self._process.stdout is None:
            return ""
        ready, _, _ = select.select([self._process.stdout], [], [], _READY_SECONDS)
        return self._process.stdout.readline() if ready else ""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make an empty folder that is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="colloquy-bench-"))
    made.chmod(0o755)  # the servers of root run as another account
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def open_lab(folder: Path) -> Iterator[Lab]:
    """Run the stores in ``folder``, free to use any core, for as long as the block lasts."""
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        stores = servers(folder)
        addresses = runner.run(_enter(stores))
        stack.callback(lambda: runner.run(_leave(stores)))
        yield Lab(folder, addresses, stack)


@contextlib.contextmanager
def _working(module: str, *, core: int) -> Iterator[Worker]:
    worker = Worker(module, core=core)
    try:
        yield worker
    finally:
        worker.close()


async def _enter(stores: contextlib.AbstractAsyncContextManager[Addresses]) -> Addresses:
    return await stores.__aenter__()


async def _leave(stores: contextlib.AbstractAsyncContextManager[Addresses]) -> None:
    await stores.__aexit__(None, None, None)
