"""Runs what a process does beside answering, and ends it for sure."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from typing import Any

import structlog

log = structlog.get_logger()

Work = Callable[[], Coroutine[Any, Any, None]]

# Objects made before the collector looks at the young ones, and so on. A run makes thousands
# that are gone with it; Python's own thresholds are for scripts.
_COLLECT_AFTER = (10_000, 20, 20)
_CANCELS = 10
_CANCEL_SECONDS = 1.0  # between one and the next


def calm_collector() -> None:
    """Have the garbage collector look seldom, and never again at what is loaded by now."""
    gc.set_threshold(*_COLLECT_AFTER)
    gc.freeze()


@contextlib.asynccontextmanager
async def running(background: Sequence[Work]) -> AsyncIterator[None]:
    """Run ``background`` for as long as the block lasts; one that fails ends the block.

    A task may lose its cancel: before Python 3.12 ``asyncio.wait_for`` swallows one that comes
    together with what it waits for. So each is cancelled until it has ended, and left alone
    after ten seconds: what comes after must be closed whatever happens here.
    """
    # A task group would wait for its tasks for ever, so these are watched by one instead.
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(work(), name=_name(work)) for work in background]
    try:
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(_failure(task)) for task in tasks]
            try:
                yield
            finally:
                for watcher in watchers:
                    watcher.cancel()
    finally:
        await _end([task for task in tasks if not task.done()])


async def _failure(task: asyncio.Task[None]) -> None:
    """Wait for the task's end; raise what it raises."""
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    for _ in range(_CANCELS):
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        done, tasks = await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("background_crashed", task=task.get_name(), exc_info=error)
    if tasks:
        log.error("background_left", tasks=[task.get_name() for task in tasks])


def _name(work: Work) -> str:
    return str(getattr(work, "__qualname__", work))
