"""Decide what the question needs, and load what is remembered about who asks."""

import asyncio
from typing import Any

import structlog
from langgraph.runtime import Runtime

from app.memory.types import LoadedMemories
from app.supervisor.context import Context, say
from app.supervisor.model.planner import plan_with_model
from app.supervisor.nodes.initialize import history
from app.supervisor.offline import planner
from app.supervisor.offline.types import Plan
from app.supervisor.state import State

log = structlog.get_logger()

_MEMORIES = 5
_MEMORY_SECONDS = 0.15  # an answer without memories beats a late one


async def plan(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    context = runtime.context
    query = state["query"]
    say(runtime.stream_writer, "planning_started")
    before = history(state["messages"])
    made: Plan = await context.compute(planner.plan, query, history=before, now=context.clock.now())
    usage: dict[str, int] = {}
    if context.model is not None and made["intent"] != "irrelevant":
        made, usage = await plan_with_model(context.model, query, before, made)
    loaded = LoadedMemories([], "off", 0.0)
    if made["intent"] != "irrelevant":
        loaded = await _load(context, query, made["intent"])
        say(
            runtime.stream_writer,
            "memory_loaded",
            user_id=context.user_id,
            memory_count=len(loaded.memories),
            memories=loaded.memories,
            status=loaded.status,
        )
    say(
        runtime.stream_writer,
        "plan_ready",
        intent=made["intent"],
        steps=[{"team": step["team"], "task": step["task"]} for step in made["steps"]],
    )
    return {
        "plan": made,
        "plan_usage": usage,
        "loaded_memories": loaded.memories,
        "memory_load_time": loaded.seconds,
    }


async def _load(context: Context, query: str, intent: str) -> LoadedMemories:
    try:
        async with asyncio.timeout(_MEMORY_SECONDS):
            return await context.memory.load_recent_memories(
                context.user_id, _MEMORIES, query, intent
            )
    except Exception as error:  # noqa: BLE001 - said in the event, and the answer comes anyway
        log.warning("memory_degraded", cause=type(error).__name__)
        return LoadedMemories([], "degraded", _MEMORY_SECONDS)
