"""Folders that the account of root's servers can enter, unlike pytest's own."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from app.embedded.servers import servers
from tests.embedded.scene import server_pids

Prepare = Callable[[Path], Path]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = make()
    yield made
    for data_dir in {path.parent for path in made.rglob("valkey.log")}:
        for pid in server_pids(data_dir):  # what a failed test left running
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
    shutil.rmtree(made)


@pytest.fixture(scope="session")
async def pattern() -> AsyncIterator[Path]:
    """A data directory whose servers ran once: to copy it is quicker than to make one."""
    made = make()
    async with servers(made / "data"):
        pass
    yield made / "data"
    shutil.rmtree(made)


@pytest.fixture
def prepare(pattern: Path) -> Prepare:
    """Return what puts a data directory that has been used to a path of one's choice."""

    def copy(to: Path) -> Path:
        to.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(pattern), str(to)], check=True)
        return to

    return copy


@pytest.fixture
def data_dir(folder: Path, prepare: Prepare) -> Path:
    return prepare(folder / "data")


def make() -> Path:
    made = Path(tempfile.mkdtemp(prefix="colloquy-test-", dir="/tmp"))
    made.chmod(0o711)
    return made
