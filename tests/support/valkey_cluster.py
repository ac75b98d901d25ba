"""A real cluster of three Valkey servers, on ports of their own."""

import contextlib
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError, ResponseError

from app.embedded.binaries import installed
from tests.support.until import until

_HOST = "127.0.0.1"
_NODE_TIMEOUT_MS = 1_500  # without an answer for so long, a node counts as failed
_SIZE = 3
_SECONDS = 20.0


@dataclass
class Server:
    """One of the cluster's servers, and a plain client of it."""

    folder: Path
    port: int
    bus_port: int
    client: Redis = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.client = Redis(
            host=_HOST, port=self.port, protocol=2, socket_timeout=5, decode_responses=True
        )

    def start(self) -> None:
        options = {
            "bind": _HOST,
            "port": str(self.port),
            "cluster-enabled": "yes",
            "cluster-port": str(self.bus_port),
            "cluster-node-timeout": str(_NODE_TIMEOUT_MS),
            "dir": str(self.folder),
            "repl-diskless-sync-delay": "0",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "logfile": "valkey.log",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.process = subprocess.Popen([installed().valkey, *arguments])

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None

    async def says(self, *command: object) -> Any:
        """Send a command as it is."""
        return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def is_ok(self) -> bool:
        """Whether it takes the whole cluster for healthy."""
        try:
            info = await self.says("CLUSTER INFO")
        except (RedisError, OSError):
            return False
        return bool(
            info["cluster_state"] == "ok"
            and info["cluster_slots_ok"] == str(REDIS_CLUSTER_HASH_SLOTS)
            and int(info["cluster_known_nodes"]) >= _SIZE
        )


@dataclass
class Move:
    """One slot on its way from a server to another, as an operator's tool moves it."""

    slot: int
    source: Server
    target: Server

    async def begin(self) -> None:
        source, target = [await one.says("CLUSTER MYID") for one in (self.source, self.target)]
        await self.target.says("CLUSTER SETSLOT", self.slot, "IMPORTING", source)
        await self.source.says("CLUSTER SETSLOT", self.slot, "MIGRATING", target)

    async def carry(self, *keys: str) -> None:
        to = ("MIGRATE", _HOST, self.target.port, "", 0, 5_000, "KEYS")
        assert await self.source.says(*to, *keys) == "OK"

    async def finish(self) -> None:
        while keys := await self.source.says("CLUSTER GETKEYSINSLOT", self.slot, 100):
            await self.carry(*keys)
        name = await self.target.says("CLUSTER MYID")
        for server in (self.target, self.source):
            await server.says("CLUSTER SETSLOT", self.slot, "NODE", name)


class Cluster:
    """The servers together."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self.replica: Server | None = None

    @property
    def url(self) -> str:
        """The address as an operator writes it, with every server in it."""
        hosts = ",".join(f"{_HOST}:{server.port}" for server in self.servers)
        return f"redis://{hosts}?cluster=true"

    async def is_ok(self) -> bool:
        return all([await server.is_ok() for server in self.servers])

    async def owners(self) -> Callable[[str], Server]:
        """Return who has a key's slot, as of now."""
        by_port = {server.port: server for server in self.servers}
        ranges = [
            (first, last, by_port[port])
            for first, last, (_, port, *_), *_ in await self.servers[0].says("CLUSTER SLOTS")
        ]

        def owner(key: str) -> Server:
            slot = key_slot(key.encode())
            return next(server for first, last, server in ranges if first <= slot <= last)

        return owner

    async def move(self, key: str) -> Move:
        """Return the move of a key's slot to another server; it is still to begin."""
        source = (await self.owners())(key)
        target = next(server for server in self.servers if server is not source)
        return Move(key_slot(key.encode()), source, target)

    async def refusals(self) -> Counter[str]:
        """Return how often the servers answered with which error."""
        counted: Counter[str] = Counter()
        for server in self.servers:
            for name, values in (await server.says("INFO", "errorstats")).items():
                counted[name.removeprefix("errorstat_")] += values["count"]
        return counted


@contextlib.asynccontextmanager
async def running_cluster(*, replica: bool = False) -> AsyncIterator[Cluster]:
    """Run a cluster until the block ends; with ``replica``, one more server follows the first.

    Takes two seconds to begin, three with a replica.
    """
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running_server()) for _ in range(_SIZE)]
        await _join(servers)
        cluster = Cluster(servers)
        await until(cluster.is_ok, seconds=_SECONDS)
        if replica:
            cluster.replica = await stack.enter_async_context(running_server())
            await _follow(cluster.replica, servers)
        yield cluster


@contextlib.asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    """Run one server, of no cluster yet, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="colloquy-cluster-") as folder:
        port, bus_port = _free_ports(2)
        server = Server(Path(folder), port, bus_port)
        try:
            server.start()
            await until(partial(_answers, server), seconds=_SECONDS)
            yield server
        finally:
            await server.client.aclose()
            server.stop()


async def _join(servers: list[Server]) -> None:
    share = -(-REDIS_CLUSTER_HASH_SLOTS // len(servers))
    for number, server in enumerate(servers):
        await server.says("CLUSTER SET-CONFIG-EPOCH", number + 1)
        last = min((number + 1) * share, REDIS_CLUSTER_HASH_SLOTS) - 1
        await server.says("CLUSTER ADDSLOTSRANGE", number * share, last)
    for server in servers[1:]:
        await servers[0].says("CLUSTER MEET", _HOST, server.port, server.bus_port)


async def _follow(replica: Server, servers: list[Server]) -> None:
    """Let ``replica`` follow the first of ``servers``; return when it can take its place."""
    await replica.says("CLUSTER MEET", _HOST, servers[0].port, servers[0].bus_port)
    name = await servers[0].says("CLUSTER MYID")
    await until(partial(_accepts, replica, "CLUSTER REPLICATE", name), seconds=_SECONDS)

    async def is_ready() -> bool:
        told = [await server.says("CLUSTER REPLICAS", name) for server in servers]
        state = await replica.says("INFO", "replication")
        return all(told) and state["master_link_status"] == "up" and await replica.is_ok()

    await until(is_ready, seconds=_SECONDS)


async def _accepts(server: Server, *command: object) -> bool:
    try:
        return bool(await server.says(*command))
    except ResponseError:  # it has not heard of the other yet
        return False


async def _answers(server: Server) -> bool:
    try:
        return bool(await server.client.ping())
    except (RedisError, OSError):
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server((_HOST, 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]
