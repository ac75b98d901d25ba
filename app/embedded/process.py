"""Processes as the operating system knows them: who they are, alive or not, start, run."""

import asyncio
import contextlib
import errno
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

# Neither the person's PG* variables nor their language may steer our servers.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

# The shell leaves at once, so the server becomes a child of init and no process of ours has
# to live as long as it does. Arguments are passed, not quoted. Its standard input is a lock,
# which it keeps until the server's number is written down, even if we are killed meanwhile:
# nobody can come and take the server for one that does not run.
_DETACH = '"$@" </dev/null >&2 & echo $! || kill -9 $!'


@dataclass(frozen=True, slots=True)
class Account:
    """An account that programs are run as. Only root can run them as somebody else."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Finished:
    returncode: int
    output: str
    """Standard output and standard error, in the order they were written."""


def account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def started(pid: int) -> str | None:
    """Return when ``pid`` began, as text to compare, or None if there is no such process.

    A process that ended and was not waited for counts as gone. The number alone does not
    tell a process from a later one that was given the same number; with this it does.
    """
    if sys.platform != "linux":
        return _ps(pid, "lstart=")
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the second field is the name in brackets and may hold anything; after it,
    # the state is the first and the start time in ticks since boot the twentieth.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return f"{_boot()} {fields[19]}"


def command(pid: int) -> str:
    """Return the command line of ``pid``, arguments joined by blanks, or "" if it is gone."""
    if sys.platform != "linux":
        return _ps(pid, "command=") or ""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return os.fsdecode(raw.rstrip(b"\0").replace(b"\0", b" "))


def is_alive(pid: int) -> bool:
    """Whether a detached process of ours still runs."""
    with contextlib.suppress(ChildProcessError):  # as a container's process 1 we inherit it
        os.waitpid(pid, os.WNOHANG)
    return started(pid) is not None


async def run(argv: Sequence[str], account: Account | None, *, lock: int | None = None) -> Finished:
    """Run a short program to its end.

    ``lock`` is a locked file's descriptor: the program keeps it locked should we be killed.

    Raises:
        OSError: it cannot be executed, for example because ``account`` cannot reach it.
    """
    done = await asyncio.to_thread(
        _run, argv, account, lock=lock, output=subprocess.PIPE, errors=subprocess.STDOUT
    )
    return Finished(done.returncode, os.fsdecode(done.stdout))


def spawn(
    argv: Sequence[str], account: Account | None, *, lock: int, log: Path, pid_file: Path
) -> int:
    """Start a program that outlives us, out of reach of the terminal's Ctrl-C.

    Its output is appended to ``log``, its process id written to ``pid_file`` and returned.
    Blocks for 5 ms, and is not for a thread: cancelled half-way, it would leave a server
    behind that nobody stops.

    Raises:
        OSError: one of the files cannot be written; the program does not run then.
    """

    with log.open("ab") as errors, pid_file.open("wb") as output:
        log.chmod(0o600)
        shell = ["/bin/sh", "-c", _DETACH, "sh", *argv]
        _run(shell, account, lock=lock, output=output, errors=errors)
    pid = recorded(pid_file)
    if pid is None:
        raise OSError(errno.ENOSPC, f"{pid_file} could not be written")
    return pid


def recorded(pid_file: Path) -> int | None:
    """Return the process id in the first line of ``pid_file``, or None if there is none."""
    try:
        with pid_file.open("rb") as source:
            return int(source.read(64).split(b"\n", 1)[0])
    except (OSError, ValueError):
        return None


def _run(
    argv: Sequence[str],
    account: Account | None,
    *,
    lock: int | None,
    output: int | IO[bytes],
    errors: int | IO[bytes],
) -> subprocess.CompletedProcess[bytes]:
    # Not asyncio's subprocesses: those of uvloop cannot change their account, and those of
    # asyncio kill what still runs when the loop ends.
    return subprocess.run(  # noqa: S603  (our own programs, no shell in between)
        argv,
        check=False,
        stdin=subprocess.DEVNULL if lock is None else lock,
        stdout=output,
        stderr=errors,
        cwd="/",
        env=_ENVIRONMENT,
        umask=0o077,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _ps(pid: int, column: str) -> str | None:
    listed = subprocess.run(  # noqa: S603  (the number is the only thing that varies)
        ["/bin/ps", "-ww", "-o", "stat=", "-o", column, "-p", str(pid)],
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, value = listed.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else value.strip()
