"""Reading a short follow-up ("and 20%?", "그럼 20%는?", "in miles?") with what came before."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Sequence
from datetime import datetime

from app.supervisor.offline.language import detect
from app.supervisor.offline.types import Turn
from app.supervisor.teams.analysis import figures
from app.supervisor.teams.analysis.clause import tidy
from app.supervisor.teams.analysis.quantities import unit_at
from app.supervisor.teams.analysis.solve import solve
from app.supervisor.teams.analysis.working import Refused, Working

_LONGEST = 80  # characters; a longer message stands on its own
_LOOK_BACK = 4  # earlier messages of the person
_MOST_HISTORY = 4_000  # characters of one earlier message
_LEAD = re.compile(
    r"^\s*(?:(?:and|or|ok(?:ay)?|so|then|now|also|what about|how about|what if (?:it(?:'s| is"
    r"| was)|i)?|if it(?:'s| is| was)|same (?:for|with)|with|at|for|of|from|on|try|"
    r"그럼|그러면|그리고|또|아니면|혹시|만약|그렇다면|이번엔|이번에는)[ ,]*)+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:\s*(?:instead|then|please|로\s?하면|이면|라면|이라면|면|으로는|로는|은요|는요|은|는|요"
    r"|일\s?때|경우|얼마야|얼마|어때|어떄|뭐야|이야|는\s?얼마)\s*)*[?.! ]*$",
    re.IGNORECASE,
)
_IT = re.compile(
    r"\b(?:that|it|this|the (?:result|answer|total|previous (?:result|answer)|last (?:result"
    r"|answer)|sum))\b|그\s?(?:값|결과|답|거|것|수)(?:에서|에|을|를|의)?|그걸|그거|거기(?:에서"
    r"|에다|에|서)?|결과(?:에서|에|를|의)?|이걸|여기(?:에|서)?",
    re.IGNORECASE,
)
_STARTS_WITH_OPERATION = re.compile(
    r"^\s*(?:and\s+|then\s+|now\s+)?(?:[-+*/×÷]\s*\d|plus|minus|times|divided by|multiplied by"
    r"|(?:add|subtract) |multiply by|divide by|increase by|decrease by|squared|cubed|double|half"
    r"|halve|round|더하기|빼기|곱하기|나누기|반올림|제곱|절반|반으로|두 배)",
    re.IGNORECASE,
)
_KOREAN_OPERATION = re.compile(
    r"^\s*(?:(?:그럼|그리고|다시|또)\s)?(?P<rest>\d[\d,.만천억]{0,20}(?:원|달러)?\s?(?:으로|로"
    r"|을|를)?\s?(?P<verb>나누|나눠|더|빼|곱하|곱해).{0,10})$"
)
_UNIT_ASKED = re.compile(
    r"^\s*(?:and\s+|what about\s+|how about\s+)?(?:in|into|to"
    r"|as)\s+(?P<unit>[A-Za-z°²/ ]{1,24}?)\s*[?.]*\s*$"
    r"|^(?:그럼\s?)?(?P<korean>[가-힣A-Za-z°]{1,10}?)(?:으로는|로는|으로|로|은"
    r"|는)(?:요)?\s*[?.]*$",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_RESULT = re.compile(r"(?:=|≈|→|:)\s*([^=≈→:]+)$")


def rewrite(task: str, history: Sequence[Turn], now: datetime) -> str | None:
    """Return the whole question that a follow-up means, or None when it is not one.

    Looks at the person's last four messages and the last answer. Cheap: at most a few
    dozen solver calls on short texts.
    """
    text = tidy(task)
    if not history or not text or len(text) > _LONGEST:
        return None
    return (
        _with_result(text, history)
        or _with_unit(text, history, now)
        or _substituted(text, history, now)
    )


def _works(text: str, now: datetime) -> bool:
    try:
        return solve(text, now, detect(text)) is not None
    except Refused:
        return True


def _earlier(history: Sequence[Turn]) -> list[str]:
    """Return parts of the person's earlier messages, the newest first."""
    texts = [turn["text"][:_MOST_HISTORY] for turn in reversed(history) if turn["role"] == "user"]
    parts: list[str] = []
    for text in texts[:_LOOK_BACK]:
        pieces = re.split(r"(?<=[?!])\s+|\n|;|,\s+and\s+|\s+그리고\s+", text)
        parts += [piece.strip() for piece in reversed(pieces) if piece.strip()][:6]
    return parts


def last_result(history: Sequence[Turn]) -> str | None:
    """Return the last figure of the last answer, as written, or None."""
    for turn in reversed(history):
        if turn["role"] != "assistant":
            continue
        for bold in reversed(_BOLD.findall(turn["text"][:_MOST_HISTORY])):
            tail = _RESULT.search(bold)
            shown = tail.group(1) if tail else bold
            found = _numbers(shown)
            if found:
                return shown[found[0][0] : found[0][1]]
        return None
    return None


def _numbers(text: str) -> list[tuple[int, int, figures.Number]]:
    try:
        return figures.spans(text)
    except Refused:
        return []


