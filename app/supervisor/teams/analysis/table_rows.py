"""A question about a table: the columns it names and the rows it restricts the table to."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis import display, tables
from app.supervisor.teams.analysis.tables import Table
from app.supervisor.teams.analysis.working import Setting

_GROUP = re.compile(r"\b(?:by|per|for each|each|every|group(?:ed)? by)\b", re.IGNORECASE)
_COMPARED = re.compile(
    r"(?P<over>over|above|more than|greater than|higher than|exceed(?:s|ing)?"
    r"|>(?!=))\s*[$€£₩]?(?P<n1>-?[\d,.]+)"
    r"|(?P<least>at least|no less than|>=|≥|minimum of)\s*[$€£₩]?(?P<n2>-?[\d,.]+)"
    r"|(?P<under>under|below|less than|lower than|fewer than|<(?!=))\s*[$€£₩]?(?P<n3>-?[\d,.]+)"
    r"|(?P<at_most>at most|no more than|<=|≤|up to)\s*[$€£₩]?(?P<n4>-?[\d,.]+)"
    r"|(?P<n5>-?[\d,.]+)\s?(?:점|원|개|명|세|살|%|만|만원)?\s?(?P<korean>이상|이하|초과|미만"
    r"|보다 (?:큰|높은|많은|작은|낮은|적은))",
    re.IGNORECASE,
)
_IDENTITY = re.compile(r"^(?:id|no\.?|#|year|번호|순번|연도|학번)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    table: Table
    words: str
    setting: Setting

    def numeric(self) -> list[int]:
        columns = [i for i in range(len(self.table.head)) if self.table.is_numeric(i)]
        plain = [i for i in columns if not _IDENTITY.match(self.table.head[i])]
        return plain or columns

    def textual(self) -> list[int]:
        return [i for i in range(len(self.table.head)) if not self.table.is_numeric(i)]

    def mentioned(self, among: list[int]) -> list[int]:
        """Return the columns whose names the words contain, in the order of the words."""
        lowered = self.words.lower()
        found = []
        for index in among:
            name = self.table.head[index].lower().strip()
            stems = {name, name.removesuffix("s"), re.sub(r"\s*\(.*?\)", "", name)}
            places = [lowered.find(stem) for stem in stems if len(stem) > 1 and stem in lowered]
            if places:
                found.append((min(places), index))
        return [index for _, index in sorted(found)]

    def money(self, index: int, value: Fraction) -> str:
        unit = tables.unit_of(self.table.column(index))
        if unit in {"$", "€", "£", "¥", "₩", "원"}:
            return display.money(value, unit)
        shown = display.figure(value, 2)
        return (
            f"{shown}{unit}" if unit in {"%", ""} or "가" <= unit[:1] <= "힣" else f"{shown} {unit}"
        )


def filtered(question: Question) -> tuple[Question, str]:
    """Keep the rows that the words restrict the table to."""
    table, words = question.table, question.words
    rows = list(table.rows)
    said: list[str] = []
    for match in _COMPARED.finditer(words):
        index = _nearest_column(question, match.start(), match.end())
        if index is None:
            continue
        kept = [
            row
            for row in rows
            if (value := tables.number(row[index])) is not None and _holds(match, value)
        ]
        rows = kept
        said.append(f"{table.head[index]} {_sign(match)} {_bound(match)}")
    for index in question.textual():
        values = {row[index] for row in table.rows if 1 < len(row[index]) <= 40}
        named = {value for value in values if _names(words, value)}
        distinct = len(values) > 1
        if named and distinct and not _is_list_of(question, index):
            rows = [row for row in rows if row[index] in named]
            said.append(f"{table.head[index]} = {', '.join(sorted(named))}")
    text = "; ".join(said)
    label = question.setting.say("Rows with", "조건")
    count = question.setting.say(
        f"{len(rows)} of {len(table.rows)} rows", f"{len(table.rows)}행 중 {len(rows)}행"
    )
    return Question(
        Table(table.head, tuple(rows)), words, question.setting
    ), f"{label} {text}: {count}" if text else ""


def _is_list_of(question: Question, index: int) -> bool:
    return bool(_GROUP.search(question.words)) and index in question.mentioned([index])


def _names(words: str, value: str) -> bool:
    if value.isascii():
        return (
            re.search(rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])", words, re.IGNORECASE)
            is not None
        )
    return value in words


def _nearest_column(question: Question, start: int, end: int) -> int | None:
    numeric = question.numeric()
    lowered = question.words.lower()
    best: tuple[int, int] | None = None
    for index in numeric:
        name = question.table.head[index].lower()
        place = lowered.rfind(name, 0, start)
        distance = start - place if place >= 0 else 10_000
        after = lowered.find(name, end)
        if after >= 0:
            distance = min(distance, after - end + 20)
        if distance < 10_000 and (best is None or distance < best[0]):
            best = (distance, index)
    if best is not None:
        return best[1]
    return numeric[-1] if len(numeric) == 1 else None


def _bound(match: re.Match[str]) -> str:
    return next(match[name] for name in ("n1", "n2", "n3", "n4", "n5") if match[name]).rstrip(".,")


def _sign(match: re.Match[str]) -> str:
    korean = match["korean"] or ""
    if match["over"] or korean == "초과" or korean.endswith(("큰", "높은", "많은")):
        return ">"
    if match["least"] or korean == "이상":
        return "≥"
    if match["under"] or korean == "미만" or korean.endswith(("작은", "낮은", "적은")):
        return "<"
    return "≤"


def _holds(match: re.Match[str], value: Fraction) -> bool:
    bound = tables.number(_bound(match))
    if bound is None:
        return True
    return {">": value > bound, "≥": value >= bound, "<": value < bound, "≤": value <= bound}[
        _sign(match)
    ]
