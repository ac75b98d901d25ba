"""Several real nodes on stores of their own, and everything that can be done to them."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.faults.journal import Frame
from tests.faults.nodes import ROOT, Node
from tests.faults.pace import Pace
from tests.faults.rows import Rows, forget_unfinished, lease_owner, read_rows
from tests.faults.script import NAME, Signs
from tests.faults.stores import Stores, private_stores
from tests.support.limits import UNLIMITED
from tests.support.proxy import NONE, Faults, Proxy
from tests.support.waiting import eventually

Groups = Mapping[str, Mapping[str, Any]]

_SAME_ORIGIN = {"sec-fetch-site": "same-origin"}  # what a browser says of its own page
_SECRET = "a secret that is only good for tests, 32 bytes or more"


@dataclass(frozen=True)
class SideDoor:
    """One more address of a node."""

    name: str
    front: Proxy


@dataclass(frozen=True)
class _NoProxy:
    port: int

    def link_of(self, port: int) -> None:
        """There is nothing in between that could be hurt."""


@dataclass(frozen=True)
class StraightDoor:
    """A node's own port: nothing on the way takes what its client does not read."""

    name: str
    front: _NoProxy

    @classmethod
    def of(cls, node: Node) -> "StraightDoor":
        target = node.front.target
        assert isinstance(target, tuple)
        return cls(node.name, _NoProxy(target[1]))


class Fleet:
    """Nodes, stores and wires. Scenarios share a fleet; ``ready`` puts right what one broke."""

    def __init__(self, folder: Path, stores: Stores, pace: Pace, nodes: int, root: Path) -> None:
        self.folder = folder
        self.stores = stores
        self.pace = pace
        self.signs = Signs(folder / "signs")
        self.signs.prepare()
        self.nodes = [
            Node(f"n{number}", folder, stores.addresses, folder / "signs", root)
            for number in range(1, nodes + 1)
        ]
        self._http = httpx.AsyncClient(verify=False, trust_env=False, timeout=30)

    async def ready(self, settings: Groups | None = None) -> None:
        """Have everything run, answer and rest, with ``settings`` over the scaled ones."""
        wanted = self._settings(settings or {})
        await self.stores.heal()
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                group.create_task(node.prepare(wanted))
        await forget_unfinished(self.stores.addresses.database_url)
        for node in self.nodes:
            await eventually(lambda node=node: self._is_ready(node), seconds=30)  # type: ignore[misc]

    async def restart(self) -> None:
        """Start every node that does not run, with the settings it had."""
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                if not node.is_running:
                    group.create_task(node.start())

    @property
    def running(self) -> list[Node]:
        """Nodes whose process is there: where a load balancer sends people."""
        return [node for node in self.nodes if node.is_running]

    def others(self, *nodes: Node) -> list[Node]:
        return [node for node in self.nodes if node not in nodes]

    def node_of(self, node_id: str | None) -> Node | None:
        """Return the node that calls itself so: the owner of a lease, the sender of a welcome."""
        return next((node for node in self.nodes if node.id == node_id), None)

    async def owner_of(self, run_id: str) -> Node | None:
        """Return the node that executes a run."""
        return self.node_of(await lease_owner(self.stores.addresses.database_url, run_id))

    async def rows(self, chat_ids: Iterable[str]) -> Rows:
        """Return what Postgres holds of these chats."""
        return await read_rows(self.stores.addresses.database_url, chat_ids)

    async def start(self, node: Node | None = None, *, beside: Frame | None = None) -> Frame:
        """Start an anonymous session with the scripted agent, and a chat with it.

        Every session is a new visitor's, except for one ``beside`` another: it is of the same
        visitor, who proves it with the cookie, and on the same chat.
        """
        node = node or self.running[0]
        body = {"agent": NAME} if beside is None else {"chat_id": beside["chat_id"]}
        headers = {} if beside is None else {"cookie": beside["cookie"], **_SAME_ORIGIN}
        self._http.cookies.clear()
        answer = await self._http.post(f"{node.url}/chat/start", json=body, headers=headers)
        answer.raise_for_status()
        started: Frame = answer.json()
        given = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        started["cookie"] = given if beside is None else beside["cookie"]
        return started

    async def get(self, node: Node, path: str, session: Frame | None = None) -> httpx.Response:
        """Ask a node over HTTP, with a session's token."""
        return await self.request("GET", node, path, session)

    async def request(
        self, method: str, node: Node, path: str, session: Frame | None = None
    ) -> httpx.Response:
        """Have a node do something over HTTP, with a session's token."""
        self._http.cookies.clear()
        headers = {} if session is None else {"authorization": f"Bearer {session['token']}"}
        return await self._http.request(method, f"{node.url}{path}", headers=headers)

    @contextlib.asynccontextmanager
    async def door(
        self, node: Node, *, up: Faults = NONE, down: Faults = NONE
    ) -> AsyncIterator[SideDoor]:
        """Lend a second way to a node, whose faults are felt by nobody else."""
        front = Proxy(("127.0.0.1", 0), node.front.target)
        front.up, front.down = up, down
        await front.listen()
        try:
            yield SideDoor(node.name, front)
        finally:
            await front.close()

    def logs(self, lines: int = 20) -> str:
        """Return the ends of the nodes' logs."""
        ends = []
        for node in self.nodes:
            text = node.log.read_text(errors="replace") if node.log.exists() else ""
            ends += [f"--- {node.name} ({node.log})", *text.splitlines()[-lines:]]
        return "\n".join(ends)

    async def close(self) -> None:
        """Kill every node."""
        await self._http.aclose()
        for node in self.nodes:
            await node.close()

    async def _is_ready(self, node: Node) -> bool:
        try:
            return (await self.get(node, "/health/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    def _settings(self, groups: Groups) -> dict[str, Any]:
        base: dict[str, dict[str, Any]] = self.pace.settings()
        base.setdefault("database", {}).update(pool_size=5, checkpoint_pool_size=4, migrate=False)
        base["limits"] = dict(UNLIMITED)
        base["protocol"]["frames_per_window"] = 1_000  # clients that come back send a lot
        for group, fields in groups.items():
            base[group] = {**base.get(group, {}), **fields}
        return {**base, "secret": _SECRET, "data_dir": str(self.folder / "nodes")}


@contextlib.asynccontextmanager
async def open_fleet(
    *, nodes: int = 3, pace: Pace | None = None, root: Path = ROOT
) -> AsyncIterator[Fleet]:
    """Run a fleet for as long as the block lasts; nothing of it is left then. ``root`` is where
    the code is that its nodes run.
    """
    folder = _folder()
    try:
        async with private_stores(folder / "data") as stores:
            fleet = Fleet(folder, stores, pace or Pace(), nodes, root)
            try:
                yield fleet
            finally:
                await fleet.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))  # sockets need short paths
    folder.chmod(0o755)  # the stores of root run as another account
    return folder
