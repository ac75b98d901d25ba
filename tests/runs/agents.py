"""Agents with one bad habit each."""

import asyncio
import contextlib
import dataclasses
import threading
import uuid
from collections import Counter, defaultdict
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime

from app.agents.types import Agent
from tests.support.scripted import GATES, scripted_agent

VISITS: Counter[tuple[str, str]] = Counter()  # how often a node ran, by its name and its gate
DOORS: defaultdict[str, threading.Event] = defaultdict(threading.Event)  # for nodes in threads


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]


def say(runtime: Runtime[None], words: str) -> None:
    runtime.stream_writer({"name": "message_delta", "payload": {"text": words}})


def new_gate() -> str:
    """Return a gate's name that no other test knows."""
    return uuid.uuid4().hex


async def _stubborn(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    """Hear "SECONDS" and take that long to be stopped; "SECONDS NAME": then go on."""
    say(runtime, "I do not stop ")
    seconds, _, name = str(state["messages"][-1].text).partition(" ")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ends = asyncio.get_running_loop().time() + float(seconds)
        while (left := ends - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(left)
        VISITS["went on", name] += 1
        say(runtime, "and this is too late ")
        if not name:
            raise
    return {"messages": [AIMessage(content="what nobody wants any more")]}


def _threaded(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    """Hear "DOOR" and block a thread until it opens."""
    door = str(state["messages"][-1].text)
    say(runtime, "in a thread ")
    VISITS["threaded", door] += 1
    DOORS[door].wait(30)
    VISITS["left", door] += 1
    return {"messages": [AIMessage(content="in a thread and out")]}


async def _first(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    """Hear "GATE" and pass; "GATE slowly" waits there, and then the second step does not."""
    gate = str(state["messages"][-1].text)
    VISITS["first", gate] += 1
    if gate.endswith("slowly"):
        await GATES.pass_through(gate)
    runtime.stream_writer({"name": "first_done", "payload": {}})
    return {"messages": [AIMessage(content="one, ")]}


async def _second(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    gate = str(state["messages"][-2].text)
    VISITS["second", gate] += 1
    say(runtime, f"try {VISITS['second', gate]} ")
    await GATES.pass_through(gate)
    say(runtime, "two")
    return {"messages": [AIMessage(content=f"try {VISITS['second', gate]} two")]}


async def _by_turns(state: State) -> dict[str, Any]:
    """Hear "GATE"; the first to come waits at GATE-1, the second at GATE-2."""
    gate = str(state["messages"][-1].text)
    VISITS["turn", gate] += 1
    turn = VISITS["turn", gate]
    await GATES.pass_through(f"{gate}-{turn}")
    return {"messages": [AIMessage(content=f"answer of {turn}")]}


async def _ask(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    """Hear "recall" and tell the history; else call a tool and wait there."""
    *before, last = state["messages"]
    if str(last.text) == "recall":
        told = " | ".join(map(_line, before)) or "nothing"
        say(runtime, told)
        return {"messages": [AIMessage(content=told)]}
    say(runtime, "Let me look. ")
    call = {"name": "look", "args": {"gate": str(last.text)}, "id": "call-1"}
    return {"messages": [AIMessage(content="Let me look. ", tool_calls=[call])]}


async def _tools(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    call = last.tool_calls[0]
    say(runtime, "Looking… ")
    await GATES.pass_through(call["args"]["gate"])
    result = ToolMessage(content="found", tool_call_id=str(call["id"]))
    return {"messages": [result, AIMessage(content="Looking… found")]}


def _after_ask(state: State) -> str:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) and last.tool_calls else "close"


def _line(message: AnyMessage) -> str:
    names = {HumanMessage: "person", AIMessage: "agent", ToolMessage: "tool"}
    return f"{names[type(message)]}: {str(message.text).strip()}"


async def _close(state: State) -> dict[str, Any]:
    return {}


async def _mute(state: State) -> dict[str, Any]:
    return {}


async def _impatient(state: State) -> dict[str, Any]:
    """Give up on something of its own."""
    raise TimeoutError


async def _wordy(state: State) -> dict[str, Any]:
    """Answer at length, and all at once."""
    return {"messages": [AIMessage(content=str(state["messages"][-1].text))]}


@dataclasses.dataclass
class Point:
    x: int


async def _odd(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    """Say and report what no store and no client could take as it is."""
    write = runtime.stream_writer
    write(
        {"name": "shapes", "payload": {"set": {1}, "point": Point(2), 3: b"\xff", "big": 1 << 70}}
    )
    write({"name": "team_started", "payload": {"nonsense": True}})
    write({"name": "team_progress", "payload": {"team": "odd", "type": "run_failed", "attempt": 9}})
    write({"name": "huge", "payload": {"text": "x" * 200_000}})
    write("just a string")
    say(runtime, "nul\x00 half\ud83d ")
    text = "nul\x00 half\ud83d done\x00"
    bad: list[Any] = [
        {"n": "one"},
        {"n": 1, "title": "t\x00", "source": "s", "url": None, "quote": "q"},
    ]
    return {"answer": {"text": text, "citations": bad, "usage": {"total_tokens": 3, "cost": 0.1}}}


class OddState(State):
    answer: dict[str, Any]


def _agent(name: str, node: Any, state: type[Any] = State) -> Agent:
    graph = StateGraph(state)
    graph.add_node("work", node)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    return Agent(name, "For tests.", graph.compile(), closing_node="work")


def _two_steps() -> Agent:
    graph = StateGraph(State)
    graph.add_node("first", _first)
    graph.add_node("second", _second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    return Agent("steps", "For tests.", graph.compile(), closing_node="second")


def _caller() -> Agent:
    graph = StateGraph(State)
    graph.add_node("ask", _ask)
    graph.add_node("tools", _tools)
    graph.add_node("close", _close)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", _after_ask, ["tools", "close"])
    graph.add_edge("tools", "close")
    graph.add_edge("close", END)
    return Agent("caller", "For tests.", graph.compile(), closing_node="close")


AGENTS = [
    scripted_agent(),
    _agent("stubborn", _stubborn),
    _agent("threaded", _threaded),
    _two_steps(),
    _caller(),
    _agent("turns", _by_turns),
    _agent("mute", _mute),
    _agent("impatient", _impatient),
    _agent("wordy", _wordy),
    _agent("odd", _odd, OddState),
]
