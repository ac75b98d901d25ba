"""Put the teams' results into the order of the question."""

from typing import Any

from langgraph.runtime import Runtime

from app.supervisor.context import Context, say
from app.supervisor.state import State


async def aggregate(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    say(runtime.stream_writer, "aggregating")
    order: list[tuple[str, str]] = [(step["team"], step["task"]) for step in state["plan"]["steps"]]
    results = sorted(
        state.get("results", []),
        key=lambda result: (
            order.index((result["team"], result["task"]))
            if (result["team"], result["task"]) in order
            else len(order)
        ),
    )
    return {"findings": results}
