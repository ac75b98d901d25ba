"""Write the answer and say it as it comes."""

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from app.supervisor.context import Context, say
from app.supervisor.model.usage import added
from app.supervisor.model.writer import write_with_model
from app.supervisor.offline.writer import chunks, compose
from app.supervisor.state import State

_PAUSE_EVERY = 32  # words; lets the event loop serve others in between


async def respond(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    context, writer = runtime.context, runtime.stream_writer
    say(writer, "responding")
    draft = await context.compute(
        compose,
        state["query"],
        plan=state["plan"],
        results=state.get("findings", []),
        failed=state.get("failed_teams", []),
        language=state["plan"]["language"],
    )
    usage: dict[str, int] = {}
    if context.model is None:
        text = draft["text"]
        for number, words in enumerate(chunks(text)):
            say(writer, "message_delta", text=words)
            if number % _PAUSE_EVERY == 0:
                await asyncio.sleep(0)
    else:
        text, usage = await write_with_model(
            context.model, state, draft, lambda words: say(writer, "message_delta", text=words)
        )
    usage = added(usage, state.get("plan_usage", {}))
    return {"answer": {"text": text, "citations": draft["citations"], "usage": usage}}
