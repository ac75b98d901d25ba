"""Answering a question about a table: sums, averages, extremes, groups, filters, order."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.teams.analysis import display, statistics, tables
from app.supervisor.teams.analysis.list_figures import label
from app.supervisor.teams.analysis.table_groups import (
    LABELS,
    LEAST,
    MOST,
    MOST_SHOWN,
    SORT,
    grouped,
    shares,
    target,
    values_of,
)
from app.supervisor.teams.analysis.table_rows import Question, filtered
from app.supervisor.teams.analysis.tables import Table
from app.supervisor.teams.analysis.working import Setting, Working

_DESCENDING = re.compile(
    r"desc|highest|largest|biggest|most|top\b|내림|높은 순|큰 순|많은 순|상위", re.IGNORECASE
)


_ASCENDING = re.compile(
    r"\basc|lowest|smallest|cheapest|오름|낮은 순|작은 순|적은 순", re.IGNORECASE
)


_TOP = re.compile(
    r"\btop (\d{1,3})\b|상위 ?(\d{1,3})|\bbottom (\d{1,3})\b|하위 ?(\d{1,3})", re.IGNORECASE
)


_SECOND = re.compile(
    r"second[- ](?:highest|largest|biggest|most)|두 ?번째로 ?(?:높|많|큰)", re.IGNORECASE
)


_COUNT = re.compile(
    r"how many|number of|count|몇 ?(?:개|명|행|줄|건|가지|곳)|개수|행 수", re.IGNORECASE
)


_PRODUCT_ASKED = re.compile(
    r"revenue|total (?:cost|price|value|amount|sales)|spend|worth|매출|총액|총 ?금액|합계 ?금액"
    r"|비용",
    re.IGNORECASE,
)


_PRICE = re.compile(r"price|cost|rate|단가|가격|값", re.IGNORECASE)


_QUANTITY = re.compile(
    r"qty|quantity|units?|count|amount|sold|hours|수량|개수|판매량", re.IGNORECASE
)


_AVERAGE_WORDS = ("mean", "sum", "median", "mode", "deviation", "variance", "range")


def solve(table: Table, words: str, setting: Setting) -> Working | None:
    """Answer a question about a table; without one, describe the table."""
    question = Question(table, words, setting)
    rows, said = filtered(question)
    if not rows.table.rows:
        return Working(setting.say("No row fits", "해당하는 행이 없어요"), (said,) if said else ())
    for solver in (shares, grouped, _ordered, _extreme, _product, _figures, _counted, _looked_up):
        working = solver(rows)
        if working is not None:
            steps = (said, *working.steps) if said else working.steps
            return Working(working.lead, steps, working.note, working.block, working.value)
    return _described(rows, said)


def _ordered(question: Question) -> Working | None:
    top = _TOP.search(question.words)
    if not SORT.search(question.words) and top is None:
        return None
    mentioned = question.mentioned(list(range(len(question.table.head))))
    numeric = [i for i in mentioned if i in question.numeric()]
    index = (numeric or mentioned or question.numeric()[-1:] or [0])[0]
    low = top is not None and (top.group(3) or top.group(4))
    ascending = low or _ASCENDING.search(question.words)
    descending = (
        bool(_DESCENDING.search(question.words) or "순으로" in question.words) and not ascending
    )
    if question.table.is_numeric(index):
        rows = sorted(
            question.table.rows,
            key=lambda row: tables.number(row[index]) or Fraction(0),
            reverse=descending,
        )
    else:
        rows = sorted(question.table.rows, key=lambda row: row[index].lower(), reverse=descending)
    if top is not None:
        rows = rows[: int(next(group for group in top.groups() if group))]
    name = question.table.head[index]
    way = question.setting.say(
        "highest first" if descending else "lowest first", "내림차순" if descending else "오름차순"
    )
    lead = question.setting.say(f"Sorted by {name}, {way}", f"{name} {way}")
    return Working(
        lead,
        block=display.table(list(question.table.head), [list(row) for row in rows[:MOST_SHOWN]]),
    )


def _extreme(question: Question) -> Working | None:
    most, least = MOST.search(question.words), LEAST.search(question.words)
    if not (most or least) or set(statistics.asked(question.words)) & set(_AVERAGE_WORDS):
        return None
    index = target(question)
    if index is None:
        return None
    rows = [row for row in question.table.rows if tables.number(row[index]) is not None]
    if not rows:
        return None
    ordered = sorted(
        rows,
        key=lambda row: tables.number(row[index]) or Fraction(0),
        reverse=not least or bool(most),
    )
    if _SECOND.search(question.words) and len(ordered) > 1:
        ordered = ordered[1:]
    best = ordered[0]
    ties = [row for row in ordered if tables.number(row[index]) == tables.number(best[index])]
    named = question.textual()
    name = (
        ", ".join(row[named[0]] for row in ties[:5])
        if named
        else question.money(index, tables.number(best[index]) or Fraction(0))
    )
    lead = (
        f"{name} ({question.table.head[index]} {best[index]})"
        if named
        else f"{question.table.head[index]} {best[index]}"
    )
    if most and least:
        last = ordered[-1]
        other = last[named[0]] if named else last[index]
        lead = f"{lead}; {other} ({question.table.head[index]} {last[index]})"
    row = ", ".join(
        f"{head}: {cell}" for head, cell in zip(question.table.head, best, strict=True) if cell
    )
    return Working(lead, (row,))


def _product(question: Question) -> Working | None:
    if not _PRODUCT_ASKED.search(question.words):
        return None
    numeric = question.numeric()
    if any(
        re.search(r"revenue|total|sales|매출|금액|합계|총액", question.table.head[i], re.IGNORECASE)
        for i in numeric
    ):
        return None
    price = next((i for i in numeric if _PRICE.search(question.table.head[i])), None)
    quantity = next(
        (i for i in numeric if i != price and _QUANTITY.search(question.table.head[i])), None
    )
    if price is None or quantity is None:
        return None
    total = Fraction(0)
    steps: list[str] = []
    for row in question.table.rows:
        each, count = tables.number(row[price]), tables.number(row[quantity])
        if each is None or count is None:
            continue
        total += each * count
        if len(steps) < 12:
            steps.append(f"{row[price]} × {row[quantity]} = {question.money(price, each * count)}")
    head = question.table.head
    note = question.setting.say(
        f"{head[price]} × {head[quantity]}, added up.",
        f"{head[price]} × {head[quantity]}을(를) 더했어요.",
    )
    return Working(
        f"{question.setting.say('Total', '합계')}: {question.money(price, total)}",
        tuple(steps),
        note,
        value=total,
    )


def _figures(question: Question) -> Working | None:
    names = [
        name for name in statistics.asked(question.words) if name in (*_AVERAGE_WORDS, "min", "max")
    ]
    if not set(names) & set(_AVERAGE_WORDS):
        return None
    numeric = question.numeric()
    chosen = question.mentioned(numeric) or numeric
    setting = question.setting
    if not chosen:
        return None
    if len(chosen) == 1:
        values = values_of(question, chosen[0])
        unit = tables.unit_of(question.table.column(chosen[0]))
        currency = unit if unit in {"$", "€", "£", "¥", "₩", "원"} else ""
        if len(values) < 2:
            return (
                Working(
                    f"{question.table.head[chosen[0]]}: {question.money(chosen[0], values[0])}",
                    value=values[0],
                )
                if values
                else None
            )
        made = statistics.of_values(values, currency, names, setting)
        return Working(
            f"{question.table.head[chosen[0]]} – {made.lead}", made.steps, value=made.value
        )
    rows = []
    for index in chosen:
        values = values_of(question, index)
        if len(values) >= 2:
            cells = [
                statistics.of_values(values, "", [name], setting).lead.split(": ", 1)[-1]
                for name in names
            ]
            rows.append([question.table.head[index], *cells])
    head = [setting.say("column", "열"), *(label(name, setting) for name in names)]
    lead = ", ".join(f"{row[0]} {row[1]}" for row in rows[:6])
    return Working(
        f"{label(names[0], setting)}: {lead}",
        block=display.table(head, rows) if len(names) > 1 else "",
    )


def _counted(question: Question) -> Working | None:
    if not _COUNT.search(question.words):
        return None
    count = len(question.table.rows)
    if re.search(r"column|열", question.words, re.IGNORECASE):
        columns = len(question.table.head)
        return Working(
            question.setting.say(f"{columns} columns", f"{columns}열"),
            (", ".join(question.table.head),),
        )
    distinct = re.search(r"distinct|different|unique|서로 다른|종류", question.words, re.IGNORECASE)
    column = question.mentioned(question.textual())
    if distinct and column:
        values = sorted({row[column[0]] for row in question.table.rows})
        return Working(
            f"{len(values)}", (", ".join(values[:MOST_SHOWN]),), value=Fraction(len(values))
        )
    named = question.textual()[:1]
    names = ", ".join(row[named[0]] for row in question.table.rows[:MOST_SHOWN]) if named else ""
    lead = question.setting.say(f"{count} row{'s' if count != 1 else ''}", f"{count}개")
    return Working(lead, (names,) if names else (), value=Fraction(count))


def _looked_up(question: Question) -> Working | None:
    """Answer "what is Kim's score?" when the filter left one row."""
    if len(question.table.rows) > 3:
        return None
    columns = question.mentioned(list(range(len(question.table.head))))
    named = question.textual()
    columns = [c for c in columns if not named or c != named[0]]
    if not columns:
        return None
    pieces = []
    for row in question.table.rows:
        name = f"{row[named[0]]}: " if named else ""
        pieces.append(name + ", ".join(f"{question.table.head[c]} {row[c]}" for c in columns))
    return Working("; ".join(pieces))


def _described(question: Question, said: str) -> Working:
    setting = question.setting
    if said and len(question.table.rows) <= 3:  # a few rows picked out are their own answer
        shown = [
            ", ".join(
                f"{name}: {cell}" for name, cell in zip(question.table.head, row, strict=True)
            )
            for row in question.table.rows
        ]
        return Working("; ".join(shown), (said,))
    rows = []
    for index in question.numeric():
        values = values_of(question, index)
        if values:
            mean = sum(values, Fraction(0)) / len(values)
            rows.append(
                [
                    question.table.head[index],
                    *(
                        question.money(index, v)
                        for v in (sum(values, Fraction(0)), mean, min(values), max(values))
                    ),
                ]
            )
    count, columns = len(question.table.rows), len(question.table.head)
    lead = setting.say(f"{count} rows, {columns} columns", f"{count}행 {columns}열")
    head = [
        setting.say("column", "열"),
        *(setting.say(*LABELS[name]) for name in ("sum", "mean", "min", "max")),
    ]
    return Working(lead, (said,) if said else (), block=display.table(head, rows) if rows else "")
