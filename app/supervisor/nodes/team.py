"""One team at its task. A team that fails is said to have failed; the answer still comes."""

import asyncio
from typing import Any, cast

import structlog
from langgraph.runtime import Runtime

from app.kit.errors import AppError
from app.supervisor.context import Context, say
from app.supervisor.offline.types import Failure, Language, Progress, TeamResult
from app.supervisor.state import TeamTask
from app.supervisor.teams.analysis.team import analyse
from app.supervisor.teams.document.team import read
from app.supervisor.teams.search import search

log = structlog.get_logger()


async def team(state: TeamTask, runtime: Runtime[Context]) -> dict[str, Any]:
    context, writer = runtime.context, runtime.stream_writer
    name = state["team"]
    say(writer, "team_started", team=name, task=state["task"])
    began = context.clock.monotonic()

    def progress(text: str) -> None:
        say(writer, "team_progress", team=name, task=state["task"], text=text)

    try:
        async with asyncio.timeout(context.team_seconds):
            result = await _work(state, context, progress)
    except Exception as error:  # becomes team_failed; never the run's end
        code = _code(error)
        log.warning("team_failed", team=name, code=code, exc_info=code == "internal")
        say(writer, "team_failed", team=name, task=state["task"], code=code)
        return {"failed_teams": [Failure(team=name, code=code)]}
    say(
        writer,
        "team_completed",
        team=name,
        task=state["task"],
        summary=result["summary"],
        seconds=round(context.clock.monotonic() - began, 3),
    )
    return {"results": [result]}


async def _work(task: TeamTask, context: Context, progress: Progress) -> TeamResult:
    language = cast("Language", task["language"])
    match task["team"]:
        case "search":
            return await search(task["task"], language=language, context=context)
        case "document":
            return await context.compute(
                read,
                task["task"],
                message=task["message"],
                history=task["history"],
                language=language,
                progress=progress,
            )
        case _:
            return await context.compute(
                analyse,
                task["task"],
                history=task["history"],
                now=context.clock.now(),
                language=language,
                progress=progress,
            )


def _code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "team_timeout"
    return error.code if isinstance(error, AppError) else "internal"
