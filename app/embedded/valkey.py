"""The embedded Valkey: an append-only file in the data directory, on a Unix socket."""

import asyncio
import signal
from pathlib import Path

from app.embedded.place import Place
from app.embedded.program import Program

_ANSWER_SECONDS = 1


def socket_path(place: Place) -> Path:
    return place.sockets / "valkey.sock"


def program(place: Place) -> Program:
    socket = socket_path(place)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(place.valkey),
        "daemonize": "no",
        "set-proc-title": "no",  # the command line tells whose it is
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",  # an evicted event log would be a silent gap
    }

    async def answers() -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await _ping(socket)
        except (OSError, TimeoutError):
            return False

    return Program(
        name="Valkey",
        arguments=tuple(part for o, v in options.items() for part in (f"--{o}", v)),
        mark=f"--dir {place.valkey} ",
        pid_file=place.root / "valkey.pid",
        log=place.root / "valkey.log",
        account=place.account,
        answers=answers,
        stop_signals=(signal.SIGTERM, signal.SIGKILL),
        stop_seconds=10,
    )


async def _ping(socket: Path) -> bool:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        # -MISCONF: its disk is full. It serves what only reads, and the rest when there is room.
        return answer.startswith((b"+PONG", b"-MISCONF"))  # while it loads: -LOADING
    finally:
        writer.close()
        await writer.wait_closed()
