"""Writing together: each caller its own result, each batch its own fate, nothing unbounded."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from app.kit.errors import AppError, Unavailable
from app.storage.batches import GroupWriter, WriteBehind
from tests.support.until import until


class Store:
    """Writes when it is let, fails when it is told to, and keeps what it was given."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.began = asyncio.Event()
        self.errors: list[Exception] = []
        self.batches: list[list[int]] = []

    async def write(self, items: Sequence[int]) -> list[int]:
        self.began.set()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(list(items))
        return [item * 10 for item in items]

    async def write_quietly(self, items: Sequence[int]) -> None:
        await self.write(items)

    async def hold(self) -> None:
        self.open.clear()
        self.began.clear()


@asynccontextmanager
async def running(
    writer: GroupWriter[int, int] | WriteBehind[int],
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(writer.run())
    try:
        async with asyncio.timeout(5):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def submit_behind_a_first(
    store: Store, writer: GroupWriter[int, int], items: Sequence[int]
) -> list[asyncio.Task[int]]:
    """Let one item be under way, and submit the others meanwhile."""
    await store.hold()
    tasks = [asyncio.create_task(writer.submit(0))]
    await store.began.wait()
    tasks += [asyncio.create_task(writer.submit(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_everybody_gets_the_result_of_their_own_item() -> None:
    store = Store()
    writer = GroupWriter(store.write, limit=100)

    async with running(writer):
        results = await asyncio.gather(*(writer.submit(item) for item in range(500)))

    assert results == [item * 10 for item in range(500)]


async def test_what_comes_while_one_batch_is_written_is_the_next_batch_in_order() -> None:
    store = Store()
    writer = GroupWriter(store.write, limit=3)

    async with running(writer):
        tasks = await submit_behind_a_first(store, writer, [1, 2, 3, 4, 5])
        store.open.set()
        await asyncio.gather(*tasks)

    assert store.batches == [[0], [1, 2, 3], [4, 5]]


async def test_an_error_is_told_to_its_own_batch_only() -> None:
    store = Store()
    writer = GroupWriter(store.write, limit=2)

    async with running(writer):
        tasks = await submit_behind_a_first(store, writer, [1, 2, 3])
        store.errors = [KeyError("first batch")]
        store.open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[0], KeyError)
    assert outcomes[1:] == [10, 20, 30]


async def test_too_few_results_are_an_error_and_not_the_end() -> None:
    """The mismatch used to kill the writer, and everyone after it waited for ever."""
    answers: list[list[int]] = [[], [70]]

    async def write(items: Sequence[int]) -> list[int]:
        return answers.pop(0)

    writer = GroupWriter(write, limit=2)
    async with running(writer):
        with pytest.raises(ValueError, match="zip"):
            await writer.submit(1)
        assert await writer.submit(7) == 70


async def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    store = Store()
    writer = GroupWriter(store.write, limit=10)

    async with running(writer):
        tasks = await submit_behind_a_first(store, writer, [1, 2, 3])
        tasks[0].cancel()  # being written
        tasks[2].cancel()  # waiting
        await asyncio.sleep(0)
        store.open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(one, asyncio.CancelledError) for one in outcomes] == [
        True,
        False,
        True,
        False,
    ]
    assert (outcomes[1], outcomes[3]) == (10, 30)
    assert store.batches == [[0], [1, 3]]  # nobody waited for 2 any more


async def test_whoever_waits_when_the_writer_stops_is_told() -> None:
    """Callers used to hang: their batch was never written and nobody said so."""
    store = Store()
    writer = GroupWriter(store.write, limit=1)

    async with running(writer) as task:
        tasks = await submit_behind_a_first(store, writer, [1, 2])
        task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(Unavailable):
            await writer.submit(3)

    assert [type(one) for one in outcomes] == [Unavailable, Unavailable, Unavailable]


async def test_items_are_collected_and_written_together_a_little_later() -> None:
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=0.01)

    async with running(later):
        for item in range(5):
            later.add(item)
        await store.began.wait()

    assert store.batches == [[0, 1, 2, 3, 4]]


async def test_a_flush_writes_what_is_there_and_never_raises() -> None:
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=60)
    await later.flush()
    later.add(1)

    await later.flush()
    await later.flush()

    assert store.batches == [[1]]


async def test_what_could_not_be_written_is_tried_again_before_what_came_later() -> None:
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=0.01)
    store.errors = [Unavailable("away"), Unavailable("away")]

    async with running(later):
        await store.hold()
        later.add(1)
        later.add(2)
        await store.began.wait()
        later.add(3)
        store.open.set()
        await until(lambda: bool(store.batches))

    assert [item for batch in store.batches for item in batch] == [1, 2, 3]


async def test_a_store_that_stays_away_is_asked_ever_more_seldom_and_told_of_once() -> None:
    """Two lines in the log for every second of an outage said the same thing."""
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=0.01)
    store.errors = [Unavailable("away") for _ in range(5)]
    loop = asyncio.get_running_loop()

    with capture_logs() as logs:
        async with running(later):
            begun = loop.time()
            later.add(1)
            await until(lambda: bool(store.batches))
            took = loop.time() - begun
            later.add(2)
            await until(lambda: len(store.batches) == 2)

    assert took > 0.01 * (1 + 2 + 4 + 8 + 16 + 32)
    warnings = [one["event"] for one in logs if one["log_level"] == "warning"]
    assert warnings == ["write_behind_failed"]


async def test_what_can_never_be_written_is_dropped_and_not_in_the_way() -> None:
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=0.01)
    store.errors = [KeyError("a bug")]

    async with running(later):
        later.add(1)
        await until(lambda: not store.errors)
        later.add(2)
        await until(lambda: bool(store.batches))

    assert store.batches == [[2]]


async def test_the_oldest_are_dropped_when_the_store_stays_away() -> None:
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=60, limit=3)
    for item in range(3):
        later.add(item)
    store.errors = [Unavailable("away")]
    await later.flush()

    for item in range(3, 5):
        later.add(item)
    await later.flush()

    assert store.batches == [[2, 3, 4]]


async def test_the_bound_holds_while_a_write_takes_its_time() -> None:
    """Only what came back from a failed write used to be bounded."""
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=0, limit=3)

    async with running(later):
        await store.hold()
        later.add(0)
        await store.began.wait()
        for item in range(1, 11):
            later.add(item)
        store.open.set()
        await until(lambda: len(store.batches) >= 2)

    assert store.batches == [[0], [8, 9, 10]]


async def test_a_write_cut_short_by_the_end_is_repeated_by_the_last_flush() -> None:
    """Its items used to be lost: taken from the list, and never written."""
    store = Store()
    later = WriteBehind("test", store.write_quietly, seconds=0)

    async with running(later) as task:
        await store.hold()
        later.add(1)
        await store.began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.open.set()
        later.add(2)
        await later.flush()

    assert store.batches == [[1, 2]]


async def test_the_error_of_a_caller_is_the_one_the_store_gave() -> None:
    store = Store()
    writer = GroupWriter(store.write, limit=1)
    store.errors = [Unavailable("away", retry_after_ms=7)]

    async with running(writer):
        with pytest.raises(AppError) as caught:
            await writer.submit(1)

    assert caught.value.retry_after_ms == 7
