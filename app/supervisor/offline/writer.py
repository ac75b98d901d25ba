"""Composing the answer from the teams' results: honest, short, in the order asked."""

import re
from collections.abc import Iterator, Sequence

from app.supervisor.offline import chatter
from app.supervisor.offline.types import Answer, Citation, Failure, Language, Plan, TeamResult

_LONGEST_TITLE = 90
_MARK = re.compile(r"\[(\d{1,3})\]")
_PIECE = re.compile(r"\s*\S{1,40}\s*|\s+")
_TEAMS = {
    "search": ("search", "검색"),
    "document": ("document", "문서"),
    "analysis": ("analysis", "계산"),
}


def compose(
    query: str,  # noqa: ARG001 - the model's writer has the same shape and needs it
    *,
    plan: Plan,
    results: Sequence[TeamResult],
    failed: Sequence[Failure],
    language: Language,
) -> Answer:
    """Return the answer as Markdown, with the citations numbered through.

    One part gives its section alone; several give one headed section each, in the order
    asked, refusals included. A team that broke is named. When nothing came out, the answer
    says plainly what needs a model and what can be done without one. The sources behind
    marks such as [1] are the citations: showing them is the client's business.
    """
    if plan["reply"] is not None and not plan["steps"]:
        return {"text": plan["reply"], "citations": []}
    citations: list[Citation] = []
    sections: list[tuple[str, str]] = []
    waiting = list(results)
    asides = list(plan["asides"])
    for position, step in enumerate(plan["steps"]):
        sections += [(one["task"], one["text"]) for one in asides if one["position"] == position]
        result = _taken(waiting, step["team"], step["task"])
        if result is not None:
            sections.append((step["task"], _numbered(result, citations)))
    sections += [(result["task"], _numbered(result, citations)) for result in waiting]
    sections += [
        (one["task"], one["text"]) for one in asides if one["position"] >= len(plan["steps"])
    ]
    sections += [("", _broken(failure, language)) for failure in failed]
    if not sections:
        return {"text": _nothing(language), "citations": []}
    useful = any(result["ok"] for result in results)
    body = _laid_out(sections)
    if not useful and not failed and all(result["team"] == "search" for result in results):
        body = f"{body}\n\n{chatter.abilities(language)}"
    return {"text": body, "citations": citations}


def _taken(waiting: list[TeamResult], team: str, task: str) -> TeamResult | None:
    for index, result in enumerate(waiting):
        if result["team"] == team and result["task"] == task:
            return waiting.pop(index)
    return None


def _numbered(result: TeamResult, citations: list[Citation]) -> str:
    """Return a section with its marks renumbered to follow the citations so far."""
    if not result["citations"]:
        return result["markdown"].strip()
    numbers: dict[str, int] = {}
    for citation in result["citations"]:
        known = next((one for one in citations if _same(one, citation)), None)
        number = known["n"] if known is not None else len(citations) + 1
        numbers[str(citation["n"])] = number
        if known is None:
            citations.append({**citation, "n": number})
    return _MARK.sub(
        lambda mark: f"[{numbers[mark.group(1)]}]" if mark.group(1) in numbers else mark.group(),
        result["markdown"].strip(),
    )


def _same(one: Citation, other: Citation) -> bool:
    return one["source"] == other["source"] and one["quote"] == other["quote"]


def _laid_out(sections: Sequence[tuple[str, str]]) -> str:
    if len(sections) == 1:
        return sections[0][1]
    pieces = []
    for task, text in sections:
        title = _title(task)
        pieces.append(f"### {title}\n\n{text}" if title else text)
    return "\n\n".join(pieces)


def _title(task: str) -> str:
    """Return the part's first line as a heading, without Markdown of its own."""
    lines = [line for line in task.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    line = re.sub(r"([*_`#\[\]|<>])", r"\\\1", lines[0].strip(" ,;:.。"))
    shortened = (
        line if len(line) <= _LONGEST_TITLE else f"{line[:_LONGEST_TITLE].rsplit(' ', 1)[0]} …"
    )
    return shortened[:1].upper() + shortened[1:]


def _broken(failure: Failure, language: Language) -> str:
    english, korean = _TEAMS.get(failure["team"], (failure["team"], failure["team"]))
    if language == "ko":
        return (
            f"{korean} 팀이 일을 마치지 못했어요(`{failure['code']}`). 그 부분은 답이 없어요. "
            f"잠시 뒤 다시 물어봐 주세요."
        )
    return (
        f"The {english} team could not finish (`{failure['code']}`), so that part has no answer. "
        f"Asking again may help."
    )


def _nothing(language: Language) -> str:
    if language == "ko":
        return f"모델 없이는 답할 수 없는 질문이에요. {chatter.abilities('ko')}"
    return f"I can't do that without a model. {chatter.abilities('en')}"


def chunks(text: str) -> Iterator[str]:
    """Yield word-sized pieces that join to exactly the text."""
    for match in _PIECE.finditer(text):
        yield match.group()
