"""Deciding, without a model, which teams work on a message and on which part of it."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.supervisor.offline import chatter, limits, parts, passages, pasted
from app.supervisor.offline.language import detect
from app.supervisor.offline.recall import recall
from app.supervisor.offline.types import Aside, Language, Plan, Step, TeamName, Turn
from app.supervisor.teams.analysis import statistics, table_groups, tables
from app.supervisor.teams.analysis.team import can_solve
from app.supervisor.teams.document import request
from app.supervisor.teams.document import team as document

_LONGEST = 16_000  # characters; the rest of a message is not looked at
_MOST_STEPS = 8
_MOST_CELL_ROWS = 200
_MATHEMATICS = re.compile(
    r"\b(?:integral|integrate|derivative|differentiate|logarithm|probability|matrix|determinant"
    r"|eigenvalue|factorial|calculate|compute|equation|polynomial)\b|미분|적분|행렬|확률"
    r"|경우의 수|계산|방정식|로그",
    re.IGNORECASE,
)
_SUM = re.compile(
    r"\d\s*(?:[-+*/^×÷]|\*\*)\s*\(?\d|\d\s*(?:plus|minus|times|divided by|더하기|빼기|곱하기"
    r"|나누기)",
    re.IGNORECASE,
)
_AMOUNT_ASKED = re.compile(r"\bhow much (?:is|are)\s+[$€£₩]?\d", re.IGNORECASE)
_NEVER_COUNTED = re.compile(
    r"\bweather\b|\bforecast\b|\bnews\b|날씨|뉴스|일기\s?예보", re.IGNORECASE
)
_DASHED = re.compile(r"\d{2,4}-\d{2,4}-\d{2,4}")  # a date or a telephone number
_COUNTING = re.compile(
    r"\bhow (?:many|much|long|far|old)\b|\btotal\b|\bsum\b|\baverage\b|\bmean\b|\bcosts?\b|\beach\b"
    r"|percent|%|\bratio\b|\bper\b|\bsort\b|\bwhat is\b|몇|얼마|합|평균|총|비율|나누|곱|더하|빼"
    r"|남은|남아",
    re.IGNORECASE,
)
_YEARS_ONLY = re.compile(r"^\D*(?:1[5-9]|20)\d\d\D+(?:1[5-9]|20)\d\d\D*$")
_EXTRA = re.compile(
    r"^(?:also|and also|and|then|plus|one more thing|by the way|그리고|또|추가로"
    r"|아 그리고)\b[ ,:]*",
    re.IGNORECASE,
)
_LEADING = re.compile(r"^(?:and|also|then|but|so|plus|그리고|또한?|그럼)[ ,]+(?=\S)", re.IGNORECASE)
_WISHES = re.compile(
    r"\b(?:want|need|wish|looking for|like to|would like|'d like)\b|싶|필요|원해|궁금",
    re.IGNORECASE,
)
_TOPIC_WORDS = 3
_ASKS_MORE = re.compile(
    r"\b(?:who|whom|whose|why|explain|describe|where (?:is|are|do|can|does))\b|\bhow (?:does|to"
    r"|do (?:i|you|we) (?!get|calculate|work)|can i)\b|누구|왜\s|설명|어디(?!서)|어떻게\s?(?!되"
    r"|돼|될|계산)",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Draft:
    """The plan while it grows."""

    language: Language
    message: str
    steps: list[Step] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def step(self, team: TeamName, task: str) -> None:
        task = _LEADING.sub("", task.strip()).strip()
        if len(self.steps) < _MOST_STEPS and {"team": team, "task": task} not in self.steps:
            self.steps.append({"team": team, "task": task})

    def aside(self, task: str, text: str, kind: str) -> None:
        task = _LEADING.sub("", task.strip()).strip()
        if all(one["text"] != text for one in self.asides):
            self.asides.append({"task": task, "text": text, "position": len(self.steps)})
        self.kinds.append(kind)

    def plan(self) -> Plan:
        if not self.steps:
            kinds = set(self.kinds)
            intent = "impossible" if "impossible" in kinds or not kinds else self.kinds[0]
            reply = "\n\n".join(one["text"] for one in self.asides)
            if intent == "impossible":
                reply = f"{reply}\n\n{_what_i_can(self.language)}".strip()
            return _plan(intent, self.language, reply=reply)
        teams = {step["team"] for step in self.steps}
        names = {"search": "question", "analysis": "analysis", "document": "document"}
        intent = "mixed" if len(teams) > 1 else names[next(iter(teams))]
        return _plan(intent, self.language, steps=self.steps, asides=self.asides)


def plan(query: str, *, history: Sequence[Turn], now: datetime) -> Plan:
    """Return what to do about a message: steps for the teams, or a ready reply.

    ``history`` holds the earlier turns, the oldest first; ``now`` is aware. Deterministic
    and pure. About 5 ms for a sentence; 16,000 characters of anything stay below a second.
    """
    text = query.strip()[:_LONGEST]
    language = _language(text, history)
    if (reply := _without_teams(text, history, now, language)) is not None:
        return reply
    draft = _Draft(language, text)
    rest = _supplied(text, history, now, draft)
    # a piece that is a sum only by what was said before is no reason to cut a sentence
    found = parts.split(rest, lambda one: _solves(one, (), now, language)) if rest else []
    for part in [one for one in found if not _is_told(one, now, language)] or found:
        _assign(part, history, now, draft)
    return draft.plan()


def _language(text: str, history: Sequence[Turn]) -> Language:
    found = pasted.find(text) if len(text) > 200 or "\n" in text else None
    asked = (
        found.request if found is not None and re.search(r"[^\W\d_]{2}", found.request) else text
    )
    if re.search(r"[^\W\d_]{2}", asked):
        return detect(asked)
    for turn in reversed(history):
        if turn["role"] == "user" and re.search(r"[^\W\d_]{2}", turn["text"]):
            return detect(turn["text"])
    return detect(asked)


def _solves(text: str, history: Sequence[Turn], now: datetime, language: Language) -> bool:
    """Tell whether a text is a sum and nothing else.

    A solver takes what it knows and leaves the rest, so a text that also speaks of the
    documents' subjects, or asks who, why or where, is not a sum yet: it is split first.
    """
    if limits.about_documents(text) or _ASKS_MORE.search(text):
        return False
    return can_solve(text, history=history, now=now, language=language)


def _without_teams(  # noqa: PLR0911 - one return for each form
    text: str, history: Sequence[Turn], now: datetime, language: Language
) -> Plan | None:
    if not text or (chatter.noise(text) and not _solves(text, history, now, language)):
        return _plan("irrelevant", language, reply=chatter.noise_reply(language))
    if (reply := chatter.small_talk(text, language)) is not None:
        return _plan("smalltalk", language, reply=reply)
    alone = _asks_one_thing(text, history, now, language)
    if alone and (reply := recall(text, history, language, message=text)) is not None:
        return _plan("recall", language, reply=reply)
    if _solves(text, history, now, language):
        return None
    if alone and (reply := chatter.about(text, language)) is not None:
        return _plan("about", language, reply=reply)
    tells = not limits.kind_of(text) and not limits.about_documents(text)
    if tells and (reply := chatter.statement(text, language)) is not None:
        return _plan("smalltalk", language, reply=reply)
    return None


def _asks_one_thing(text: str, history: Sequence[Turn], now: datetime, language: Language) -> bool:
    """Tell whether nothing in a message is asked beside the assistant or the chat itself."""
    if len(text) > chatter.LONGEST:
        return True  # such forms are short, so nothing takes it
    pieces = parts.split(text, lambda one: _solves(one, (), now, language))
    known = [
        chatter.about(one, language)
        or chatter.small_talk(one, language)
        or recall(one, history, language, message=text)
        for one in pieces
        if not _is_told(one, now, language)
    ]
    return len(pieces) == 1 or all(known) or not any(known)


def _is_told(text: str, now: datetime, language: Language) -> bool:
    """Tell whether a part tells something and asks nothing."""
    if limits.kind_of(text) or limits.about_documents(text):
        return False
    if request.asks_for_work(text) or _WISHES.search(text):
        return False
    told = chatter.statement(text, language) is not None
    return told and not _solves(text, (), now, language)


def _supplied(text: str, history: Sequence[Turn], now: datetime, draft: _Draft) -> str:
    """Give supplied data to its team; return what is left of the message to be split."""
    language = draft.language
    if "\n" in text and (found := tables.find(text)) is not None:
        table, words = found
        numeric = any(table.is_numeric(index) for index in range(len(table.head)))
        rows = len(table.rows) * 3 >= len([line for line in text.splitlines() if line.strip()])
        if numeric and rows:
            return _tabled(text, table, words, draft)
    supplied = pasted.find(text)
    if supplied is None:
        return text
    body, extra = _without_extra(supplied.body, history, now, language)
    asked = supplied.request
    kind = limits.kind_of(asked) if asked else None
    if kind is not None and limits.is_strict(kind) and not request.asks_for_work(asked):
        draft.aside(asked, limits.refusal(kind, language), "impossible")
        return extra
    numbers = statistics.asked(asked) and not request.asks_for_work(asked)
    if numbers and _solves(f"{asked}: {body}", history, now, language):
        draft.step("analysis", f"{asked}: {body}")
        return extra
    pieces = parts.split(asked, lambda one: _solves(one, (), now, language)) if asked else [""]
    kinds = [_of_text(piece, body, history, now, language) for piece in pieces]
    alike = "work" in kinds
    works = " ".join(
        piece for piece, of in zip(pieces, kinds, strict=True) if of == "work" or not alike
    )
    for piece, of in zip(pieces, kinds, strict=True):
        if of == "sum":
            draft.step("analysis", piece)
        elif alike and of == "answer":
            draft.step("document", piece)
        elif alike and of == "apart":
            _assign(piece, history, now, draft)
        else:  # what is asked of the text is one piece of work
            draft.step("document", works or ("요약" if language == "ko" else "summary"))
    return extra


def _of_text(
    piece: str, body: str, history: Sequence[Turn], now: datetime, language: Language
) -> str:
    """Return what a piece of a request about a text is: "sum", "work", "answer" or "apart"."""
    if _solves(piece, history, now, language):
        return "sum"
    if not piece or request.asks_for_work(piece) or request.refers_back(piece):
        return "work"
    return "answer" if passages.best_sentences(piece, body, limit=1) else "apart"


def _tabled(text: str, table: tables.Table, words: str, draft: _Draft) -> str:
    """Ask the questions beside a table of the table; return those about other things."""
    if not words.strip():
        draft.step("analysis", text)
        return ""
    asked = parts.split(words, lambda one: _is_of_figures(one) and _all_of_table(one, table))
    other = [one for one in asked if not _is_of_table(one, table)]
    own = [one for one in asked if one not in other]
    lines = _rows_of(text, words)
    if own and not other and len(own) == 1:
        own = [words.strip()]
    for one in own:  # the question first: it heads its section of the answer
        draft.step("analysis", f"{one}\n\n{lines}")
    return " ".join(other)


def _is_of_table(piece: str, table: tables.Table) -> bool:
    """Tell whether a question beside a table asks something of it."""
    kind = limits.kind_of(piece)
    if kind is not None and limits.is_strict(kind):
        return False
    if _is_of_figures(piece) or _names_cell(piece, table):
        return True
    more = _ASKS_MORE.search(piece)
    who = more is not None and more.group().lower().startswith(("who", "누구"))
    return not limits.about_documents(piece) and (more is None or who)


def _all_of_table(text: str, table: tables.Table) -> bool:
    return all(_is_of_table(one, table) for one in re.split(r"(?<=[.!?？])\s+|\n", text))


def _names_cell(words: str, table: tables.Table) -> bool:
    lowered = words.lower()
    cells = [*table.head, *(cell for row in table.rows[:_MOST_CELL_ROWS] for cell in row)]
    return any(len(cell) > 2 and cell.lower() in lowered for cell in cells)


def _is_of_figures(text: str) -> bool:
    extreme = table_groups.MOST.search(text) or table_groups.LEAST.search(text)
    return extreme is not None or bool(statistics.asked(text))


def _rows_of(text: str, words: str) -> str:
    """Return the lines of a message that are the table's own."""
    around = words.splitlines()
    return "\n".join(line for line in text.splitlines() if line.strip() and line not in around)


