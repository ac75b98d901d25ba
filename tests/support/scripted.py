"""An agent that does what the question tells it to: the only scripted part of the tests.

The question is a list of commands with spaces between: ``say:WORD`` says a word, ``wait:NAME``
waits until the test opens the gate NAME, ``fail`` raises, ``progress:NAME`` and ``custom:NAME``
report, ``sleep:SECONDS`` takes its time, ``until:PATH`` waits for a file, which may be another
process's to make. Anything else is said as it is.
"""

import asyncio
import threading
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime

from app.agents.types import Agent

NAME = "scripted"
HANGING = "hanging"


class Gates:
    """Places where a scripted run waits for its test, by name."""

    def __init__(self) -> None:
        self.reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.opened: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def wait_until_reached(self, name: str) -> None:
        async with asyncio.timeout(10):
            await self.reached[name].wait()

    def open(self, name: str) -> None:
        self.opened[name].set()

    async def pass_through(self, name: str) -> None:
        self.reached[name].set()
        await self.opened[name].wait()


GATES = Gates()


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    steps_done: int


async def work(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        runtime.stream_writer({"name": "message_delta", "payload": {"text": text}})

    for command in str(state["messages"][-1].text).split(" "):
        verb, _, argument = command.partition(":")
        match verb:
            case "say":
                say(argument)
            case "wait":
                await GATES.pass_through(argument)
            case "sleep":
                await asyncio.sleep(float(argument))
            case "until":
                while not await asyncio.to_thread(Path(argument).exists):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            case "fail":
                raise RuntimeError("the script says so")
            case "progress":
                runtime.stream_writer({"name": argument, "payload": {}})
            case "custom":
                runtime.stream_writer({"name": argument, "payload": {"from": "script"}})
            case _:
                say(command + " ")
    return {"messages": [AIMessage(content="".join(said))]}


def scripted_agent() -> Agent:
    graph = StateGraph(State)
    graph.add_node("work", work)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    return Agent(NAME, "Does what it is told.", graph.compile(), closing_node="work")


def hang(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    runtime.stream_writer({"name": "message_delta", "payload": {"text": "now"}})
    threading.Event().wait()
    return {}


def hanging_agent() -> Agent:
    """Says a word and never comes back, in a thread that nothing can stop."""
    graph = StateGraph(State)
    graph.add_node("hang", hang)
    graph.add_edge(START, "hang")
    graph.add_edge("hang", END)
    return Agent(HANGING, "Hangs.", graph.compile(), closing_node="hang")
