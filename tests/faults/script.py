"""The agent inside the nodes: what it says is known beforehand, token by token.

A question is a script: ``seed=7 run=a1 pace=0.01 | say:20 | wait:gate say:5``. Each part
between bars is one superstep of the graph, so a checkpoint lies between parts. Verbs:

- ``say:N``        the next N tokens, ``pace`` seconds apart (0: all at once)
- ``show:BYTES``   one event of so many bytes
- ``wait:NAME``    tell that NAME is reached, go on once the test opens it
- ``mark:NAME``    one line in the folder's ``marks``: how often was this really done?
- ``tool:NAME``    first in its part: a tool is called, in supersteps of its own. It marks NAME;
                   if that is ``NAME@GATE`` it then waits. Once the model has what it was told,
                   ``NAME-success`` or ``NAME-error`` is marked
- ``again:NAME``   the same with a tool that is declared idempotent
- ``busy:SECONDS`` compute, a little at a time
- ``hang:SECONDS`` hold up the node's event loop
- ``fail``         raise
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.runtime import Runtime

from app.agents.types import Agent

NAME = "script"
_LOOK_SECONDS = 0.005
_SLICE_SECONDS = 0.005
_VERBS = ("tool", "again")
_TOOLS = tuple(f"{verb}:" for verb in _VERBS)


def token(seed: int, run: str, number: int) -> str:
    """Return one token of a run. Some are of more bytes than characters."""
    digest = hashlib.blake2b(f"{seed}/{run}/{number}".encode(), digest_size=4).hexdigest()
    return f"{number}한{digest} " if number % 5 == 0 else f"{number}.{digest} "


@dataclass(frozen=True)
class Script:
    """What one run does.

    Attributes:
        run: its name, which no other run of the seed has.
        parts: supersteps, each verbs with spaces between.
        seed: the scenario's.
        pace: seconds between tokens.
    """

    run: str
    parts: tuple[str, ...] = ("say:20",)
    seed: int = 0
    pace: float = 0.0

    @classmethod
    def parse(cls, question: str) -> "Script":
        head, *parts = (part.strip() for part in question.split("|"))
        fields = dict(field.split("=", 1) for field in head.split())
        return cls(fields["run"], tuple(parts), int(fields["seed"]), float(fields["pace"]))

    @property
    def question(self) -> str:
        head = f"seed={self.seed} run={self.run} pace={self.pace}"
        return " | ".join((head, *self.parts))

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many tokens each part says."""
        return tuple(
            sum(int(verb[4:]) for verb in part.split() if verb.startswith("say:"))
            for part in self.parts
        )

    def said(self, begin: int, end: int) -> str:
        return "".join(token(self.seed, self.run, number) for number in range(begin, end))

    @cached_property
    def text(self) -> str:
        """The whole answer."""
        return self.said(0, sum(self.counts))


