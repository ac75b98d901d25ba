"""Runs any graph for one message and yields what it does, step by step."""

import contextlib
import copy
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeGuard, cast

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.channels import LastValue
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphDrained
from langgraph.pregel import Pregel
from langgraph.runtime import RunControl
from langgraph.types import Overwrite

from app.agents.errors import NoAnswer, ToolInterrupted
from app.agents.saver import Savers, always
from app.agents.tool_hooks import handlers, prepare
from app.agents.tools import CallGuard, Refused
from app.agents.types import Agent, Answer, CallLog, Hold, Progress, Step, Task, Words
from app.kit.plain import plain, storable

# A guard against graphs that never end; LangGraph's own default is ten thousand.
_RECURSION_LIMIT = 100

WORDS = "message_delta"  # the custom event by which a graph streams its answer


class Drained(Exception):
    """A run was asked to end early and did, between two of its steps."""


class Drain:
    """How one run is asked to end after the step it is at. A step is never interrupted."""

    def __init__(self) -> None:
        self.control = RunControl()

    def request(self) -> None:
        self.control.request_drain()


class Executor:
    """Runs agents' graphs over checkpoints that survive this process."""

    def __init__(self, savers: Savers, calls: CallLog | None = None) -> None:
        self._savers = savers
        self._calls = calls

    async def stream(
        self,
        agent: Agent,
        task: Task,
        *,
        fence: int = 0,
        may_write: Callable[[], bool] = always,
        drain: Drain | None = None,
    ) -> AsyncGenerator[Step, None]:
        """Run ``agent`` on ``task`` and yield its steps; the answer is the last.

        Whatever the graph says comes out as text and JSON that every store takes.

        The task's run id goes into the checkpoints' metadata. Called again with the same
        task after a crash, LangGraph takes that for the same run and continues after the
        last checkpoint; nodes that had not finished run again, from their first line.

        The generator is the engine: a caller that pauses it stops the run, and one that
        leaves early must close it. ``may_write`` is asked before each checkpoint, and
        ``fence`` proves to the log of tool calls whose run it is. ``drain`` can ask it to end
        after the step it is at.

        Raises:
            Drained: it was asked to end and did, with a checkpoint to go on from.
            NoAnswer: the graph ended and left no answer.
            ToolInterrupted: the crash came during a call that must not be repeated, and the
                agent has no way to hear of it.
            StaleFence: ``may_write`` said no.
            Unavailable: the checkpoints cannot be reached.
        """
        message = HumanMessage(content=task.text, id=str(task.message_id))
        said: list[str] = []
        state: Mapping[str, Any] | None = None
        waits = False  # for a person: with the answer, a step begins once more
        async with self._savers.buffered(may_write, _hold(task, fence)) as saver:
            graph, config = _prepared(agent, task, saver)
            guard: CallGuard | None = None
            if self._calls is not None:
                guard = CallGuard(
                    self._calls,
                    run_id=task.run_id,
                    fence=fence,
                    saver=saver,
                    may_write=may_write,
                )
                config["callbacks"] = handlers(guard)
                prepare(graph)
            parts = cast(
                "AsyncGenerator[Any, None]",
                graph.astream(
                    {"messages": [message]},
                    config,
                    context=agent.context(task) if agent.context else None,
                    stream_mode=["custom", "values"],
                    subgraphs=True,
                    version="v2",
                    durability="async",
                    control=None if drain is None else drain.control,
                ),
            )
            async with contextlib.aclosing(parts):
                try:
                    async for part in parts:
                        if part["type"] == "custom":
                            step = _custom(part["data"])
                            if isinstance(step, Words):
                                said.append(step.text)
                            yield step
                        elif part["type"] == "values" and not part["ns"]:
                            state = cast("Mapping[str, Any]", part["data"])
                            waits = waits or bool(part.get("interrupts"))
                except GraphDrained:
                    raise Drained from None
                except Refused as error:
                    raise ToolInterrupted(
                        "The server failed while a tool was at work. It is not known what the"
                        " tool did, and it was not started again."
                    ) from error
            if state is None:  # it had ended before the crash: nothing was left to do
                state = (await graph.aget_state(config)).values
        if guard is not None and not waits:
            await guard.forget()
        yield _answer(state or {}, "".join(said))

    async def repair(
        self,
        agent: Agent,
        task: Task,
        *,
        partial: str,
        fence: int = 0,
        may_write: Callable[[], bool] = always,
    ) -> None:
        """Make a stopped run's thread fit for the next message.

        The question is there even if the run never came to keep it, a tool call without a
        result gets one that says it was cancelled, right behind it, and the words the person
        has seen become the assistant's, so that the history the agent sees is the one the
        person saw.

        Raises:
            StaleFence: ``may_write`` said no, or ``fence`` is not the run's any more.
            Unavailable: the checkpoints cannot be reached.
        """
        async with self._savers.buffered(may_write, _hold(task, fence)) as saver:
            graph, config = _prepared(agent, task, saver)
            if isinstance(graph.channels.get("messages"), LastValue | None):
                return  # it keeps no history, or one that nothing can be added to
            state = await graph.aget_state(config)
            messages: list[AnyMessage] = list(state.values.get("messages") or [])
            if not messages and agent.closing_node is None:
                return  # LangGraph could not tell in whose name to begin
            whole = _whole(task, messages, partial)
            fixes: list[BaseMessage] | Overwrite = whole[len(messages) :]
            if whole[: len(messages)] != messages:  # what is missing is not only at the end
                fixes = Overwrite(whole)
            if fixes or state.next:
                await graph.aupdate_state(config, {"messages": fixes}, as_node=agent.closing_node)

    async def prune(self, task: Task) -> None:
        """Keep only the newest checkpoint of the task's thread."""
        await self._savers.prune(task.thread_id)


