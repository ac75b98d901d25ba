"""A question asked of planner, teams and writer, without the graph between them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.supervisor.offline.passages import quote
from app.supervisor.offline.planner import plan
from app.supervisor.offline.types import Answer, Passage, Plan, TeamResult, Turn
from app.supervisor.offline.writer import compose
from app.supervisor.teams.analysis.team import analyse
from app.supervisor.teams.document.team import read

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # a Friday

RESUME = Passage(
    title="Protocol › Resume",
    source="docs/protocol.md#resume",
    url="",
    text=(
        "When a connection drops, the client reconnects to any node and names the last event "
        "it applied. The server **resumes** from there: it sends every event once and in order."
    ),
    score=0.8,
)
SESSION = Passage(
    title="Concepts › Session",
    source="docs/concepts.md#session",
    url="https://example.org/concepts#session",
    text="A session is one client's engagement with one chat. It lives for 24 hours by default.",
    score=0.6,
)


def user(text: str) -> Turn:
    return {"role": "user", "text": text}


def assistant(text: str) -> Turn:
    return {"role": "assistant", "text": text}


def ask(
    query: str,
    *,
    history: Sequence[Turn] = (),
    passages: Sequence[Passage] = (RESUME, SESSION),
) -> tuple[Plan, Answer]:
    """Return the plan and the answer; every search finds ``passages``."""
    made = plan(query, history=history, now=NOW)
    language = made["language"]
    results: list[TeamResult] = []
    for step in made["steps"]:
        task = step["task"]
        if step["team"] == "analysis":
            results.append(analyse(task, history=history, now=NOW, language=language))
        elif step["team"] == "document":
            results.append(read(task, message=query, history=history, language=language))
        else:
            markdown, citations = quote(task, passages, language)
            results.append(
                {
                    "team": "search",
                    "task": task,
                    "ok": bool(citations),
                    "summary": "",
                    "markdown": markdown,
                    "citations": citations,
                    "code": None if citations else "nothing_found",
                }
            )
    return made, compose(query, plan=made, results=results, failed=[], language=language)
