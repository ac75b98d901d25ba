"""The benchmark's own graph: five stages, two teams in parallel, 6 progress events, 100 tokens.

No model and no waiting: what is left is the price of the engine and of what stands around it.
"""

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send

TURN = "turn"
TALK = "talk"
TOKENS = [f"token{number} " for number in range(100)]
TEXT = "".join(TOKENS)


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    steps: list[str]
    findings: Annotated[list[str], operator.add]
    answer: dict[str, Any]


def _say(writer: Callable[[Any], None], name: str, **payload: Any) -> None:
    writer({"name": name, "payload": payload})


async def initialize(state: State) -> dict[str, Any]:
    return {"findings": Overwrite([])}


async def planning(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    say = runtime.stream_writer
    _say(say, "planning_started")
    _say(say, "memory_loaded", user_id=None, memory_count=0, memories=[], status="anonymous")
    steps = [{"team": name, "task": "work"} for name in ("a", "b")]
    _say(say, "plan_ready", intent="question", steps=steps)
    return {"steps": ["a", "b"]}


async def team(state: dict[str, str], runtime: Runtime[None]) -> dict[str, Any]:
    _say(runtime.stream_writer, "team_completed", team=state["team"], summary="done", seconds=0.0)
    return {"findings": [f"result of {state['team']}"]}


async def aggregate(state: State) -> dict[str, Any]:
    return {}


async def respond(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    say = runtime.stream_writer
    _say(say, "responding")
    for token in TOKENS:
        _say(say, "message_delta", text=token)
    return {
        "answer": {"text": TEXT, "citations": [], "usage": {}},
        "messages": [AIMessage(content=TEXT)],
    }


def build() -> CompiledStateGraph[State, None, Any, Any]:
    graph = StateGraph(State)
    graph.add_node("initialize", initialize)
    graph.add_node("planning", planning)
    graph.add_node("team", team)
    graph.add_node("aggregate", aggregate)
    graph.add_node("respond", respond)
    graph.add_edge(START, "initialize")
    graph.add_edge("initialize", "planning")
    graph.add_conditional_edges(
        "planning",
        lambda state: [Send("team", {"team": name}) for name in state["steps"]],
        ["team"],
    )
    graph.add_edge("team", "aggregate")
    graph.add_edge("aggregate", "respond")
    graph.add_edge("respond", END)
    return graph.compile()


async def talk(state: State, runtime: Runtime[None]) -> dict[str, Any]:
    """Hear a number, report so much progress, and say a word."""
    for number in range(int(str(state["messages"][-1].text))):
        _say(runtime.stream_writer, "step", number=number, text="as long as progress mostly is")
    _say(runtime.stream_writer, "message_delta", text="Done.")
    return {"messages": Overwrite([]), "answer": {"text": "Done.", "citations": [], "usage": {}}}


def build_talker() -> CompiledStateGraph[State, None, Any, Any]:
    """Return a graph that fills a chat's log: as many events as the message says."""
    graph = StateGraph(State)
    graph.add_node("talk", talk)
    graph.add_edge(START, "talk")
    graph.add_edge("talk", END)
    return graph.compile()
