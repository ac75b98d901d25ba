"""What LangGraph does with checkpoints, each over a process that ends in the middle of it.

The state that is left is read with LangGraph's own saver.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypedDict

import psycopg
import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from app.agents import outlet
from app.agents.buffered import BufferedSaver
from app.agents.saver import Savers, open_savers
from app.settings import Settings
from tests.agents.graphs import (
    History,
    State,
    Works,
    config,
    line,
    read,
    run,
    turn_of,
    until_stored,
)
from tests.runs.scene import until


@pytest.fixture
async def others(settings: Settings) -> AsyncIterator[Savers]:
    """The savers of another process."""
    assert settings.database_url is not None
    async with open_savers(settings.database_url.get_secret_value(), settings.database) as savers:
        yield savers


class Life:
    """A process of which nothing gets out any more once it is dead."""

    def __init__(self, savers: Savers) -> None:
        self._savers = savers
        self._lives = True

    @contextlib.asynccontextmanager
    async def saver(self) -> AsyncIterator[BufferedSaver]:
        async with self._savers.buffered(lambda: self._lives) as saver:
            yield saver

    def end(self, task: asyncio.Task[Any]) -> None:
        self._lives = False
        task.cancel()


async def ask(state: State) -> dict[str, Any]:
    return {"said": [interrupt("which?")]}


def two_questions() -> StateGraph[State]:
    """Two at once, each of which asks the person."""
    graph = StateGraph(State)
    graph.add_node("first", Works().node("first"))
    graph.add_node("ask", lambda state: {"said": [interrupt(state["plain"])]})
    graph.add_edge(START, "first")
    sends = [Send("ask", {"plain": which}) for which in ("this?", "that?")]
    graph.add_conditional_edges("first", lambda _: sends, ["ask"])
    graph.add_edge("ask", END)
    return graph


async def test_a_question_survives_the_process_that_asked_it(
    savers: Savers, others: Savers
) -> None:
    at, works = config(), Works()
    graph = line(("a", works.node("a")), ("ask", ask))
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": []})
    asked = await read(graph, savers, at)

    async with others.buffered() as saver:
        result = await run(graph, saver, at, Command(resume="this"))

    assert [one.value for one in asked.interrupts] == ["which?"]
    assert works.ran == ["a"]
    state = await read(graph, savers, at)
    assert state.values["said"] == result["said"] == ["a", "this"]
    assert (state.next, state.interrupts) == ((), ())


async def test_a_question_is_written_at_once_while_others_are_still_at_work(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "_HOLD_SECONDS", 600)
    at, works, asked = config(), Works(), asyncio.Event()
    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_node("slow", works.node("slow", waits=True))
    graph.add_edge(START, "ask")
    graph.add_edge(START, "slow")

    async def work() -> None:
        async with savers.buffered() as saver:
            parts = graph.compile(checkpointer=saver).astream(
                {"said": ["hello"]}, at, stream_mode="updates", durability="async"
            )
            async for part in parts:
                if "__interrupt__" in part:
                    asked.set()

    async def is_stored() -> bool:
        return bool((await read(graph, savers, at)).interrupts)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        await until(asked.is_set)
        await until(is_stored)
        state = await read(graph, savers, at)
        works.gate.set()
        await task

    assert state.values["said"] == ["hello"]
    assert [one.value for one in state.interrupts] == ["which?"]


async def test_two_questions_at_once_are_answered_one_by_one(
    savers: Savers, others: Savers
) -> None:
    at, graph = config(), two_questions()
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": []})
    this, that = sorted((await read(graph, savers, at)).interrupts, key=lambda one: one.value)[::-1]

    async with others.buffered() as saver:
        await run(graph, saver, at, Command(resume={this.id: "yes"}))
    between = await read(graph, savers, at)
    async with savers.buffered() as saver:
        await run(graph, saver, at, Command(resume={that.id: "no"}))

    assert [one.value for one in between.interrupts] == ["that?"]
    state = await read(graph, others, at)
    assert (state.values["said"], state.next) == (["first", "yes", "no"], ())


async def test_an_answer_survives_a_process_that_dies_while_it_works_on_it(
    savers: Savers, others: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at, works, life = config(), Works(), Life(savers)
    graph = line(("ask", ask), ("b", works.node("b", waits=True)))
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": []})

    async def dies() -> None:
        async with life.saver() as saver:
            await run(graph, saver, at, Command(resume="this"))

    async with asyncio.TaskGroup() as group:
        task = group.create_task(dies())
        await until(lambda: works.ran == ["b"])
        await until_stored(sql, at, "checkpoints", 2)
        life.end(task)
    works.gate.set()
    async with others.buffered() as saver:
        await run(graph, saver, at, None)

    state = await read(graph, savers, at)
    assert (state.values["said"], state.next) == (["this", "b"], ())


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
        state = await read(graph, savers, at)
        assert (state.values, state.next) == (expected, ())

    found = await sql.execute(
        "SELECT checkpoint_ns, count(*) FROM checkpoints WHERE thread_id = %s GROUP BY 1",
        [at["configurable"]["thread_id"]],
    )
    assert dict(await found.fetchall()) == {"": 2, "keeper": 2}


@pytest.mark.parametrize("remembers", [None, True])
async def test_a_subgraph_goes_on_where_it_was_when_the_process_died(
    savers: Savers,
    others: Savers,
    sql: psycopg.AsyncConnection[Any],
    remembers: bool | None,
) -> None:
    at, works, life = config(), Works(), Life(savers)
    inner = line(("x", works.node("x")), ("y", works.node("y", waits=True)))
    graph = line(("inner", inner.compile(checkpointer=remembers)), ("z", works.node("z")))

    async def dies() -> None:
        async with life.saver() as saver:
            await run(graph, saver, at, {"said": ["hello"]})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(dies())
        await until(lambda: "y" in works.ran)
        await until_stored(sql, at, "checkpoints", 2)
        life.end(task)
    works.gate.set()
    async with others.buffered() as saver:
        result = await run(graph, saver, at, {"said": ["hello"]})

    assert works.ran == ["x", "y", "y", "z"]
    state = await read(graph, savers, at)
    assert (state.values["said"], state.next) == (result["said"], ())
    assert state.values["said"][-1] == "z"


@pytest.mark.parametrize("remembers", [None, True])
async def test_a_subgraph_that_asks_is_answered_in_another_process(
    savers: Savers, others: Savers, remembers: bool | None
) -> None:
    at, works = config(), Works()
    inner = line(("x", works.node("x")), ("ask", ask)).compile(checkpointer=remembers)
    graph = line(("inner", inner), ("z", works.node("z")))
    async with savers.buffered() as saver:
        await run(graph, saver, at, {"said": []})
    asked = await read(graph, savers, at)

    async with others.buffered() as saver:
        await run(graph, saver, at, Command(resume="this"))

    assert [one.value for one in asked.interrupts] == ["which?"]
    assert works.ran == ["x", "z"]
    state = await read(graph, savers, at)
    assert (state.values["said"], state.next) == (["x", "this", "z"], ())


async def test_tasks_of_an_entrypoint_that_had_ended_are_not_done_again(
    savers: Savers, others: Savers, sql: psycopg.AsyncConnection[Any]
) -> None:
    at, works, life = turn_of(config(), "one"), Works(), Life(savers)
    done, waits = works.node("done"), works.node("waits", waits=True)

    @task
    async def work(name: str) -> str:
        await (done if name == "done" else waits)(None)
        return name

    async def flow(given: str, *, previous: str | None = None) -> str:
        said = [await work("done"), *await asyncio.gather(work("done"), work("waits"))]
        return f"{previous or ''}{given}: {' '.join(said)}. "

    async def goes(saver: BufferedSaver, turn: str) -> Any:
        graph = entrypoint(checkpointer=saver)(flow)
        return await graph.ainvoke(turn, turn_of(at, turn), durability="async")

    async def dies() -> None:
        async with life.saver() as saver:
            await goes(saver, "one")

    async with asyncio.TaskGroup() as group:
        first = group.create_task(dies())
        await until_stored(sql, at, "checkpoint_writes", 2)
        life.end(first)
    works.gate.set()
    for turn in ("one", "two"):
        async with others.buffered() as saver:
            await goes(saver, turn)

    assert works.ran == ["done", "done", "waits", "waits", "done", "done", "waits"]
    stock = entrypoint(checkpointer=AsyncPostgresSaver(savers._pool))(flow)
    state = await stock.aget_state(at)
    assert state.values == "one: done done waits. two: done done waits. "


async def test_an_entrypoint_that_asks_is_answered_in_another_process(
    savers: Savers, others: Savers
) -> None:
    at, works = config(), Works()
    done = works.node("done")

    @task
    async def work() -> str:
        await done(None)
        return "done"

    async def flow(given: str) -> str:
        return f"{given} {await work()} {interrupt('which?')}"

    async with savers.buffered() as saver:
        graph = entrypoint(checkpointer=saver)(flow)
        asked = await graph.ainvoke("hello", at, durability="async")
    async with others.buffered() as saver:
        graph = entrypoint(checkpointer=saver)(flow)
        await graph.ainvoke(Command(resume="this"), at, durability="async")

    assert [one.value for one in asked["__interrupt__"]] == ["which?"]
    assert works.ran == ["done"]
    stock = entrypoint(checkpointer=AsyncPostgresSaver(savers._pool))(flow)
    assert (await stock.aget_state(at)).values == "hello done this"


class Notes(TypedDict, total=False):
    notes: dict[str, list[str]]
    plain: str


async def test_a_value_changed_in_place_is_kept_as_it_was_when_its_step_ended(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "_HOLD_SECONDS", 600)
    at, works, notes = config(), Works(), {"a": ["a"]}

    async def take(_: Notes) -> dict[str, Any]:
        return {"notes": notes}

    async def spoil(state: Notes) -> dict[str, Any]:
        state["notes"]["a"].append("half done")
        works.ran.append("spoil")
        await works.gate.wait()
        return {}

    graph = line(("take", take), ("spoil", spoil), state=Notes)

    async def stopped() -> None:
        async with savers.buffered() as saver:
            await run(graph, saver, at, {"plain": "hello"})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(stopped())
        await until(lambda: works.ran == ["spoil"])
        task.cancel()  # what is held is written only now

    state = await read(graph, savers, at)
    assert notes == {"a": ["a", "half done"]}
    assert (state.values["notes"], state.next) == ({"a": ["a"]}, ("spoil",))


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