class Signs:
    """Files by which a scenario and the runs in other processes tell each other things."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marks = folder / "marks"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._marks.touch()

    def open(self, name: str) -> None:
        """Let everyone through who waits at ``name``, now or later."""
        (self._folder / f"open-{name}").touch()

    def is_open(self, name: str) -> bool:
        return (self._folder / f"open-{name}").exists()

    def reach(self, name: str) -> None:
        (self._folder / f"reached-{name}").touch()

    def is_reached(self, name: str) -> bool:
        """Whether a run waits, or has waited, at ``name``."""
        return (self._folder / f"reached-{name}").exists()

    def mark(self, name: str) -> None:
        with self._marks.open("a") as marks:  # one short write: lines of processes do not mix
            marks.write(f"{name}\n")

    def marks(self, name: str) -> int:
        """Return how often ``name`` was marked, by all processes."""
        return self._marks.read_text().splitlines().count(name)


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    part: int  # the next one
    text: str  # said in this run


def script_of(state: State) -> Script:
    question = next(one for one in reversed(state["messages"]) if isinstance(one, HumanMessage))
    return Script.parse(str(question.text))


class Actor:
    """The graph's nodes."""

    def __init__(self, signs: Signs) -> None:
        self._signs = signs

    async def begin(self, state: State) -> State:
        return {"part": 0, "text": ""}

    def next_step(self, state: State) -> str:
        script, number = script_of(state), state["part"]
        if number >= len(script.parts):
            return "close"
        last = state["messages"][-1]
        is_called = isinstance(last, ToolMessage) and last.tool_call_id == f"call-{number}"
        return "call" if script.parts[number].startswith(_TOOLS) and not is_called else "act"

    async def call(self, state: State) -> State:
        verb, name, gate = _tool_call(script_of(state).parts[state["part"]])
        call = {"name": verb, "args": {"name": name, "gate": gate}, "id": f"call-{state['part']}"}
        return {"messages": [AIMessage(content="", tool_calls=[call])]}

    async def work(self, name: str, gate: str) -> str:
        """What the tools do."""
        self._signs.mark(name)
        if gate:
            await self._wait(gate)
        return "done"

    async def act(self, state: State, runtime: Runtime[None]) -> State:
        script, number = script_of(state), state["part"]
        spoken = sum(script.counts[:number])
        for verb in script.parts[number].split():
            name, _, argument = verb.partition(":")
            match name:
                case "say":
                    await self._say(script, spoken, int(argument), runtime)
                    spoken += int(argument)
                case "show":
                    payload = {"x": "x" * int(argument)}
                    runtime.stream_writer({"name": "show", "payload": payload})
                    await asyncio.sleep(script.pace)
                case "wait":
                    await self._wait(argument)
                case "mark":
                    self._signs.mark(argument)
                case "tool" | "again":
                    told = state["messages"][-1]
                    assert isinstance(told, ToolMessage)
                    self._signs.mark(f"{_tool_call(verb)[1]}-{told.status}")
                case "busy":
                    await _compute(float(argument))
                case "hang":
                    time.sleep(float(argument))  # noqa: ASYNC251 - what bad graphs do
                case _:
                    raise RuntimeError(f"the script says {verb}")
        text = state["text"] + script.said(sum(script.counts[:number]), spoken)
        return {"part": number + 1, "text": text}

    async def _wait(self, gate: str) -> None:
        self._signs.reach(gate)
        while not self._signs.is_open(gate):  # noqa: ASYNC110 - another process opens it
            await asyncio.sleep(_LOOK_SECONDS)

    async def _say(self, script: Script, first: int, count: int, runtime: Runtime[None]) -> None:
        for number in range(first, first + count):
            text = token(script.seed, script.run, number)
            runtime.stream_writer({"name": "message_delta", "payload": {"text": text}})
            if script.pace:
                await asyncio.sleep(script.pace)

    async def close(self, state: State) -> State:
        return {"messages": [AIMessage(content=state["text"])]}


def _tool_call(part: str) -> tuple[str, str, str]:
    """Return a part's tool, the name it marks and the gate it waits at, if any."""
    verb, _, argument = part.split(maxsplit=1)[0].partition(":")
    name, _, gate = argument.partition("@")
    return verb, name, gate


def _tools(actor: Actor) -> list[BaseTool]:
    return [
        StructuredTool.from_function(
            coroutine=actor.work,
            name=verb,
            description="Leave a mark.",
            metadata={"idempotent": verb == "again"},
        )
        for verb in _VERBS
    ]


async def _compute(seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while (now := time.perf_counter()) < ends:
        while time.perf_counter() < min(ends, now + _SLICE_SECONDS):
            pass
        await asyncio.sleep(0)


def script_agent(folder: Path) -> Agent:
    """Return the agent; its signs are in ``folder``."""
    actor = Actor(Signs(folder))
    graph: Any = StateGraph(State)
    for name in ("begin", "call", "act", "close"):
        graph.add_node(name, getattr(actor, name))
    graph.add_node("tools", ToolNode(_tools(actor)))
    graph.add_edge(START, "begin")
    for name in ("begin", "act"):
        graph.add_conditional_edges(name, actor.next_step, ["call", "act", "close"])
    graph.add_edge("call", "tools")
    graph.add_edge("tools", "act")
    graph.add_edge("close", END)
    return Agent(NAME, "Does what its script says.", graph.compile(), closing_node="close")
