"""One server program of a data directory: found, started, waited for, stopped."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.embedded import process
from app.embedded.errors import ServerFailed
from app.embedded.process import Account

START_SECONDS = 120  # a large log of changes to replay after a crash fits in
POLL_SECONDS = 0.01
LOG_BYTES = 4_194_304

# After a kill -9, what the dead server's children still hold lets the next start fail for
# a moment.
_ATTEMPTS = 4
_ATTEMPT_SECONDS = 0.3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Program:
    """How one server is started, recognised and stopped."""

    name: str
    arguments: tuple[str, ...]
    mark: str
    """What only the command line of this server, on this data directory, contains."""
    pid_file: Path
    """Written by us. The servers' own are written late, and not on a full disk."""
    log: Path
    account: Account | None
    answers: Callable[[], Awaitable[bool]]
    """Whether it takes commands. False while it starts; must not raise for that."""
    stop_signals: tuple[signal.Signals, ...]
    """The gentle one first; each next one if it has not stopped in time."""
    stop_seconds: float
    """How much time it has after each."""


def find(program: Program) -> int | None:
    """Return the process id of the running server, whoever started it, or None."""
    pid = process.recorded(program.pid_file)
    return pid if pid is not None and program.mark in process.command(pid) else None


async def ensure_running(program: Program, executable: Path, *, lock: int) -> None:
    """Start the server unless it runs, and return when it takes commands.

    One that runs already, left over by a process that was killed, is kept. ``lock`` is the
    descriptor of the data directory's lock, which the caller holds.

    Raises:
        ServerFailed: it ends again and again, or does not answer in ``START_SECONDS``.
    """
    pid = find(program)
    try:
        async with asyncio.timeout(START_SECONDS):
            for attempt in range(_ATTEMPTS):
                if pid is None:
                    if attempt:
                        await asyncio.sleep(_ATTEMPT_SECONDS)
                    await asyncio.to_thread(_trim, program.log)
                    argv = (str(executable), *program.arguments)
                    pid = process.spawn(
                        argv,
                        program.account,
                        lock=lock,
                        log=program.log,
                        pid_file=program.pid_file,
                    )
                if await _answers_before_it_ends(program, pid):
                    return
                pid = None
    except TimeoutError as error:
        raise ServerFailed(
            f"{program.name} has not answered for {START_SECONDS} seconds; see {program.log}."
        ) from error
    except OSError as error:
        raise ServerFailed(f"{program.name} does not start: {error.strerror}.") from error
    raise ServerFailed(f"{program.name} does not start: {last_line(program.log)} ({program.log})")


async def stop(program: Program) -> None:
    """Stop the server if it runs, and return when it is gone."""
    pid = find(program)
    if pid is None:
        return
    for number in program.stop_signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(program.stop_seconds):
                while process.is_alive(pid):  # noqa: ASYNC110  (it decides)
                    await asyncio.sleep(POLL_SECONDS)
            program.pid_file.unlink(missing_ok=True)
            return
        log.warning("embedded_server_slow_to_stop", server=program.name, signal=number.name)


def last_line(path: Path) -> str:
    """Return the last line of a server's log that says something, cut to a sentence's size."""
    try:
        with path.open("rb") as source:
            source.seek(max(0, path.stat().st_size - 4096))
            lines = source.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        lines = []
    return lines[-1].strip()[:300] if lines else "it said nothing"


async def _answers_before_it_ends(program: Program, pid: int) -> bool:
    while not await program.answers():
        if not process.is_alive(pid):
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def _trim(path: Path) -> None:
    """Put a log that has grown large aside; the one put aside before is lost."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
