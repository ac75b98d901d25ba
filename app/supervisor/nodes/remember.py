"""Close the run: the answer joins the chat's history as the agent sees it."""

from typing import Any

from langchain_core.messages import AIMessage

from app.supervisor.state import State


async def remember(state: State) -> dict[str, Any]:
    """Keep the answer; drop what only this run needed, for every checkpoint stores it."""
    return {"messages": [AIMessage(content=state["answer"]["text"])], "findings": []}
