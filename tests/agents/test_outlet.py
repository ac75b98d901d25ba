"""What happens to checkpoints that cannot be written: now, any more, or at all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import pytest

from app.agents.buffer import Point
from app.agents.outlet import _HOLD_SECONDS, Handed, Outlet
from app.agents.saver import Savers, always
from app.events.errors import StaleFence
from app.kit.errors import Unavailable
from app.storage.batches import GroupWriter
from tests.agents.graphs import (
    State,
    Works,
    config,
    line,
    read,
    rows,
    run,
    until_stored,
)
from tests.runs.scene import until


class Store:
    """Takes what is written; says of each batch what a test wants, and when."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []  # the ids of their checkpoints
        self.answers: list[Exception | None] = []
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, handed: Sequence[Handed]) -> list[Exception | None]:
        [one] = handed
        self.batches.append([point.id for point in one.batch.points.values()])
        await self.open.wait()
        return [self.answers.pop(0) if self.answers else None]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def outlet(store: Store) -> AsyncIterator[Outlet]:
    writer: GroupWriter[Handed, Exception | None] = GroupWriter(store.write, limit=64)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(writer.run())
        yield Outlet(writer, always)
        running.cancel()


def put(outlet: Outlet, id_: str, parent: str | None = None, thread: str = "t") -> None:
    point = Point(thread, "", id_, parent, "{}", "{}")
    outlet.buffer.put(point, {}, run="run", keeps_history=False)
    outlet.changed()


async def test_a_batch_waits_for_the_one_before_it(outlet: Outlet, store: Store) -> None:
    """A checkpoint refers to values that went before it; alone, it would lose them."""
    store.open.clear()
    put(outlet, "1")
    await until(lambda: store.batches == [["1"]])
    put(outlet, "2", "1")
    flush = asyncio.ensure_future(outlet.flush())
    await asyncio.wait({flush}, timeout=2 * _HOLD_SECONDS)
    put(outlet, "3", "2")

    store.open.set()
    await flush

    assert store.batches == [["1"], ["3"]]


async def test_what_could_not_be_written_goes_with_what_comes_next(
    outlet: Outlet, store: Store
) -> None:
    store.answers = [Unavailable("Postgres is away.")]
    store.open.clear()
    put(outlet, "1")
    await until(lambda: store.batches == [["1"]])
    put(outlet, "2", "1")

    store.open.set()
    await until(lambda: len(store.batches) == 2)

    assert store.batches == [["1"], ["1", "2"]]


async def test_what_came_back_is_tried_again_though_nothing_else_happens(
    outlet: Outlet, store: Store
) -> None:
    store.answers = [StaleFence("Not now."), Unavailable("Not now either.")]
    put(outlet, "1")

    await until(lambda: len(store.batches) == 3)

    assert store.batches == [["1"]] * 3
    await outlet.flush()


async def test_who_waits_for_it_hears_that_it_came_back(outlet: Outlet, store: Store) -> None:
    store.answers = [Unavailable("Postgres is away."), None]
    put(outlet, "1")

    with pytest.raises(Unavailable):
        await outlet.flush()

    await outlet.flush()  # and now it is there
    assert store.batches == [["1"]] * 2


async def test_after_what_can_never_be_written_nothing_else_is(
    outlet: Outlet, store: Store
) -> None:
    store.answers = [psycopg.DataError("no place for this")]
    store.open.clear()
    put(outlet, "1")
    await until(lambda: store.batches == [["1"]])
    put(outlet, "2", "1")

    store.open.set()
    with pytest.raises(psycopg.DataError):
        await outlet.flush()
    await outlet.close()

    assert store.batches == [["1"]]


async def test_a_closed_outlet_tries_once_more_and_no_longer(outlet: Outlet, store: Store) -> None:
    store.answers = [StaleFence("Not now."), StaleFence("Not now either.")]
    put(outlet, "1")
    with pytest.raises(StaleFence):
        await outlet.flush()

    await outlet.close()

    assert outlet._timer is None
    assert store.batches == [["1"]] * 2


async def test_a_lease_that_lapses_for_a_moment_costs_no_checkpoint(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    """What was refused in that moment never came, and the run failed at its next step."""
    at, works = config(), Works()
    refused, holds = [0], [True]

    def may_write() -> bool:
        refused[0] += not holds[0]
        return holds[0]

    async def lapses(_: State) -> dict[str, Any]:
        holds[0] = False
        await until(lambda: refused[0] > 1)
        holds[0] = True
        await works.gate.wait()
        return {"said": ["lapses"]}

    graph = line(("a", works.node("a")), ("lapses", lapses))

    async def work() -> Any:
        async with savers.buffered(may_write) as saver:
            return await run(graph, saver, at, {"said": ["hello"]})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        await until_stored(sql, at, "checkpoints", 1)
        state = await read(graph, savers, at)
        works.gate.set()

    assert (state.values["said"], state.next) == (["hello", "a"], ("lapses",))
    assert task.result()["said"] == ["hello", "a", "lapses"]


async def test_what_comes_after_the_end_is_not_written(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at = config()
    async with savers.buffered() as saver:
        await run(line(("a", Works().node("a"))), saver, at, {"said": []})
    before = await rows(sql, at)
    late = {**at["configurable"], "checkpoint_ns": "", "checkpoint_id": "f"}

    await saver.aput_writes({"configurable": late}, [("said", ["late"])], "task")
    await saver.outlet.flush()

    assert await rows(sql, at) == before


async def test_a_value_postgres_refuses_fails_its_run(savers: Savers) -> None:
    async def poison(_: State) -> dict[str, Any]:
        return {"plain": "\x00"}  # kept as JSON, where Postgres has no place for it

    async def poisoned() -> None:
        async with savers.buffered() as saver:
            await run(line(("poison", poison)), saver, config(), {"said": []})

    with pytest.raises(psycopg.Error):
        await poisoned()


async def test_what_postgres_refuses_of_one_run_does_not_harm_those_written_with_it(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    good, bad, also_good = config(), config(), config()
    outlets = []
    for at, body in ((good, "{}"), (bad, '"\\u0000"'), (also_good, "{}")):
        outlet = Outlet(savers._writer, always)
        point = Point(at["configurable"]["thread_id"], "", "1", None, body, "{}")
        outlet.buffer.put(point, {}, run=None, keeps_history=False)
        outlets.append(outlet)

    results = await asyncio.gather(*(one.flush() for one in outlets), return_exceptions=True)

    assert [isinstance(one, psycopg.Error) for one in results] == [False, True, False]
    counts = [(await rows(sql, at))["checkpoints"] for at in (good, bad, also_good)]
    assert counts == [1, 0, 1]


async def test_a_run_that_was_taken_over_writes_nothing_and_hears_of_it(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at = config()

    with pytest.raises(StaleFence):
        async with savers.buffered(lambda: False) as saver:
            await run(line(("a", Works().node("a"))), saver, at, {"said": []})

    assert not any((await rows(sql, at)).values())
