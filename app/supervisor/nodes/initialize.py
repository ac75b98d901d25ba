"""Begin a run: take the question, forget the last run's results, keep history short."""

from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, RemoveMessage
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from app.supervisor.context import Context
from app.supervisor.offline.types import Turn
from app.supervisor.state import State


async def initialize(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    messages = state["messages"]
    excess = len(messages) - runtime.context.history_messages
    return {
        "query": str(messages[-1].text),
        "results": Overwrite([]),
        "failed_teams": Overwrite([]),
        "findings": [],
        "loaded_memories": [],
        "messages": [RemoveMessage(id=str(old.id)) for old in messages[: max(0, excess)]],
    }


def history(messages: list[AnyMessage]) -> list[Turn]:
    """Return the chat before the question, as the offline assistant reads it."""
    return [
        Turn(role="user" if isinstance(one, HumanMessage) else "assistant", text=str(one.text))
        for one in messages[:-1]
    ]
