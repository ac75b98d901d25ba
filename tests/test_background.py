"""What runs beside a process's work ends with it, whatever it does."""

import asyncio
from collections import Counter

import pytest
import structlog
from structlog.testing import LogCapture

from app import background
from app.background import running


class Stubborn:
    """Swallows so many of its cancels."""

    def __init__(self, swallows: int) -> None:
        self.swallows = swallows
        self.cancels = 0
        self.has_ended = False

    async def run(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancels += 1
                if self.cancels > self.swallows:
                    self.has_ended = True
                    raise


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_CANCEL_SECONDS", 0.02)


@pytest.mark.usefixtures("quick")
async def test_a_task_that_swallows_its_first_cancel_is_cancelled_again() -> None:
    """It kept the process alive for ever."""
    stubborn, obedient = Stubborn(1), Stubborn(0)

    async with asyncio.timeout(2):
        async with running([stubborn.run, obedient.run]):
            await asyncio.sleep(0)  # both have begun

    assert (stubborn.cancels, stubborn.has_ended) == (2, True)
    assert (obedient.cancels, obedient.has_ended) == (1, True)


@pytest.mark.usefixtures("quick")
async def test_a_task_that_cannot_be_ended_is_left_and_told() -> None:
    stubborn = Stubborn(background._CANCELS)
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    try:
        async with asyncio.timeout(2), running([stubborn.run]):
            await asyncio.sleep(0)
    finally:
        structlog.configure(processors=before)

    assert not stubborn.has_ended
    [told] = [entry for entry in capture.entries if entry["event"] == "background_left"]
    assert told["tasks"] == ["Stubborn.run"]
    [left] = [task for task in asyncio.all_tasks() if task.get_name() == "Stubborn.run"]
    left.cancel()
    await asyncio.wait({left})
    assert stubborn.has_ended


async def test_one_that_fails_ends_the_block_and_the_others() -> None:
    other = Stubborn(0)

    async def fail() -> None:
        raise OSError("no more")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(2), running([fail, other.run]):
            await asyncio.Event().wait()

    assert isinstance(caught.value.exceptions[0], OSError)
    assert other.has_ended


async def test_one_that_has_done_its_work_ends_nothing() -> None:
    done: Counter[str] = Counter()

    async def once() -> None:
        done["once"] += 1

    async with running([once]):
        await asyncio.sleep(0.01)
        done["block"] += 1

    assert done == {"once": 1, "block": 1}


async def test_what_the_block_raises_is_raised_when_all_have_ended() -> None:
    other = Stubborn(0)

    async def work() -> None:
        async with running([other.run]):
            await asyncio.sleep(0)
            raise OSError("the block")

    with pytest.raises(ExceptionGroup) as caught:
        await work()

    assert caught.group_contains(OSError, match="the block")
    assert other.has_ended


async def test_a_cancel_of_the_block_is_handed_on() -> None:
    other, inside = Stubborn(0), asyncio.Event()

    async def work() -> None:
        async with running([other.run]):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=2)

    assert task.cancelled()
    assert other.has_ended