def _without_extra(
    body: str, history: Sequence[Turn], now: datetime, language: Language
) -> tuple[str, str]:
    """Take a question that follows the text off its end: "… Also, what is 17% of 200?"."""
    lines = body.rstrip().splitlines()
    if (
        len(lines) > 1
        and lines[-1].rstrip().endswith(("?", "？"))
        and (_EXTRA.match(lines[-1]) or _solves(lines[-1], history, now, language))
    ):
        return "\n".join(lines[:-1]), _EXTRA.sub("", lines[-1])
    match = re.search(
        r"[.!?。]\s+((?:also|and also|그리고|추가로)\b[^.!]{5,200}[?？])\s*$", body, re.IGNORECASE
    )
    if match is not None:
        return body[: match.start(1)], _EXTRA.sub("", match.group(1))
    return body, ""


def _assign(part: str, history: Sequence[Turn], now: datetime, draft: _Draft) -> None:
    """Give one part to its team, or say why none can take it."""
    language = draft.language
    kind = limits.kind_of(part)
    if kind is not None and limits.is_strict(kind):
        draft.aside(part, limits.refusal(kind, language), "impossible")
    elif _solves(part, history, now, language):
        draft.step("analysis", part)
        if kind == "live" and _NEVER_COUNTED.search(part):
            draft.aside(part, limits.refusal(kind, language), "impossible")
    elif request.asks_for_work(part) and _wants_text(part, history):
        draft.step("document", part)
    elif (reply := recall(part, history, language, message=draft.message)) is not None:
        draft.aside(part, reply, "recall")
    elif (reply := chatter.about(part, language)) is not None:
        draft.aside(part, reply, "about")
    elif (reply := chatter.small_talk(part, language)) is not None:
        if not draft.steps:
            draft.kinds.append("smalltalk")
        draft.aside(part, reply, "smalltalk") if not draft.steps else None
    elif kind is not None:
        draft.aside(part, limits.refusal(kind, language), "impossible")
    elif _looks_calculated(part) or _counts_subjects(part, history, now, language):
        draft.step("analysis", part)
    else:
        draft.step("search", part)


