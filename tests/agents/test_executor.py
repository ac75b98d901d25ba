"""Running any graph: its steps, its answer, its thread after it was stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import BaseModel

from app.agents.errors import NoAnswer
from app.agents.executor import Executor
from app.agents.registry import AgentRegistry
from app.agents.saver import Savers, open_savers
from app.agents.types import Agent, Answer, Progress, Step, Task, Words
from app.embedded.servers import Addresses
from app.kit.ids import SessionId, new_chat_id, new_message_id, new_run_id
from app.settings import DatabaseSettings


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    answer: dict[str, Any]


@pytest.fixture(scope="module")
async def savers(stores: Addresses) -> AsyncIterator[Savers]:
    async with open_savers(stores.database_url, DatabaseSettings()) as one:
        yield one


@pytest.fixture
def executor(savers: Savers) -> Executor:
    return Executor(savers)


def agent(*nodes: Any, state: type[Any] = State, closing: bool = True) -> Agent:
    """Return an agent whose nodes follow each other."""
    graph = StateGraph(state)
    names = [node.__name__ for node in nodes]
    for name, node in zip(names, nodes, strict=True):
        graph.add_node(name, node)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return Agent("any", "", graph.compile(), closing_node=names[-1] if closing else None)


def task(text: str = "hello", on: Task | None = None) -> Task:
    """Return a task, on the thread of another if one is given."""
    chat_id = new_chat_id() if on is None else on.chat_id
    return Task(
        new_run_id(), chat_id, SessionId("session-x"), None, chat_id, new_message_id(), text
    )


async def steps(executor: Executor, one: Agent, work: Task) -> list[Step]:
    return [step async for step in executor.stream(one, work)]


async def history(executor: Executor, work: Task) -> list[AnyMessage]:
    """Return what an agent finds when the next message comes."""
    found: list[AnyMessage] = []

    async def look(state: State) -> State:
        found.extend(state["messages"][:-1])
        return {"messages": [AIMessage("seen")]}

    await steps(executor, agent(look), task("next", work))
    return found


def lines(messages: Sequence[AnyMessage]) -> list[tuple[str, str]]:
    return [(one.type, str(one.text)) for one in messages]


async def say_hello(state: State, runtime: Runtime[None]) -> State:
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "Hel"}})
    runtime.stream_writer({"name": "working", "payload": {"on": "it"}})
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "lo"}})
    return {"messages": [AIMessage("Hello")]}


async def test_steps_come_in_order_and_the_answer_last(executor: Executor) -> None:
    assert await steps(executor, agent(say_hello), task()) == [
        Words("Hel"),
        Progress("working", {"on": "it"}),
        Words("lo"),
        Answer("Hello", [], {}),
    ]


async def test_what_a_subgraph_says_is_heard(executor: Executor) -> None:
    inner = StateGraph(State)
    inner.add_node("say_hello", say_hello)
    inner.add_edge(START, "say_hello")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")

    heard = await steps(executor, Agent("any", "", outer.compile()), task())

    assert heard[0] == Words("Hel")
    assert heard[-1] == Answer("Hello", [], {})


async def quiet(state: State) -> State:
    return {}


async def blank(state: State, runtime: Runtime[None]) -> State:
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "only said"}})
    return {"messages": [AIMessage("")], "answer": {"text": " "}}


async def with_usage(state: State) -> State:
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    return {"messages": [AIMessage("counted", usage_metadata=usage)]}


@pytest.mark.parametrize(
    ("node", "answer"),
    [
        (blank, Answer("only said", [], {})),
        (
            with_usage,
            Answer("counted", [], {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
        ),
    ],
)
async def test_the_answer_is_found_where_it_is(
    executor: Executor, node: Any, answer: Answer
) -> None:
    assert (await steps(executor, agent(node), task()))[-1] == answer


async def test_no_answer_is_an_error_also_when_the_chat_has_older_ones(executor: Executor) -> None:
    first = task()
    await steps(executor, agent(say_hello), first)

    with pytest.raises(NoAnswer):
        await steps(executor, agent(quiet), task("again", first))


async def test_a_run_that_had_ended_before_the_crash_gives_its_answer_again(
    executor: Executor,
) -> None:
    work = task()
    await steps(executor, agent(say_hello), work)

    assert await steps(executor, agent(say_hello), work) == [Answer("Hello", [], {})]


async def test_leaving_early_stops_the_graph_at_once(executor: Executor) -> None:
    """It went on by itself until the collector came by, beside the repair of its thread."""
    stopped = asyncio.Event()

    async def talk(state: State, runtime: Runtime[None]) -> State:
        try:
            while True:
                runtime.stream_writer({"name": "message_delta", "payload": {"text": "more "}})
                await asyncio.sleep(0.001)
        finally:
            stopped.set()

    stream = executor.stream(agent(talk), task())
    async with contextlib.aclosing(stream):
        async for _ in stream:
            break

    assert stopped.is_set()


class Basket(BaseModel):
    apples: int


class Shop(State, total=False):
    basket: Basket


async def shop(state: Shop) -> dict[str, Any]:
    """Put an apple into the basket and tell how many there are."""
    before = state["basket"].apples if "basket" in state else 0
    return {"basket": Basket(apples=before + 1), "messages": [AIMessage(f"{before + 1}")]}


async def test_types_of_a_state_survive_its_checkpoints(executor: Executor) -> None:
    """They came back as plain dictionaries: the copy of the graph had forgotten them."""

    shopper, first = agent(shop, state=Shop), task()
    for number in range(1, 4):
        answer = (await steps(executor, shopper, task("more", first)))[-1]
        assert answer == Answer(str(number), [], {})


# Repair


async def stop_in(executor: Executor, one: Agent, work: Task, *, at: str) -> None:
    """Run until the words ``at`` have been said, and stop."""
    stream = executor.stream(one, work)
    async with contextlib.aclosing(stream):
        async for step in stream:
            if step == Words(at):
                return


async def linger(state: State, runtime: Runtime[None]) -> State:
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "part"}})
    await asyncio.sleep(60)
    return {}


async def call_tools(state: State, runtime: Runtime[None]) -> State:
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "Looking. "}})
    calls = [{"name": "look", "args": {}, "id": f"call-{n}"} for n in (1, 2)]
    return {"messages": [AIMessage("Looking. ", tool_calls=calls)]}


async def one_tool(state: State) -> State:
    return {"messages": [ToolMessage("found", tool_call_id="call-1")]}


async def test_partial_words_become_the_agents_own(executor: Executor) -> None:
    work, one = task("question"), agent(linger)
    await stop_in(executor, one, work, at="part")

    await executor.repair(one, work, partial="part")

    assert lines(await history(executor, work)) == [("human", "question"), ("ai", "part")]


async def test_every_tool_call_has_a_result_before_the_next_message(executor: Executor) -> None:
    work, one = task("question"), agent(call_tools, one_tool, linger)
    await stop_in(executor, one, work, at="part")

    await executor.repair(one, work, partial="Looking. part")

    found = await history(executor, work)
    assert lines(found) == [
        ("human", "question"),
        ("ai", "Looking. "),
        ("tool", "found"),
        ("tool", "cancelled"),
        ("ai", "part"),
    ]
    results = [message for message in found if isinstance(message, ToolMessage)]
    assert [one.tool_call_id for one in results] == ["call-1", "call-2"]
    assert [one.status for one in results] == ["success", "error"]


async def test_a_result_that_was_missing_stands_behind_its_call(executor: Executor) -> None:
    """Behind a newer question it was of no use: providers refuse such a history."""
    first, one = task("first"), agent(call_tools, one_tool, linger)
    await stop_in(executor, one, first, at="part")  # and nobody repairs it
    second, other = task("second", first), agent(linger)
    await stop_in(executor, other, second, at="part")

    for _ in range(2):
        await executor.repair(other, second, partial="part")

    assert lines(await history(executor, first)) == [
        ("human", "first"),
        ("ai", "Looking. "),
        ("tool", "found"),
        ("tool", "cancelled"),
        ("human", "second"),
        ("ai", "part"),
    ]


async def test_what_the_state_has_already_is_not_said_twice(executor: Executor) -> None:
    work, one = task("question"), agent(say_hello, linger)
    await stop_in(executor, one, work, at="part")

    await executor.repair(one, work, partial="Hello")

    assert lines(await history(executor, work)) == [("human", "question"), ("ai", "Hello")]


async def test_a_question_that_was_never_kept_is_there_afterwards(executor: Executor) -> None:
    first = task("first")
    await steps(executor, agent(say_hello), first)
    second = task("second", first)

    await executor.repair(agent(say_hello), second, partial="")

    assert lines(await history(executor, first)) == [
        ("human", "first"),
        ("ai", "Hello"),
        ("human", "second"),
    ]


async def test_repairing_twice_changes_nothing_more(executor: Executor) -> None:
    work, one = task("question"), agent(call_tools, linger)
    await stop_in(executor, one, work, at="part")

    for _ in range(2):
        await executor.repair(one, work, partial="Looking. part")

    assert len(await history(executor, work)) == 5


async def test_a_thread_that_cannot_be_repaired_is_left_alone(executor: Executor) -> None:
    class Plain(TypedDict, total=False):
        messages: list[AnyMessage]  # without a reducer: what is written replaces

    async def answer(state: Plain) -> Plain:
        return {"messages": [HumanMessage("kept"), AIMessage("answer")]}

    work, one = task(), agent(answer, state=Plain)
    await steps(executor, one, work)
    await executor.repair(one, work, partial="more")
    await executor.repair(agent(linger, closing=False), task(), partial="")

    assert (await steps(executor, one, work))[-1] == Answer("answer", [], {})


def test_agents_are_found_by_their_names() -> None:
    one = agent(quiet)
    registry = AgentRegistry([one])

    assert registry.get("any") is one
    assert registry.get("other") is None
    assert ("any" in registry, "other" in registry) == (True, False)
    assert list(registry) == [one]
