"""The load: turns, session starts and idle connections, from a core of its own."""

import asyncio
import json
import sys
import time
from collections import defaultdict
from typing import Any

from bench import returns
from bench.processes import allow_files
from bench.wire import HOST, Http, Socket, start_of
from bench.worker import work

_START = start_of("turn-bounded")
_HELLO = b'{"type":"hello","tab":"%d","client":"bench"}'
_QUERY = b'{"type":"query","id":"q","query":"What does a turn cost?","client_message_id":"m"}'

# What is timed, from the query frame to the first frame of this type.
_MARKS = {
    "ack": b"ack",
    "first_event": b"user_message",
    "first_progress": b"planning_started",
    "first_words": b"message_delta",
    "end": b"run_completed",
}
_SOURCES = 4  # addresses of idle clients: one has ports for 28,000 only
_OPENING_AT_ONCE = 32

_idle: list[Socket] = []


async def turns(
    port: int, concurrency: int, seconds: float, lead: float, agent: str = "turn-bounded"
) -> dict[str, Any]:
    """Hold ``concurrency`` conversations of one turn each, again and again.

    Counts what ends within ``seconds`` after ``lead``, or one turn if none does; ``turns``
    is all there were.
    """
    start = start_of(agent)
    clock = time.perf_counter
    begins = clock() + lead
    ends = begins + seconds
    marks: defaultdict[str, list[float]] = defaultdict(list)
    counted = total = frames = 0
    cold: list[float] = []

    async def converse() -> None:
        nonlocal counted, total, frames
        http = await Http.connect(HOST, port)
        while clock() < ends or not counted:
            began = clock()
            started = json.loads(await http.post("/chat/start", start))
            socket = await Socket.connect(HOST, port, started["ws_path"])
            socket.send(_HELLO % total)
            await socket.until(b"live")
            socket.first.clear()
            asked = clock()
            socket.send(_QUERY)
            ended = await socket.until(b"run_completed")
            await socket.until(b"ack")  # another node can be faster with the run
            socket.close()
            total += 1
            frames += socket.frames
            cold.append(ended - asked)
            if begins <= ended and (ended <= ends or not counted):
                counted += 1
                marks["whole"].append(ended - began)
                for name, kind in _MARKS.items():
                    marks[name].append(socket.first[kind] - asked)
        http.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(converse())
    return {
        "turns": total,
        "counted": counted,
        "frames": frames,
        "cold_ms": cold[0] * 1000,
        "ms": {name: [round(one * 1000, 3) for one in times] for name, times in marks.items()},
    }


async def starts(port: int, concurrency: int, seconds: float) -> dict[str, Any]:
    """Start sessions over ``concurrency`` kept connections."""
    clock = time.perf_counter
    https = [await Http.connect(HOST, port) for _ in range(concurrency)]
    ends = clock() + seconds
    times: list[float] = []

    async def start(http: Http) -> None:
        while (began := clock()) < ends:
            await http.post("/chat/start", _START)
            times.append(clock() - began)

    async with asyncio.TaskGroup() as group:
        for http in https:
            group.create_task(start(http))
    for http in https:
        http.close()
    return {"ms": [round(one * 1000, 3) for one in times]}


async def open_idle(port: int, count: int) -> int:
    """Open live connections, each of a session of its own, and keep them."""
    allow_files(count + 1_000)
    numbers = iter(range(len(_idle), len(_idle) + count))

    async def some() -> None:
        http = await Http.connect(HOST, port)
        for number in numbers:
            started = json.loads(await http.post("/chat/start", _START))
            source = f"127.0.0.{2 + number % _SOURCES}"
            socket = await Socket.connect(HOST, port, started["ws_path"], source=source)
            socket.send(_HELLO % number)
            await socket.until(b"live")
            _idle.append(socket)
        http.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_OPENING_AT_ONCE):
            group.create_task(some())
    return len(_idle)


async def hold_idle(seconds: float) -> int:
    """Answer pings for a while; return how many connections are still open."""
    await asyncio.sleep(seconds)
    return sum(socket.is_open for socket in _idle)


async def close_idle() -> int:
    for socket in _idle:
        socket.close()
    _idle.clear()
    await asyncio.sleep(1)
    return 0


if __name__ == "__main__":
    work(
        int(sys.argv[1]),
        {
            "turns": turns,
            "starts": starts,
            "open_idle": open_idle,
            "hold_idle": hold_idle,
            "close_idle": close_idle,
            "fill": returns.fill,
            "resume": returns.resume,
        },
    )
