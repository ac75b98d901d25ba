"""A run's checkpoints in a real Postgres, read back by LangGraph's own saver."""

import asyncio
from typing import Any

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from app.agents.saver import Savers
from app.events.errors import StaleFence
from tests.agents.graphs import (
    State,
    Works,
    config,
    fan_out,
    line,
    read,
    rows,
    run,
    turn_of,
    until_stored,
)
from tests.runs.scene import until


async def test_a_short_run_writes_its_last_checkpoint_only(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    works, at = Works(), config()
    works.gate.set()

    async with savers.buffered() as saver:
        await run(fan_out(works), saver, at, {"said": ["hello"]})

    assert (await rows(sql, at))["checkpoints"] == 1
    state = await read(fan_out(works), savers, at)
    assert state.values["said"] == ["hello", "first", "quick", "slow", "last"]
    assert state.next == ()


async def test_a_crash_in_a_parallel_step_repeats_the_unfinished_node_only(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    works, at, is_alive = Works(), config(), [True]

    async def dies() -> None:
        async with savers.buffered(lambda: is_alive[0]) as saver:
            await run(fan_out(works), saver, at, {"said": ["hello"]})

    async with asyncio.TaskGroup() as group:
        first = group.create_task(dies())
        await until_stored(
            sql, at, "checkpoint_writes", 1
        )  # what `quick` wrote is there while `slow` works
        is_alive[0] = False  # nothing more gets out of this process
        first.cancel()
    works.gate.set()
    async with savers.buffered() as saver:
        result = await run(fan_out(works), saver, at, {"said": ["hello"]})

    assert works.ran == ["first", "quick", "slow", "slow", "last"]
    assert result["said"] == ["hello", "first", "quick", "slow", "last"]


async def test_a_crash_before_anything_was_written_begins_anew(savers: Savers) -> None:
    works, at, is_alive = Works(), config(), [True]
    works.gate.set()

    async def dies() -> None:
        async with savers.buffered(lambda: is_alive[0]) as saver:
            await run(fan_out(works), saver, at, {"said": ["hello"]})
            is_alive[0] = False

    with pytest.raises(StaleFence):
        await dies()
    async with savers.buffered() as saver:
        result = await run(fan_out(works), saver, at, {"said": ["hello"]})

    assert result["said"] == ["hello", "first", "quick", "slow", "last"]
    assert works.ran == ["first", "quick", "slow", "last"] * 2


async def test_a_stopped_run_leaves_what_it_had(savers: Savers) -> None:
    works, at = Works(), config()

    async def stopped() -> None:
        async with savers.buffered() as saver:
            await run(fan_out(works), saver, at, {"said": ["hello"]})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(stopped())
        await until(lambda: {"slow", "quick"} <= set(works.ran))
        task.cancel()

    state = await read(fan_out(works), savers, at)
    assert state.values["said"] == ["hello", "first", "quick"]
    assert state.next == ("slow",)


async def test_a_run_reads_what_it_has_not_yet_written(savers: Savers) -> None:
    at = config()
    seen: list[list[str]] = []

    async def look(_: State, config: RunnableConfig) -> dict[str, Any]:
        own = {"thread_id": at["configurable"]["thread_id"], "checkpoint_ns": ""}
        found = await saver.aget_tuple({"configurable": own})
        assert found is not None
        seen.append(found.checkpoint["channel_values"]["said"])
        return {}

    async with savers.buffered() as saver:
        await run(line(("a", Works().node("a")), ("look", look)), saver, at, {"said": ["hello"]})

    assert seen == [["hello", "a"]]


async def test_pruning_keeps_the_newest_state_and_drops_the_rest(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at, works = config(), Works()
    inner = line(("x", works.node("x"))).compile()
    keeper = line(("k", works.node("k"))).compile(checkpointer=True)
    graph = line(("inner", inner), ("keeper", keeper), ("z", works.node("z")))
    for turn in ("one", "two"):  # with LangGraph's own saver, which keeps everything
        await run(graph, AsyncPostgresSaver(savers._pool), turn_of(at, turn), {"said": [turn]})
    before = await read(graph, savers, at)
    other = config()
    await run(graph, AsyncPostgresSaver(savers._pool), other, {"said": []})
    others = await rows(sql, other)

    await savers.prune(at["configurable"]["thread_id"])

    counts = await rows(sql, at)
    assert (counts["checkpoints"], counts["checkpoint_writes"]) == (2, 0)  # its own, the keeper's
    assert counts["checkpoint_blobs"] == 2
    after = await read(graph, savers, at)
    assert (after.values, after.next) == (before.values, before.next)
    assert await rows(sql, other) == others
    async with savers.buffered() as saver:
        result = await run(graph, saver, turn_of(at, "three"), {"said": ["three"]})
    assert result["said"][: len(before.values["said"])] == before.values["said"]


async def test_pruning_a_thread_whose_next_run_is_at_work_does_not_disturb_it(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at, works = config(), Works()
    graph = fan_out(works)
    works.gate.set()
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": ["one"]})
    works.gate.clear()

    async def goes_on() -> Any:
        async with savers.buffered() as saver:
            return await run(graph, saver, turn_of(at, "two"), {"said": ["two"]})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(goes_on())
        await until_stored(sql, at, "checkpoint_writes", 1)
        await savers.prune(at["configurable"]["thread_id"])
        works.gate.set()

    assert task.result()["said"][-4:] == ["first", "quick", "slow", "last"]
    state = await read(graph, savers, at)
    assert state.values["said"] == task.result()["said"]
