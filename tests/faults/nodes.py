"""One server process of the fleet, with a proxy on each of its wires."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.embedded.servers import Addresses
from tests.faults.script import NAME
from tests.faults.wall import WallClock
from tests.support.proxy import Proxies, Proxy

_READY = b"Open http://127.0.0.1:"
_START_SECONDS = 60
ROOT = Path(__file__).parent.parent.parent


class NodeFailed(Exception):
    """A node did not start; the end of its log says why."""


class Node:
    """A node: ``front`` is its address, which outlives its processes.

    Args:
        name: ``n1``, ``n2``, …
        folder: the fleet's, for its sockets and its log.
        stores: where they really are.
        signs: the scripted agent's folder.
        root: where the code is that it runs.
    """

    def __init__(
        self, name: str, folder: Path, stores: Addresses, signs: Path, root: Path = ROOT
    ) -> None:
        wires = folder / name
        wires.mkdir()
        self.name = name
        self.id = ""
        """What it calls itself: the owner in a run's lease. New with each process; not known of
        one that started while a store was away."""
        self.front = Proxy(("127.0.0.1", 0), ("127.0.0.1", 1))
        """Clients come through here."""
        self.log = folder / f"{name}.log"
        self.clock = WallClock(folder / f"{name}.clock")
        """What it takes for the time of day; may be moved while it runs."""
        self.clock.move(0)
        self.is_frozen = False
        self._wires = Proxies(wires, stores)
        self._signs = signs
        self._root = root
        self._process: asyncio.subprocess.Process | None = None
        self._settings: dict[str, Any] = {}

    @property
    def redis(self) -> Proxy:
        """Between this node and Redis."""
        return self._wires.redis

    @property
    def postgres(self) -> Proxy:
        """Between this node and Postgres."""
        return self._wires.postgres

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def prepare(self, settings: dict[str, Any]) -> None:
        """Have it run with these settings and unhurt wires; a process that fits is kept."""
        self.thaw()
        self.clock.move(0)
        await self._wires.restore()
        await self.front.restore()
        if self.is_running and self.id and settings == self._settings:
            return
        await self.kill()
        await self.start(settings)

    async def start(self, settings: dict[str, Any] | None = None) -> None:
        """Start a process, with the settings of the last one if none are given."""
        if settings is not None:
            self._settings = settings
        addresses = self._wires.addresses
        given = {
            **self._settings,
            "database_url": addresses.database_url,
            "redis_url": addresses.redis_url,
            "port": 0,
        }
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.faults.server"),
                *(json.dumps(given), str(self._signs), str(self.clock.file)),
                stdin=asyncio.subprocess.PIPE,  # closed when we die, and then it ends, too
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=self._root,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
                start_new_session=True,  # Ctrl-C is for us
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if _READY not in line:
            await self.kill()
            raise NodeFailed(self.log.read_text(errors="replace")[-3_000:])
        self.front.target = ("127.0.0.1", int(line.rpartition(b":")[2]))
        self.id = ""
        with contextlib.suppress(KeyError, ConnectionClosed):  # a store is away
            self.id = await self._ask_its_name()

    async def kill(self) -> None:
        """End it with SIGKILL; returns when it is gone."""
        self.signal(signal.SIGKILL)
        await self.gone()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs: SIGTERM drains, SIGINT stops at once."""
        if self.is_running:
            os.kill(self.pid, number)
            self.is_frozen = False if number == signal.SIGKILL else self.is_frozen

    async def gone(self, seconds: float = 60) -> int | None:
        """Wait until its process has ended; return its exit code."""
        if self._process is None:
            return None
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def census(self) -> dict[str, int]:
        """Return how many tasks, connections and the like it holds. Slows it down."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"?")
        async with asyncio.timeout(_START_SECONDS):
            while not (line := await self._process.stdout.readline()).startswith(b"{"):
                assert line, "the process is gone"
        counted: dict[str, int] = json.loads(line)
        return counted

    async def close(self) -> None:
        """End it for good, and its wires."""
        await self.kill()
        await self.front.close()
        await self._wires.close()

    def freeze(self) -> None:
        """Stop the clock for it."""
        self.signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        if self.is_frozen:
            self.signal(signal.SIGCONT)
        self.is_frozen = False

    async def _ask_its_name(self) -> str:
        async with httpx.AsyncClient(verify=False, trust_env=False) as http:
            answer = await http.post(f"{self.url}/chat/start", json={"agent": NAME})
        address = f"ws://127.0.0.1:{self.front.port}{answer.json()['ws_path']}"
        async with connect(address, proxy=None) as socket:
            await socket.send('{"type":"hello"}')
            return str(json.loads(await socket.recv())["node"])