def _wants_text(part: str, history: Sequence[Turn]) -> bool:
    """Tell whether a request is about a supplied text, not about the documents."""
    if document.has_text(part, part, history) and (
        request.refers_back(part) or not limits.about_documents(part)
    ):
        return True
    if limits.about_documents(part):
        return False
    return request.refers_back(part) or len(re.findall(r"\w+", part)) <= _TOPIC_WORDS + 2


def _counts_subjects(part: str, history: Sequence[Turn], now: datetime, language: Language) -> bool:
    """Tell whether a sum only happens to be about the documents' subjects: 20% of 300 sessions."""
    if _ASKS_MORE.search(part) or len(re.findall(r"\d[\d,.]*", part)) < 2:
        return False
    return can_solve(part, history=history, now=now, language=language)


def _looks_calculated(part: str) -> bool:
    if limits.about_documents(part):
        return False
    if _SUM.search(_DASHED.sub(" ", part)) or _AMOUNT_ASKED.search(part):
        return True
    if _MATHEMATICS.search(part) and re.search(r"\d|[xy]\^|x²", part):
        return True
    # several figures and words that count: a sum in words that no rule reads
    several = len(re.findall(r"(?<![\d.,])\d[\d,.]*", part)) >= 2
    if not several or _YEARS_ONLY.search(part) or _ASKS_MORE.search(part):
        return False
    return _COUNTING.search(part) is not None


def _what_i_can(language: Language) -> str:
    return chatter.abilities(language)


def _plan(
    intent: str,
    language: Language,
    *,
    steps: list[Step] | None = None,
    reply: str | None = None,
    asides: list[Aside] | None = None,
) -> Plan:
    return {
        "intent": intent,
        "language": language,
        "steps": steps or [],
        "reply": reply,
        "asides": asides or [],
    }