def _with_result(text: str, history: Sequence[Turn]) -> str | None:  # noqa: PLR0911 - one return for each form
    """Put the last result in the place of "that", or before an operation."""
    pronoun = _IT.search(text)
    operation = _STARTS_WITH_OPERATION.search(text)
    if pronoun is None and operation is None and not _KOREAN_OPERATION.match(text):
        return None
    result = last_result(history)
    if result is None or len(_numbers(text)) > 2:
        return None
    if (korean := _KOREAN_OPERATION.match(text)) is not None and pronoun is None:
        particle = {"더": "에", "빼": "에서"}.get(korean["verb"], "을")
        return f"{result}{particle} {korean['rest']}"
    if pronoun is not None:
        replaced = (
            f"{text[: pronoun.start()]}{result}{_particle(pronoun.group())}{text[pronoun.end() :]}"
        )
        return _reworded(replaced)
    body = re.sub(r"^\s*(?:and|then|now)\s+", "", text, flags=re.IGNORECASE)
    if match := re.match(
        r"(add|subtract|increase by|decrease by|multiply by|divide by)\s+(.+)$", body, re.IGNORECASE
    ):
        return f"{result} {_SIGNS[match.group(1).lower()]} {match.group(2)}"
    if re.match(r"double|두 배", body, re.IGNORECASE):
        return f"{result} * 2"
    if re.match(r"hal|절반|반으로", body, re.IGNORECASE):
        return f"{result} / 2"
    if re.match(r"round|반올림", body, re.IGNORECASE):
        return (
            f"round {result} {body[5:]}" if body.lower().startswith("round") else f"{result} {body}"
        )
    return f"{result} {body}"


_SIGNS = {
    "add": "+",
    "subtract": "-",
    "increase by": "+",
    "decrease by": "-",
    "multiply by": "*",
    "divide by": "/",
}


def _particle(word: str) -> str:
    match = re.search(r"(에서|에다|에|을|를|의|서)$", word)
    if match is None:
        return "을 " if word in {"그걸", "이걸"} else ""
    return {"서": "에서 ", "에다": "에 "}.get(match.group(1), f"{match.group(1)} ")


def _reworded(text: str) -> str:
    """Turn "divide 12 by 3" and "12 in miles" into plain questions."""
    text = re.sub(r"^\s*(?:and|then|now|ok|그럼|그러면)[ ,]+", "", text, flags=re.IGNORECASE)
    text = re.sub(r"^\s*(?:double) ", "2 * ", text, flags=re.IGNORECASE)
    text = re.sub(r"^\s*(?:halve|half of|half) ", "1/2 * ", text, flags=re.IGNORECASE)
    return text.strip(" ?.!") + "?"


def _with_unit(text: str, history: Sequence[Turn], now: datetime) -> str | None:
    """Ask the last question again in another unit."""
    match = _UNIT_ASKED.match(text)
    if match is None:
        return None
    name = (match["unit"] or match["korean"] or "").strip()
    found = unit_at(name, 0)
    if found is None or found[0] != len(name):
        return None
    for earlier in _earlier(history):
        bare = re.sub(
            r"\s*(?:\b(?:in|into|to|as)\b\s+[A-Za-z°²/ ]+|(?:은|는|을|를)?\s*(?:몇"
            r"|어느)\s*\S+)\s*[?.]*$",
            "",
            earlier,
            flags=re.IGNORECASE,
        )
        candidate = (
            f"{re.sub(r'^(?:convert|what is|how much is)[ ]+', '', bare, flags=re.IGNORECASE)} to"
            f" {name}"
        )
        if re.search(r"\d", candidate) and _works(candidate, now):
            return candidate
    return None


def _substituted(text: str, history: Sequence[Turn], now: datetime) -> str | None:
    """Put the one new number in the place of its like in the last question."""
    stripped = _TAIL.sub("", _LEAD.sub("", text))
    if (
        stripped == text.rstrip("?.! ")
        and not re.search(r"은\?|는\?|요\?", text)
        and len(_numbers(text)) != 1
    ):
        return None
    found = _numbers(stripped)
    if len(found) != 1 or stripped[: found[0][0]].strip():
        return None
    counted = stripped[found[0][1] :].strip(" ?.!은는요")
    if counted and not re.fullmatch(r"[A-Za-z°/]{1,12}|[가-힣]{1,4}", counted):
        return None
    new = found[0][2]
    new_text = stripped[found[0][0] : found[0][1]]
    for earlier in _earlier(history):
        clean = tidy(earlier)
        alike = [span for span in _numbers(clean) if span[2].percent == new.percent]
        if counted:
            alike = [
                span
                for span in alike
                if clean[span[1] :].lstrip().lower().startswith(counted[:3].lower())
            ]
        if not alike or not _works(clean, now):
            continue
        chosen = next(
            (span for span in alike if bool(span[2].currency) == bool(new.currency)), alike[0]
        )
        if (
            len(alike) > 1
            and not new.percent
            and not new.currency
            and len({bool(s[2].currency) for s in alike}) == 1
        ):
            return None  # which of the numbers is meant?
        tail = "" if new.currency or not chosen[2].currency else chosen[2].currency
        written = f"{tail}{new_text}" if tail in {"$", "€", "£", "¥", "₩"} else f"{new_text}{tail}"
        return f"{clean[: chosen[0]]}{written}{clean[chosen[1] :]}"
    return None


def solve_followup(task: str, history: Sequence[Turn], now: datetime) -> tuple[str, Working] | None:
    """Return the question meant and its working, or None. Raises Refused like ``solve``."""
    question = rewrite(task, history, now)
    if question is None:
        return None
    working = solve(question, now, detect(task))
    return (question, working) if working is not None else None
