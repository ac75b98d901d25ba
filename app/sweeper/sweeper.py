"""Runs small periodic jobs. Knows none of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from app.kit.errors import AppError

log = structlog.get_logger()


class Job(NamedTuple):
    """Something to be done every so often; says how much there was to do, or logs that itself."""

    name: str
    seconds: float
    work: Callable[[], Awaitable[int | None]]


class Sweeper:
    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    async def run(self) -> None:
        """Do every job at its pace until cancelled. One that fails is tried again next time."""
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                group.create_task(self._repeat(job), name=f"job {job.name}")

    async def _repeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.seconds)
            try:
                done = await job.work()
            except AppError as error:
                log.warning("job_failed", job=job.name, code=error.code)
            except Exception:
                log.exception("job_crashed", job=job.name)
            else:
                if done:
                    log.info("job_done", job=job.name, count=done)
