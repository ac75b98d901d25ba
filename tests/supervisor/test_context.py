"""What the graph's nodes share."""

import asyncio
import threading
from typing import Any, cast

from app.supervisor.context import Context
from tests.support.until import until


async def test_only_so_many_computations_are_under_way_at_once() -> None:
    """Each waits for Python's lock, and the event loop with them: 64 held it up for a second."""
    nothing = cast("Any", None)
    context = Context(
        user_id=None,
        memory=nothing,
        knowledge=nothing,
        model=None,
        clock=nothing,
        team_seconds=1,
        search_results=1,
        history_messages=2,
        turns=asyncio.Semaphore(2),
    )
    lock, gate = threading.Lock(), threading.Event()
    running = most = 0

    def compute() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait()
        with lock:
            running -= 1

    computed = asyncio.gather(*(context.compute(compute) for _ in range(6)))
    try:
        await until(lambda: running >= 2)
    finally:
        gate.set()
    await computed

    assert most == 2
