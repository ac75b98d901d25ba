"""Runs any graph for one message and yields what it does, step by step."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from app.agents.errors import NoAnswer
from app.agents.saver import Savers
from app.agents.types import Agent, Answer, Progress, Step, Task, Words

# A guard against graphs that never end; LangGraph's own default is ten thousand.
_RECURSION_LIMIT = 100

WORDS = "message_delta"  # the custom event by which a graph streams its answer


class Executor:
    """Runs agents' graphs over checkpoints that survive this process."""

    def __init__(self, savers: Savers) -> None:
        self._savers = savers

    async def stream(self, agent: Agent, task: Task) -> AsyncIterator[Step]:
        """Run ``agent`` on ``task`` and yield its steps; the answer is the last.

        The task's run id goes into the checkpoints' metadata. Called again with the same
        task after a crash, LangGraph takes that for the same run and continues after the
        last checkpoint; nodes that had not finished run again, from their first line.

        The generator is the engine: a caller that pauses it stops the run.

        Raises:
            NoAnswer: the graph ended and left no answer.
        """
        graph, config = self._prepared(agent, task)
        message = HumanMessage(content=task.text, id=str(task.message_id))
        said: list[str] = []
        state: Mapping[str, Any] | None = None
        async for part in graph.astream(
            {"messages": [message]},
            config,
            context=agent.context(task) if agent.context else None,
            stream_mode=["custom", "values"],
            subgraphs=True,
            version="v2",
            durability="async",
        ):
            data = part["data"]
            if part["type"] == "custom":
                step = _custom(data)
                if isinstance(step, Words):
                    said.append(step.text)
                yield step
            elif part["type"] == "values" and not part["ns"]:
                state = cast("Mapping[str, Any]", data)
        if state is None:  # it had ended before the crash: nothing was left to do
            state = (await graph.aget_state(config)).values
        yield _answer(state or {}, "".join(said))

    async def repair(self, agent: Agent, task: Task, *, partial: str) -> None:
        """Make a stopped run's thread fit for the next message.

        A tool call without a result gets one that says it was cancelled, and the words the
        person has seen become the assistant's message, so that the history the agent sees
        is the one the person saw.
        """
        graph, config = self._prepared(agent, task)
        state = await graph.aget_state(config)
        messages: Sequence[AnyMessage] = state.values.get("messages") or []
        if not messages:
            return
        fixes: list[BaseMessage] = [
            ToolMessage(content="cancelled", tool_call_id=call_id, status="error")
            for call_id in _unanswered(messages)
        ]
        if partial and not isinstance(messages[-1], AIMessage):
            fixes.append(AIMessage(content=partial))
        if fixes or state.next:
            await graph.aupdate_state(config, {"messages": fixes}, as_node=agent.closing_node)

    async def prune(self, task: Task) -> None:
        """Keep only the newest checkpoint of the task's thread."""
        await self._savers.prune(task.thread_id)

    def _prepared(
        self, agent: Agent, task: Task
    ) -> tuple[Pregel[Any, Any, Any, Any], RunnableConfig]:
        graph = agent.graph.copy(update={"checkpointer": self._savers.saver()})
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
        return Progress("custom", {"name": "data", "payload": data})
    payload = data.get("payload")
    if data["name"] == WORDS and isinstance(payload, dict):
        return Words(str(payload.get("text", "")))
    return Progress(data["name"], payload if isinstance(payload, dict) else {"value": payload})


def _answer(state: Mapping[str, Any], said: str) -> Answer:
    """Find the answer: the state's ``answer``, else the last message, else what was streamed."""
    answer = state.get("answer")
    if isinstance(answer, dict) and isinstance(answer.get("text"), str):
        return Answer(answer["text"], answer.get("citations") or [], answer.get("usage") or {})
    messages = state.get("messages") or []
    if messages and isinstance(messages[-1], AIMessage):
        last = messages[-1]
        usage = cast("dict[str, Any]", last.usage_metadata or {})
        counts = {name: count for name, count in usage.items() if isinstance(count, int)}
        return Answer(str(last.text), [], counts)
    if said:
        return Answer(said, [], {})
    raise NoAnswer("The agent ended without an answer.")


def _unanswered(messages: Sequence[AnyMessage]) -> list[str]:
    asked: dict[str, None] = {}
    for message in messages:
        if isinstance(message, AIMessage):
            asked |= {str(call["id"]): None for call in message.tool_calls}
        elif isinstance(message, ToolMessage):
            asked.pop(message.tool_call_id, None)
    return list(asked)
