"""Agents whose model is a script, and tools that leave a trace whenever they are called.

The question says which tools to call, as ``TOOL:GATE``: those with a space between them in
one message, those after a bar in the next. A tool takes effect and then waits at its gate,
unless that is named ``open…``. The answer tells what the model was told of each call.
"""

import uuid
from collections import Counter
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from langgraph.types import Command

from app.agents.types import Agent
from tests.support.scripted import GATES

EFFECTS: Counter[str] = Counter()  # how often tools took effect, by the gate

Graph = Pregel[Any, Any, Any, Any]


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    noted: str


def new_gate(*, is_open: bool = False) -> str:
    """Return a gate's name that no other test knows."""
    return ("open-" if is_open else "") + uuid.uuid4().hex


async def take_effect(gate: str) -> None:
    EFFECTS[gate] += 1
    if not gate.startswith("open-"):
        await GATES.pass_through(gate)


@tool
async def charge(gate: str) -> str:
    """Charge a card."""
    await take_effect(gate)
    return f"charged {gate}"


@tool
async def decline(gate: str) -> str:
    """Charge a card that has no money."""
    await take_effect(gate)
    raise ValueError(f"no money for {gate}")


@tool
async def look(gate: str) -> str:
    """Look at a price."""
    await take_effect(gate)
    return f"saw {gate}"


@tool
async def note(gate: str, call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Write to the graph's state."""
    await take_effect(gate)
    return Command(update={"noted": gate, "messages": [ToolMessage("noted", tool_call_id=call_id)]})


@tool
def charge_in_thread(gate: str) -> str:
    """Charge a card, without waiting."""
    EFFECTS[gate] += 1
    return f"charged {gate}"


look.metadata = {"readOnlyHint": True, "title": "Look"}

TOOLS = [charge, decline, look, note, charge_in_thread]


def _since_question(state: State) -> list[AnyMessage]:
    messages = state["messages"]
    asked = max(at for at, one in enumerate(messages) if isinstance(one, HumanMessage))
    return messages[asked:]


def _model(state: State) -> State:
    question, *since = _since_question(state)
    batches = str(question.text).split(" | ")
    done = sum(isinstance(one, AIMessage) for one in since)
    if done < len(batches):
        asked = [one.split(":") for one in batches[done].split(" ")]
        # as models do, it names each call anew, however often it is asked
        calls = [{"name": name, "args": {"gate": gate}, "id": new_gate()} for name, gate in asked]
        return {"messages": [AIMessage("", tool_calls=calls)]}
    told = [f"{one.status}: {one.text}" for one in since if isinstance(one, ToolMessage)]
    return {"messages": [AIMessage(" / ".join(told) or "nothing")]}


def _after_model(state: State) -> str:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) and last.tool_calls else END


def with_node(node: Any = None, **compiled: Any) -> Graph:
    """Return the loop of a model and its tools, or of a model and another such node."""
    graph = StateGraph(State)
    graph.add_node("model", _model)
    graph.add_node("tools", node or ToolNode(TOOLS, handle_tool_errors=True))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", _after_model, ["tools", END])
    graph.add_edge("tools", "model")
    return graph.compile(**compiled)


def around(node: Any) -> Graph:
    """Return a graph with nothing but a node: a function, or another graph."""
    graph = StateGraph(State)
    graph.add_node("work", node)
    graph.add_edge(START, "work")
    graph.add_edge("work", END)
    return graph.compile()


def called_by(inner: Graph) -> Any:
    """Return a node that calls a graph, as supervisors of agents do."""

    async def work(state: State) -> Any:
        return await inner.ainvoke(state)

    return work


async def by_hand(state: State) -> State:
    """A node that calls the tools itself."""
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    tools = {one.name: one for one in TOOLS}
    told = [await tools[call["name"]].ainvoke({**call}) for call in last.tool_calls]
    return {"messages": told}


def in_thread(state: State) -> State:
    """A node that calls a tool itself, and in a thread."""
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    return {"messages": [charge_in_thread.invoke({**call}) for call in last.tool_calls]}


async def blocking(state: State) -> State:
    """A node that holds its loop up with a tool."""
    return in_thread(state)


def agent(graph: Graph, name: str = "tools") -> Agent:
    return Agent(name, "For tests.", graph)
