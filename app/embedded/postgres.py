"""The embedded PostgreSQL: a cluster in the data directory, on a Unix socket."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import asyncpg

from app.embedded import process
from app.embedded.binaries import Binaries
from app.embedded.errors import DataDirUnwritable, ServerFailed
from app.embedded.place import POSTGRES_PORT, Place
from app.embedded.program import Program

USER = "colloquy"
DATABASE = "colloquy"
_ANSWER_SECONDS = 2

# Sorting and case by code point, the same on every machine; macOS has no such locale of
# its own for the rest of PostgreSQL.
_LOCALE = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
_LOCALE += ["--locale=C" if sys.platform == "darwin" else "--locale=C.UTF-8"]

_SETTINGS = {
    "listen_addresses": "",
    "port": str(POSTGRES_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "fsync": "on",
    "jit": "off",  # it costs short statements more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # no rows of people's data in the log
    "cluster_name": "colloquy",
}


def url(place: Place, database: str = DATABASE) -> str:
    # The port is there lest PGPORT in somebody's environment speaks.
    return f"postgresql://{USER}@/{database}?host={place.sockets}&port={POSTGRES_PORT}"


def program(place: Place) -> Program:
    settings = _SETTINGS | {"unix_socket_directories": str(place.sockets)}
    options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))

    async def answers() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await _ensure_database(place)
        except asyncpg.TooManyConnectionsError:
            return True  # which is an answer
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,  # it starts, or stops
        ):
            return False
        return True

    return Program(
        name="PostgreSQL",
        arguments=("-D", str(place.postgres), *options),
        mark=f"-D {place.postgres} ",
        pid_file=place.root / "postgres.pid",
        log=place.root / "postgres.log",
        account=place.account,
        answers=answers,
        # fast: clients are cut off and all is written; immediate: the next start recovers
        stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
        stop_seconds=30,
    )


async def initialise(place: Place, binaries: Binaries, *, lock: int) -> None:
    """Make the cluster if there is none. 1 to 3 seconds.

    It is made under another name and renamed when it is whole, so a killed start leaves
    nothing half-made in its place. ``lock`` is handed to initdb: should we be killed, the
    next process waits until initdb is gone, too.

    Raises:
        ServerFailed: initdb refuses; the message has its last line.
        DataDirUnwritable: there is no room, or no right.
    """
    if (place.postgres / "PG_VERSION").exists():
        await asyncio.to_thread(forget_reused_pids, place)
        return
    half = place.root / ".postgres-half"
    try:
        await asyncio.to_thread(_make_empty, half, place)
        made = await process.run(
            [
                str(binaries.initdb),
                f"--pgdata={half}",
                f"--username={USER}",
                "--auth=trust",  # the socket is in a folder of mode 0700
                "--encoding=UTF8",
                *_LOCALE,
                "--no-instructions",
            ],
            place.account,
            lock=lock,
        )
        if made.returncode != 0:
            said = [line for line in made.output.splitlines() if ": error:" in line]
            last = (said or made.output.splitlines() or ["it said nothing"])[-1]
            raise ServerFailed(f"PostgreSQL's initdb does not succeed: {last.strip()}")
        await asyncio.to_thread(_rename, half, place.postgres)
    except OSError as error:
        raise DataDirUnwritable(f"{place.postgres} cannot be made: {error.strerror}.") from error


async def create_database(address: str, name: str, *, template: str = "template1") -> None:
    """Create a database beside the one ``address`` names, unless it exists.

    ``template`` is copied, and nobody may be connected to it.
    """
    connection = await asyncpg.connect(address)
    try:
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()


async def _ensure_database(place: Place) -> None:
    try:
        connection = await asyncpg.connect(url(place))
    except asyncpg.InvalidCatalogNameError:
        await create_database(url(place, "postgres"), DATABASE)
    else:
        await connection.close()


def _make_empty(path: Path, place: Place) -> None:
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(mode=0o700)
    if place.account is not None:
        os.chown(path, place.account.uid, place.account.gid)


def _rename(half: Path, whole: Path) -> None:
    half.rename(whole)
    # A power cut must not bring the old name back: what has it is thrown away.
    folder = os.open(whole.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def forget_reused_pids(place: Place) -> None:
    """Remove lock files whose process is dead and whose number another program has now.

    PostgreSQL itself sees only that the number is in use, by the same person, and refuses
    to start: after a power cut and a reboot that is the normal case.
    """
    socket = f".s.PGSQL.{POSTGRES_PORT}.lock"
    for path in (place.postgres / "postmaster.pid", place.sockets / socket):
        pid = process.recorded(path)
        if pid is not None and "postgres" not in process.command(abs(pid)):
            path.unlink(missing_ok=True)
