"""The command ``colloquy`` as a child process, with a clean environment."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SECONDS = 30  # longest wait for anything a command does


class Command:
    """A running ``colloquy``. What it says is collected as it says it."""

    def __init__(self, process: asyncio.subprocess.Process, group: asyncio.TaskGroup) -> None:
        self.process = process
        self.out = self.err = ""
        self._said = asyncio.Event()
        self._readers = [
            group.create_task(self._read(process.stdout, "out")),
            group.create_task(self._read(process.stderr, "err")),
        ]

    @property
    def pid(self) -> int:
        return self.process.pid

    async def ready(self) -> str:
        """Wait until it serves; return its address."""
        async with asyncio.timeout(SECONDS):
            while not (found := re.search(r"Open (http://\S+)", self.out)):
                if self.process.returncode is not None:
                    raise AssertionError(f"it ended: {self.out}{self.err}")
                self._said.clear()
                await self._said.wait()
        return found[1]

    async def says(self, text: str) -> None:
        """Wait until it has said ``text``, on either side."""
        async with asyncio.timeout(SECONDS):
            while text not in self.out + self.err:
                assert self.process.returncode is None, self.out + self.err
                self._said.clear()
                await self._said.wait()

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal; with ``group``, to its whole process group, as a terminal does."""
        (os.killpg if group else os.kill)(self.pid, number)

    async def ended(self) -> int:
        """Wait for its end; return its exit code."""
        async with asyncio.timeout(SECONDS):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def _read(self, stream: asyncio.StreamReader | None, name: str) -> None:
        assert stream is not None
        while data := await stream.read(65_536):
            setattr(self, name, getattr(self, name) + data.decode())
            self._said.set()
        self._said.set()


class Commands:
    """Starts commands, and kills those that are left when the block ends."""

    async def __aenter__(self) -> "Commands":
        self._group = await asyncio.TaskGroup().__aenter__()
        self._started: list[Command] = []
        return self

    async def __aexit__(self, *failure: object) -> None:
        for command in self._started:
            if command.process.returncode is None:
                command.process.kill()
                await command.process.wait()
        await self._group.__aexit__(None, None, None)

    async def start(self, *arguments: str, module: str = "app", **environ: str) -> Command:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            cwd=REPOSITORY,
            env=_environment() | environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        command = Command(process, self._group)
        self._started.append(command)
        return command


async def done(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Run a command to its end; return its exit code and what it said."""
    async with Commands() as commands:
        command = await commands.start(*arguments, **environ)
        assert command.process.stdin is not None
        command.process.stdin.close()
        code = await command.ended()
        return code, command.out, command.err


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COLLOQUY_")}


@contextmanager
def data_directory() -> Iterator[Path]:
    """A data directory that is not there yet; whoever still uses it at the end is killed."""
    # Not in a private folder: as root, the servers run as another account.
    path = Path(tempfile.mkdtemp(prefix="colloquy-cli-", dir="/tmp"))
    path.rmdir()
    try:
        yield path
    finally:
        for pid in users_of(path):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(path, ignore_errors=True)


async def until_unused(path: Path) -> None:
    """Wait until no process uses ``path`` any more."""
    try:
        async with asyncio.timeout(SECONDS):
            while users_of(path):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        left = [_command(pid) for pid in users_of(path)]
        raise AssertionError(f"still there: {left}") from None


def users_of(path: Path) -> list[int]:
    """Return the processes, but this one, that name ``path`` or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            folder = str((entry / "cwd").readlink())
        except OSError:  # gone meanwhile
            continue
        if str(path) in line or folder.startswith(str(path)):
            found.append(int(entry.name))
    return found


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
