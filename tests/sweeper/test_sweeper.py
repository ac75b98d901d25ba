"""Periodic jobs: each at its own pace, and none can stop another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from structlog.testing import LogCapture

from app.kit.errors import Unavailable
from app.sweeper import sweeper as module
from app.sweeper.sweeper import Job, Sweeper
from tests.support.until import until


class Work:
    """Counts how often it was done; can be told to fail or to take for ever."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.errors: dict[str, Exception] = {}

    def job(self, name: str, *, seconds: float = 0.001) -> Job:
        async def work() -> int:
            self.done[name] += 1
            if name in self.errors:
                raise self.errors[name]
            return 7 if name == "busy" else 0

        return Job(name, seconds, work)


@asynccontextmanager
async def running(*jobs: Job) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Sweeper(jobs).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What the sweeper logs, at every level."""
    capture = LogCapture()
    logger = structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr(module, "log", logger)
    return capture


async def test_jobs_are_repeated_each_at_its_own_pace() -> None:
    work = Work()

    async with running(work.job("often"), work.job("seldom", seconds=0.05)):
        await until(lambda: work.done["seldom"] >= 2)

    assert work.done["often"] > 4


async def test_a_job_waits_before_its_first_turn() -> None:
    work = Work()

    async with running(work.job("often"), work.job("later", seconds=60)):
        await until(lambda: work.done["often"] >= 5)

    assert work.done["later"] == 0


async def test_a_job_that_fails_is_tried_again_and_holds_up_no_other(told: LogCapture) -> None:
    work = Work()
    work.errors = {"unlucky": Unavailable("away"), "broken": KeyError("a bug")}

    async with running(work.job("unlucky"), work.job("broken"), work.job("fine")) as task:
        await until(lambda: min(work.done[name] for name in ("unlucky", "broken", "fine")) > 3)
        assert not task.done()

    assert {(log["event"], log["job"], log.get("code")) for log in told.entries} == {
        ("job_failed", "unlucky", "unavailable"),
        ("job_crashed", "broken", None),
    }


async def test_a_job_that_hangs_holds_up_no_other() -> None:
    work = Work()

    async def hang() -> int:
        await asyncio.Event().wait()
        return 0

    async with running(Job("stuck", 0.001, hang), work.job("fine")):
        await until(lambda: work.done["fine"] > 3)


async def test_only_a_job_that_had_something_to_do_is_logged(told: LogCapture) -> None:
    work = Work()

    async with running(work.job("busy"), work.job("idle")):
        await until(lambda: min(work.done["busy"], work.done["idle"]) > 3)

    assert {(log["event"], log["job"], log["count"]) for log in told.entries} == {
        ("job_done", "busy", 7)
    }


async def test_the_sweeper_stops_when_it_is_told_to() -> None:
    work = Work()

    async with running(work.job("often")) as task:
        await until(lambda: work.done["often"] > 1)
        task.cancel()
        await asyncio.wait([task])

    assert task.cancelled()
