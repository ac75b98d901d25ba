"""The document team: works on text the person supplied, in this message or an earlier one."""

from collections.abc import Sequence

from app.supervisor.offline import passages, pasted
from app.supervisor.offline.types import Language, Progress, TeamResult, Turn
from app.supervisor.teams.document import facts, request, summary
from app.supervisor.teams.document.request import Request, Work

_SHORTEST_EARLIER = 80  # characters; a shorter earlier message is talk, not a text
_MOST_TEXT = 200_000


def read(
    task: str,
    *,
    message: str,
    history: Sequence[Turn],
    language: Language,
    progress: Progress | None = None,
) -> TeamResult:
    """Summarise, outline, extract from, count or answer from a supplied text.

    The text is looked for in ``message``; when ``task`` points back ("the above", "위 글"),
    or the message holds none, in the earlier messages. Pure; about 5 ms for a page.
    ``ok`` is false with code ``no_text`` when there is nothing to work on.
    """
    found = pasted.find(message)
    question = _question(task, found)
    asked = request.read(question)
    body = found.body if found is not None else _earlier(task, asked, history)
    if found is not None and not found.request:
        asked = Request(("summary",), None, "", of_assistant=False, of_conversation=False)
    if not body or not body.strip():
        text = _no_text(language)
        return _result(task, ok=False, summary_line=text, markdown=text, code="no_text")
    body = body[:_MOST_TEXT]
    if asked.works == ("answer",) and not question.strip():
        asked = Request(("summary",), None, "", of_assistant=False, of_conversation=False)
    if progress is not None:
        progress(_working_line(len(body), language))
    sections = [_section(work, asked, body, question, language) for work in asked.works]
    line = sections[0].splitlines()[0].strip("*# ")[:160]
    return _result(task, ok=True, summary_line=line, markdown="\n\n".join(sections), code=None)


def _question(task: str, found: pasted.Pasted | None) -> str:
    """Return what is asked of the text: the task, when it is a part of the request."""
    if found is None or not found.request:
        return task
    part, whole = " ".join(task.split()), " ".join(found.request.split())
    return task if part and part in whole else found.request


def has_text(task: str, message: str, history: Sequence[Turn]) -> bool:
    """Tell whether there is a text for this request."""
    return pasted.find(message) is not None or bool(_earlier(task, request.read(task), history))


def _earlier(task: str, asked: Request, history: Sequence[Turn]) -> str:
    """Return the earlier text a request means, the newest that fits, or ""."""
    if asked.of_conversation:
        return passages.plain("\n\n".join(turn["text"] for turn in history))
    role = "assistant" if asked.of_assistant else "user"
    for turn in reversed(history):
        if turn["role"] != role:
            continue
        inner = pasted.find(turn["text"])
        text = inner.body if inner is not None else turn["text"]
        text = passages.plain(text) if role == "assistant" else text
        if len(text) >= _SHORTEST_EARLIER or inner is not None:
            return text
    return _any_long(history) if request.refers_back(task) else ""


def _any_long(history: Sequence[Turn]) -> str:
    """Return the last answer when the person supplied no text: "summarise the above"."""
    for turn in reversed(history):
        if turn["role"] == "assistant" and len(turn["text"]) >= _SHORTEST_EARLIER:
            return turn["text"]
    return ""


def _section(work: Work, asked: Request, body: str, question: str, language: Language) -> str:  # noqa: PLR0911 - one return for each form
    match work:
        case "summary" | "points":
            if asked.unit == "words" and asked.count:
                return summary.within_words(body, asked.count, language)
            points = work == "points" or asked.unit == "points"
            return summary.summarise(body, asked.count, as_points=points, language=language)
        case "outline":
            return summary.outline(body, language)
        case "facts":
            return facts.extract(body, question, language)
        case "counts":
            return facts.count(body, question, language)
        case "keywords":
            return summary.keywords(body, asked.count, language)
        case "title":
            return summary.title(body, language)
        case "answer":
            return _answered(question, body, language)


def _answered(question: str, body: str, language: Language) -> str:
    chosen = passages.best_sentences(question, body, limit=3)
    if not chosen:
        return (
            "이 글에서는 답이 되는 문장을 찾지 못했어요."
            if language == "ko"
            else "I found no sentence in the text that answers this."
        )
    head = "글에서 찾은 문장" if language == "ko" else "From the text"
    return f"**{head}**\n\n" + "\n".join(f"> {summary.clipped(one)}\n" for one in chosen).strip()


def _working_line(length: int, language: Language) -> str:
    return f"{length:,}자를 읽고 있어요" if language == "ko" else f"Reading {length:,} characters"


def _no_text(language: Language) -> str:
    if language == "ko":
        return (
            "정리할 글이 보이지 않아요. 글을 메시지에 붙여 넣어 주시면 요약, 개요, 사실 추출을 "
            "해 드릴게요."
        )
    return (
        "I see no text to work on. Paste it into the message and I will summarise it, outline it "
        "or pull out its facts."
    )


def _result(
    task: str, *, ok: bool, summary_line: str, markdown: str, code: str | None
) -> TeamResult:
    return {
        "team": "document",
        "task": task,
        "ok": ok,
        "summary": summary_line,
        "markdown": markdown,
        "citations": [],
        "code": code,
    }
