"""The disk of the embedded servers is full: a real one, small and filled up.

Clients are refused for the moment, what was acknowledged stays, and when there is room
again the same process goes on.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.answers import error_of
from tests.support.client import Client, Event, Socket
from tests.support.commands import REPOSITORY, Command, data_directory
from tests.support.waiting import eventually

_DISK_MIB = 224
# A file system in a namespace of its own: it needs no privileges, and is gone with its process.
_ISOLATED = ["unshare", "--mount"]
if os.geteuid() != 0:
    _ISOLATED += ["--user", "--map-current-user", "--keep-caps"]
_MOUNT = 'mount -t tmpfs -o size="$0"m,mode=755 disk "$1" && shift && exec "$@"'


def _has_disks() -> bool:
    """Whether this system lends us small disks: Linux does, unless it is locked down."""
    if sys.platform != "linux":
        return False
    with data_directory() as path:
        path.mkdir()
        tried = [*_ISOLATED, "sh", "-c", _MOUNT, "1", str(path), "true"]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class Disk:
    """The disk of a node's data directory, seen through the node's own eyes.

    Args:
        path: where the disk is mounted, for the node.
        pid: the node.
    """

    def __init__(self, path: Path, pid: int) -> None:
        self._root = Path(f"/proc/{pid}/root{path}")
        self._ballast = self._root / "ballast"

    @property
    def sockets(self) -> Path:
        return self._root / "data" / "run"

    def fill(self) -> None:
        """Leave not a byte."""
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 4_096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(descriptor, bytes(size))
        finally:
            os.close(descriptor)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def small_disk_node() -> AsyncIterator[tuple[Command, Client, Disk]]:
    """Run ``colloquy serve`` on a small disk of its own."""
    with data_directory() as path:
        path.mkdir(mode=0o755)
        async with asyncio.TaskGroup() as group:
            arguments = ["serve", "--port", "0", "--data-dir", str(path / "data")]
            process = await asyncio.create_subprocess_exec(
                *[*_ISOLATED, "sh", "-c", _MOUNT, str(_DISK_MIB), str(path)],
                *[sys.executable, "-m", "app", *arguments],
                cwd=REPOSITORY,
                env=os.environ
                | {
                    "COLLOQUY_RUNS__LEASE_SECONDS": "2",
                    "COLLOQUY_RUNS__HEARTBEAT_SECONDS": "0.5",
                    "COLLOQUY_RUNS__POLL_SECONDS": "0.5",
                    "COLLOQUY_RUNS__MAX_LOSSES": "50",
                    "COLLOQUY_RUNS__QUEUED_PER_CHAT": "1000",
                    "COLLOQUY_PROTOCOL__FRAMES_PER_WINDOW": "1000",
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            node = Command(process, group)
            client = Client(await node.ready())
            try:
                yield node, client, Disk(path, node.pid)
            finally:
                await client.close()
                if process.returncode is None:
                    process.terminate()
                await node.ended()


async def send_until_refused(socket: Socket) -> tuple[list[str], Event]:
    """Send messages until one is refused; return the acknowledged ones and the refusal."""
    acked: list[str] = []
    async with asyncio.timeout(60):
        while True:
            text = f"{len(acked)} {os.urandom(6_000).hex()}"  # nothing that could be compressed
            answer = await socket.ask(text, client_message_id=f"m{len(acked)}")
            if answer["type"] == "error":
                return acked, answer
            acked.append(text)


async def make_postgres_panic(disk: Disk) -> None:
    """Write to its log of changes until there is no room for the next 16 MiB of it."""
    address = f"postgresql://colloquy@/postgres?host={disk.sockets}&port=5432"
    db = await asyncpg.connect(address)

    async def write() -> None:
        for _ in range(64):
            await db.execute("SELECT pg_logical_emit_message(true, 'x', repeat('y', 1000000))")

    with pytest.raises((asyncpg.PostgresError, OSError), match="pg_wal"):
        await write()


async def is_ready(client: Client) -> bool:
    return (await client.http.get("/health/ready")).status_code == 200


async def is_postgres_gone(client: Client) -> bool:
    answer = await client.http.get("/health/ready")
    return bool(answer.json()["checks"]["postgres"] != "ok")


async def at_rest(client: Client, started: dict[str, Any]) -> bool:
    """Whether nothing runs in the chat any more."""
    with contextlib.suppress(ConnectionClosed):
        async with client.socket(started, hello={}) as socket:
            [snapshot] = [one for one in socket.seen if one["type"] == "snapshot"]
            return not snapshot["runs"]
    return False


async def said_in(client: Client, started: dict[str, Any], role: str) -> list[str]:
    """Return what one side said in a chat, oldest first."""
    found: list[str] = []
    before: dict[str, str] | None = {}
    while before is not None:
        answer = await client.http.get(f"/chats/{started['chat_id']}/messages", params=before)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found = [one["text"] for one in page["messages"] if one["role"] == role] + found
        before = {"before": page["next"]} if page["next"] else None
    return found


if _has_disks():

    async def test_people_who_write_on_a_full_disk_are_put_off_and_lose_nothing() -> None:
        async with small_disk_node() as (node, client, disk):
            started = await client.start()
            async with client.socket(started, hello={}) as socket:
                disk.fill()
                acked, refusal = await send_until_refused(socket)
            disk.free()
            await eventually(lambda: is_ready(client), seconds=30)
            async with client.socket(started, hello={}) as socket:
                again = await socket.ask("What is 2 + 3?", client_message_id=f"m{len(acked)}")
            await eventually(lambda: at_rest(client, started), seconds=30)
            asked = await said_in(client, started, "user")
            answered = await said_in(client, started, "assistant")
            same = node.process.returncode is None

        assert (refusal["code"], refusal["temporary"]) == ("unavailable", True)
        assert refusal["retry_after_ms"] > 0
        assert again["type"] == "ack"
        assert asked == [*acked, "What is 2 + 3?"]
        assert len(answered) == len(asked)
        assert same

    async def test_a_postgres_that_panics_on_a_full_disk_comes_back_when_there_is_room() -> None:
        async with small_disk_node() as (node, client, disk):
            started = await client.start()
            async with client.socket(started, hello={}) as socket:
                first = await socket.ask("What is 1 + 1?", client_message_id="first")
                await socket.until_end()
                disk.fill()
                await make_postgres_panic(disk)
                refusal = await socket.ask("What is 2 + 3?", client_message_id="second")
            await eventually(lambda: is_postgres_gone(client))
            error = error_of(await client.http.post("/chat/start", json={}), 503, "unavailable")
            await node.says("embedded_server_not_restarted")  # it tries, and cannot yet

            disk.free()
            await eventually(lambda: is_ready(client), seconds=30)
            async with client.socket(started, hello={}) as socket:
                again = await socket.ask("What is 2 + 3?", client_message_id="second")
                await socket.until_end()
            asked = await said_in(client, started, "user")
            answered = await said_in(client, started, "assistant")

        assert first["type"] == "ack"
        assert (refusal["code"], refusal["temporary"]) == ("unavailable", True)
        assert refusal["retry_after_ms"] > 0
        assert error["retry_after_ms"] > 0
        assert (again["type"], again["duplicate"]) == ("ack", False)
        assert asked == ["What is 1 + 1?", "What is 2 + 3?"]
        assert len(answered) == 2
