"""Who uses a data directory: a list of processes behind a file lock."""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from app.embedded import process
from app.embedded.errors import DataDirBusy, DataDirUnwritable

LOCK_SECONDS = 120  # a first start on a slow disk, made by somebody else, fits in
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    pid: int
    started: str
    """When the process began: tells it from a later one with the same number."""
    token: str
    """Tells two uses by one process apart."""


def myself() -> Holder:
    pid = os.getpid()
    return Holder(pid=pid, started=process.started(pid) or "", token=secrets.token_hex(4))


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[int]:
    """Hold the file lock at ``path``, and yield its descriptor.

    The kernel releases it when the last process that has the descriptor open is gone:
    nothing is left to repair after a crash.

    Raises:
        DataDirBusy: somebody else did not let go of it for ``LOCK_SECONDS``.
        DataDirUnwritable: the lock file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirUnwritable(f"{path} cannot be opened: {error.strerror}.") from error
    try:
        try:
            async with asyncio.timeout(LOCK_SECONDS):
                while not _try_lock(descriptor):  # noqa: ASYNC110  (others decide)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise DataDirBusy(
                f"Another process has been starting or stopping the servers of {path.parent} "
                f"for {LOCK_SECONDS} seconds; stop it, then try again."
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def living(path: Path) -> list[Holder]:
    """Return the holders that still run. An unreadable list counts as empty."""
    try:
        listed = [Holder(**entry) for entry in json.loads(path.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []
    return [holder for holder in listed if process.started(holder.pid) == holder.started]


def add(path: Path, holder: Holder) -> None:
    """Put ``holder`` on the list, and drop whoever died without leaving it.

    Raises:
        DataDirUnwritable: the list cannot be written, say because the disk is full.
    """
    _write(path, [*living(path), holder])


def remove(path: Path, holder: Holder) -> list[Holder]:
    """Take ``holder`` off the list, and return those who are left."""
    left = [other for other in living(path) if other != holder]
    with contextlib.suppress(DataDirUnwritable):  # a full disk must not keep the servers up
        _write(path, left)
    return left


def _write(path: Path, listed: list[Holder]) -> None:
    fresh = path.with_name(f".{path.name}")
    try:
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps([asdict(holder) for holder in listed]))
        fresh.replace(path)
    except OSError as error:
        raise DataDirUnwritable(f"{path} cannot be written: {error.strerror}.") from error