def _hold(task: Task, fence: int) -> Hold | None:
    return Hold(task.run_id, fence) if fence else None


def _whole(task: Task, messages: Sequence[AnyMessage], partial: str) -> list[BaseMessage]:
    """Return the history of a run that was stopped, with what is missing in it."""
    whole = _with_results(messages)
    place = _place_of(task, messages)
    if place is None:
        whole.append(HumanMessage(content=task.text, id=str(task.message_id)))
    since = [] if place is None else messages[place + 1 :]
    kept = "".join(str(one.text) for one in since if isinstance(one, AIMessage))
    if not kept.startswith(partial):
        whole.append(AIMessage(content=partial.removeprefix(kept)))
    return whole


def _prepared(
    agent: Agent, task: Task, saver: BaseCheckpointSaver[str]
) -> tuple[Pregel[Any, Any, Any, Any], RunnableConfig]:
    # Not graph.copy: it forgets which of the state's types checkpoints may bring back.
    graph = copy.copy(agent.graph)
    graph.checkpointer = saver
    # No secrets here: scalars are stored in clear beside the checkpoints.
    config: RunnableConfig = {
        "configurable": {"thread_id": str(task.thread_id)},
        "metadata": {"run_id": str(task.run_id)},
        "recursion_limit": _RECURSION_LIMIT,
    }
    return graph, config


def _custom(data: Any) -> Step:
    """Read what a graph wrote to its stream; unnamed things get a name."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        return Progress("custom", {"name": "data", "payload": plain(data)})
    payload = data.get("payload")
    if data["name"] == WORDS and isinstance(payload, dict):
        return Words(storable(str(payload.get("text", ""))))
    payload = plain(payload)
    return Progress(
        storable(data["name"]), payload if isinstance(payload, dict) else {"value": payload}
    )


def _answer(state: Mapping[str, Any], said: str) -> Answer:
    """Find the answer: the state's ``answer``, else the last message, else what was streamed."""
    answer = state.get("answer")
    if isinstance(answer, dict) and isinstance(answer.get("text"), str) and answer["text"].strip():
        citations = [one for one in answer.get("citations") or [] if _is_citation(one)]
        return Answer(storable(answer["text"]), plain(citations), _counts(answer.get("usage")))
    messages = state.get("messages") or []
    if messages and isinstance(messages[-1], AIMessage) and str(messages[-1].text).strip():
        last = messages[-1]
        return Answer(storable(str(last.text)), [], _counts(last.usage_metadata))
    if said.strip():
        return Answer(said, [], {})
    raise NoAnswer("The agent ended without an answer.")


def _counts(usage: Any) -> dict[str, int]:
    given = usage if isinstance(usage, dict) else {}
    return {str(name): count for name, count in given.items() if type(count) is int}


def _is_citation(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a graph's own citation has the shape that clients know."""
    if not isinstance(value, dict) or not isinstance(value.get("n"), int):
        return False
    texts = all(isinstance(value.get(field), str) for field in ("title", "source", "quote"))
    return texts and isinstance(value.get("url", ...), str | None)


def _place_of(task: Task, messages: Sequence[AnyMessage]) -> int | None:
    """Return where the task's question stands in the history, if it is there."""
    wanted = str(task.message_id)
    return next((place for place, one in enumerate(messages) if one.id == wanted), None)


def _with_results(messages: Sequence[AnyMessage]) -> list[BaseMessage]:
    """Give each tool call without a result one that says it was cancelled. Providers want it
    right behind the call, beside the results of the same message's other calls.
    """
    answered = {one.tool_call_id for one in messages if isinstance(one, ToolMessage)}
    whole: list[BaseMessage] = []
    missing: list[BaseMessage] = []
    for message in messages:
        if not isinstance(message, ToolMessage):
            whole += missing
            missing = []
        whole.append(message)
        if isinstance(message, AIMessage):
            missing = [
                ToolMessage(content="cancelled", tool_call_id=str(call["id"]), status="error")
                for call in message.tool_calls
                if call["id"] not in answered
            ]
    return whole + missing
