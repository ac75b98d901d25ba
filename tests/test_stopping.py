"""What the first signal does, and what a second one does."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.stopping import Stopper

GRACE = 33.0


class Process:
    """Something that drains until told, and notes what was asked of it."""

    def __init__(self) -> None:
        self.drains: list[float] = []
        self.is_drained = asyncio.Event()
        self.stopped = asyncio.Event()

    async def drain(self, seconds: float) -> None:
        self.drains.append(seconds)
        await self.is_drained.wait()


@asynccontextmanager
async def listening() -> AsyncIterator[Process]:
    process = Process()
    stopper = Stopper(drain=process.drain, seconds=GRACE, stop=process.stopped.set)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            stopper.listen(group)
            yield process
            stopper.done()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def given(process: Process, number: signal.Signals) -> None:
    """Raise a signal and let the loop see it."""
    signal.raise_signal(number)
    while not process.drains:  # noqa: ASYNC110 - a turn or two of the loop
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("number", "seconds"), [(signal.SIGTERM, GRACE), (signal.SIGINT, 0.0)], ids=str
)
async def test_a_signal_drains_first_and_stops_then(number: signal.Signals, seconds: float) -> None:
    async with listening() as process:
        await given(process, number)
        assert not process.stopped.is_set()

        process.is_drained.set()
        await process.stopped.wait()

    assert process.drains == [seconds]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_does_not_wait(second: signal.Signals) -> None:
    async with listening() as process:
        await given(process, signal.SIGTERM)
        signal.raise_signal(second)
        await process.stopped.wait()

    assert process.drains == [GRACE]
    assert not process.is_drained.is_set()


async def test_who_is_done_by_itself_waits_for_no_signal() -> None:
    async with listening() as process:
        pass

    assert process.drains == []
    assert not process.stopped.is_set()
