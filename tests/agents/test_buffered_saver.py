"""A run's checkpoints in a real Postgres, read back by LangGraph's own saver."""

import asyncio
import itertools
import operator
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt

from app.agents.buffer import Point
from app.agents.outlet import Outlet
from app.agents.saver import Savers, always, open_savers
from app.embedded.servers import Addresses
from app.events.errors import StaleFence
from app.settings import Settings

Graph = CompiledStateGraph[Any, None, Any, Any]


class State(TypedDict, total=False):
    said: Annotated[list[str], operator.add]
    plain: str


def joined(state: list[str], new: list[list[str]]) -> list[str]:
    return [*state, *itertools.chain(*new)]


class History(TypedDict, total=False):
    said: Annotated[list[str], DeltaChannel(joined)]


@pytest.fixture
async def savers(settings: Settings) -> AsyncIterator[Savers]:
    assert settings.database_url is not None
    async with open_savers(settings.database_url.get_secret_value(), settings.database) as savers:
        yield savers


@pytest.fixture
async def sql(stores: Addresses) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    connection = await psycopg.AsyncConnection.connect(stores.database_url, autocommit=True)
    async with connection:
        yield connection


class Works:
    """Nodes that count how often they run and wait where a test tells them to."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.gate = asyncio.Event()

    def node(self, name: str, *, waits: bool = False) -> Any:
        async def work(_: Any) -> dict[str, Any]:
            self.ran.append(name)
            if waits:
                await self.gate.wait()
            return {"said": [name]}

        return work


def fan_out(works: Works) -> StateGraph[State]:
    """First, then two at once of which one waits at the gate, then last."""
    graph = StateGraph(State)
    graph.add_node("first", works.node("first"))
    graph.add_node("quick", works.node("quick"))
    graph.add_node("slow", works.node("slow", waits=True))
    graph.add_node("last", works.node("last"))
    graph.add_edge(START, "first")
    graph.add_conditional_edges(
        "first", lambda _: [Send("quick", {}), Send("slow", {})], ["quick", "slow"]
    )
    graph.add_edge("quick", "last")
    graph.add_edge("slow", "last")
    graph.add_edge("last", END)
    return graph


def line(*nodes: tuple[str, Any], state: Any = State) -> StateGraph[Any]:
    graph = StateGraph(state)
    graph.add_sequence(list(nodes))
    graph.add_edge(START, nodes[0][0])
    return graph


def config() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4())}, "metadata": {"run_id": str(uuid4())}}


def turn_of(at: RunnableConfig, run_id: str) -> RunnableConfig:
    """Return the same thread for another run."""
    return {**at, "metadata": {"run_id": run_id}}


async def run(graph: StateGraph[Any], saver: BaseCheckpointSaver[str], at: Any, given: Any) -> Any:
    return await graph.compile(checkpointer=saver).ainvoke(given, at, durability="async")


async def read(graph: StateGraph[Any], savers: Savers, at: RunnableConfig) -> Any:
    """Read the thread's state with LangGraph's own saver."""
    return await graph.compile(checkpointer=AsyncPostgresSaver(savers._pool)).aget_state(at)


async def rows(sql: psycopg.AsyncConnection[Any], at: RunnableConfig) -> dict[str, int]:
    """Count what the thread has in each table."""
    counts = {}
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        query = f"SELECT count(*) FROM {table} WHERE thread_id = %s"
        found = await (
            await sql.execute(query.encode(), [at["configurable"]["thread_id"]])
        ).fetchone()
        counts[table] = found[0] if found else 0
    return counts


async def until(fits: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not fits():  # noqa: ASYNC110 - nothing tells when a node runs
            await asyncio.sleep(0.01)


async def until_stored(
    sql: psycopg.AsyncConnection[Any], at: RunnableConfig, table: str, count: int
) -> None:
    async with asyncio.timeout(10):
        while (await rows(sql, at))[table] < count:  # noqa: ASYNC110 - nor when a row is there
            await asyncio.sleep(0.01)


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
        outlet.buffer.put(point, {}, keeps_history=False)
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


async def test_a_question_survives_the_process_that_asked_it(savers: Savers) -> None:
    at = config()

    async def ask(_: State) -> dict[str, Any]:
        return {"said": [interrupt("which?")]}

    graph = line(("a", Works().node("a")), ("ask", ask))
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": []})
    state = await read(graph, savers, at)

    async with savers.buffered() as saver:
        result = await run(graph, saver, at, Command(resume="this"))

    assert [one.value for one in state.interrupts] == ["which?"]
    assert result["said"] == ["a", "this"]


async def test_subgraphs_have_their_own_part_and_leave_nothing_behind(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at, works = config(), Works()
    inner = line(("x", works.node("x")), ("y", works.node("y"))).compile()
    keeper = line(("k", works.node("k"))).compile(checkpointer=True)
    graph = line(("inner", inner), ("keeper", keeper), ("z", works.node("z")))

    beside = config()
    for turn in ("one", "two"):
        async with savers.buffered() as saver:
            result = await run(graph, saver, turn_of(at, turn), {"said": [turn]})
        own = AsyncPostgresSaver(savers._pool)
        expected = await run(graph, own, turn_of(beside, turn), {"said": [turn]})
        assert result == expected

    found = await sql.execute(
        "SELECT checkpoint_ns, count(*) FROM checkpoints WHERE thread_id = %s GROUP BY 1",
        [at["configurable"]["thread_id"]],
    )
    assert dict(await found.fetchall()) == {"": 2, "keeper": 2}


async def test_a_subgraph_goes_on_where_it_was_when_the_process_died(
    savers: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at, works, is_alive = config(), Works(), [True]
    inner = line(("x", works.node("x")), ("y", works.node("y", waits=True))).compile()
    graph = line(("inner", inner), ("z", works.node("z")))

    async def dies() -> None:
        async with savers.buffered(lambda: is_alive[0]) as saver:
            await run(graph, saver, at, {"said": ["hello"]})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(dies())
        await until(lambda: "y" in works.ran)
        await until_stored(sql, at, "checkpoints", 2)
        is_alive[0] = False
        task.cancel()
    works.gate.set()
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": ["hello"]})

    assert works.ran == ["x", "y", "y", "z"]


async def test_a_channel_that_is_read_with_its_history_keeps_it(savers: Savers) -> None:
    at, works = config(), Works()
    nodes = [(name, works.node(name)) for name in ("a", "b", "c")]
    graph = line(*nodes, state=History)

    for turn in ("one", "two"):
        async with savers.buffered() as saver:
            await run(graph, saver, turn_of(at, turn), {"said": [turn]})
        await savers.prune(at["configurable"]["thread_id"])

    state = await read(graph, savers, at)
    assert state.values["said"] == ["one", "a", "b", "c", "two", "a", "b", "c"]


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
