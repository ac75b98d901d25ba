"""Figures of a table by group, and shares of a total."""

import re
from collections.abc import Callable
from fractions import Fraction

from app.supervisor.teams.analysis import display, statistics, tables
from app.supervisor.teams.analysis.table_rows import Question
from app.supervisor.teams.analysis.working import Working

SORT = re.compile(
    r"\bsort|\border(?:ed)? by|\brank|정렬|순으로|순서대로|내림차순|오름차순|높은 순|낮은 순"
    r"|큰 순|작은 순",
    re.IGNORECASE,
)


MOST = re.compile(
    r"highest|largest|biggest|greatest|maximum|\bmax\b|\bmost\b|\bbest\b|\btop\b|longest|oldest"
    r"|tallest|가장 ?(?:높|많|큰|크|비싼|비싸|긴|잘|나이)|제일 ?(?:높|많|큰|크|비싼|비싸|긴|잘)"
    r"|최고|최대|1등|최댓값",
    re.IGNORECASE,
)


LEAST = re.compile(
    r"lowest|smallest|least|minimum|\bmin\b|\bworst\b|cheapest|fewest|shortest|youngest"
    r"|가장 ?(?:낮|적|작|싼|저렴|짧)|제일 ?(?:낮|적|작|싼|저렴|짧)|최저|최소|꼴찌|최솟값",
    re.IGNORECASE,
)


_SHARE = re.compile(r"share|percent|proportion|%|비율|비중|퍼센트|몇 프로", re.IGNORECASE)


MOST_SHOWN = 30


def values_of(question: Question, index: int) -> list[Fraction]:
    return [
        value for cell in question.table.column(index) if (value := tables.number(cell)) is not None
    ]


def target(question: Question, besides: int | None = None) -> int | None:
    """Return the column of numbers a question is about: named, hinted at, or the last."""
    numeric = [i for i in question.numeric() if i != besides]
    mentioned = question.mentioned(numeric)
    if mentioned:
        return mentioned[0]
    for asked, named in _HINTS:
        if asked.search(question.words):
            hinted = [i for i in numeric if named.search(question.table.head[i])]
            if hinted:
                return hinted[0]
    return numeric[-1] if numeric else None


_HINTS = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(named, re.IGNORECASE))
    for asked, named in (
        (r"cheap|expensive|비싼|비싸|싼|저렴", r"price|cost|가격|단가|금액"),
        (r"\b(?:old|young)\w*|나이|어린", r"age|born|나이|연령"),
        (r"\btall\w*|\bshort\w*|키", r"height|키|신장"),
        (r"\bheav\w*|\blight\w*|무거|가벼", r"weight|무게|체중"),
        (r"earn|paid|salary|월급|연봉|버는", r"salary|pay|income|wage|월급|연봉|급여"),
    )
)


def grouped(question: Question) -> Working | None:
    column = _group_column(question)
    index = target(question, column)
    if column is None or index is None:
        return None
    names = [
        n
        for n in statistics.asked(question.words)
        if n in {"sum", "mean", "median", "min", "max", "count"}
    ] or ["sum"]
    groups: dict[str, list[Fraction]] = {}
    for row in question.table.rows:
        value = tables.number(row[index])
        if value is not None:
            groups.setdefault(row[column], []).append(value)
    if not groups:
        return None
    name = names[0]
    found = {key: _FIGURES[name](values) for key, values in groups.items()}
    label = question.setting.say(*LABELS[name])
    rows = [
        [key, question.money(index, value) if name != "count" else display.figure(value)]
        for key, value in found.items()
    ]
    top = max(found, key=lambda key: found[key])
    lead = question.setting.say(
        f"{label} of {question.table.head[index]} by {question.table.head[column]}",
        f"{question.table.head[column]}별 {question.table.head[index]} {label}",
    )
    if MOST.search(question.words) or LEAST.search(question.words):
        top = min(found, key=lambda key: found[key]) if LEAST.search(question.words) else top
        lead = f"{top}: {question.money(index, found[top])}"
    block = display.table(
        [question.table.head[column], f"{label}({question.table.head[index]})"], rows[:MOST_SHOWN]
    )
    return Working(lead, block=block)


def _mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _middle(values: list[Fraction]) -> Fraction:
    ordered = sorted(values)
    middle, odd = divmod(len(ordered), 2)
    return ordered[middle] if odd else (ordered[middle - 1] + ordered[middle]) / 2


LABELS = {
    "sum": ("Sum", "합계"),
    "mean": ("Mean", "평균"),
    "median": ("Median", "중앙값"),
    "min": ("Minimum", "최솟값"),
    "max": ("Maximum", "최댓값"),
    "count": ("Count", "개수"),
}


_FIGURES: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "sum": lambda values: sum(values, Fraction(0)),
    "mean": _mean,
    "median": _middle,
    "min": min,
    "max": max,
    "count": lambda values: Fraction(len(values)),
}


def _group_column(question: Question) -> int | None:
    lowered = question.words.lower()
    for index in range(len(question.table.head)):
        name = question.table.head[index].lower()
        if not name or (
            len(set(question.table.column(index))) == len(question.table.rows) > 1
            and question.table.is_numeric(index)
        ):
            continue
        singular = name.removesuffix("s")
        if (
            re.search(
                rf"\b(?:by|per|for each|each|every"
                rf"|group(?:ed)? by)\s+(?:the\s+)?{re.escape(singular)}",
                lowered,
            )
            or f"{name}별" in lowered
        ):
            sorting = SORT.search(question.words) and question.table.is_numeric(index)
            return None if sorting else index
    return None


def shares(question: Question) -> Working | None:
    if not _SHARE.search(question.words) or not question.textual():
        return None
    index = target(question)
    if index is None:
        return None
    total = sum(values_of(question, index), Fraction(0))
    if not total:
        return None
    label = question.textual()[0]
    rows = [
        [row[label], row[index], f"{display.figure(value * 100 / total, 1)}%"]
        for row in question.table.rows
        if (value := tables.number(row[index])) is not None
    ]
    head = [question.table.head[label], question.table.head[index], "%"]
    lead = question.setting.say(
        f"Shares of {question.table.head[index]}, total {question.money(index, total)}",
        f"{question.table.head[index]} 비율 (합계 {question.money(index, total)})",
    )
    return Working(lead, block=display.table(head, rows[:MOST_SHOWN]))
