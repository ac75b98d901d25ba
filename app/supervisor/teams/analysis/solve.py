"""Solving one part of a message: the solvers in the order they are asked."""

import re
from collections.abc import Callable
from datetime import datetime

from app.supervisor.offline.types import Language
from app.supervisor.teams.analysis import (
    arithmetic,
    bases,
    clocks,
    comparison,
    dates,
    equations,
    everyday,
    geometry,
    integers,
    interest,
    percent,
    purchases,
    rates,
    series,
    shopping,
    statistics,
    table_questions,
    tables,
    units,
)
from app.supervisor.teams.analysis.clause import Clause, read, tidy
from app.supervisor.teams.analysis.working import Setting, Working

Solver = Callable[[Clause, Setting], Working | None]

LONGEST_CLAUSE = 600  # characters; beyond it only lists and tables are read
_CODE = re.compile(r"```|~~~")

# arithmetic is strict: it takes a clause only when every character belongs to the sum
_SOLVERS: tuple[Solver, ...] = (
    bases.solve,
    integers.solve,
    clocks.solve,
    dates.solve,
    interest.solve,
    everyday.solve,
    rates.solve,
    units.solve,
    geometry.solve,
    comparison.solve,
    series.solve,
    statistics.solve,
    shopping.solve,
    percent.solve,
    purchases.solve,
    arithmetic.solve,
)


def solve(text: str, now: datetime, language: Language) -> Working | None:
    """Work out one question, or return None when it is not one for this team.

    About 2 ms for a sentence; the first question with units takes 0.4 s more.
    Raises Refused when the question is understood and has no answer here.
    """
    setting = Setting(now, language)
    if "\n" in text.strip() and (found := tables.find(text)) is not None:
        table, words = found
        return table_questions.solve(table, tidy(words), setting)
    one_line = _CODE.sub(" ", text).replace("\n", " ")
    if len(one_line) <= LONGEST_CLAUSE and (working := equations.solve_text(one_line, setting)):
        return working
    clause = read(one_line, now.date())
    if len(clause.text) > LONGEST_CLAUSE:
        return statistics.solve(clause, setting)
    if not any(number.percent for number in clause.numbers):
        working = arithmetic.solve(clause, setting)
        if working is not None:
            return working
    for solver in _SOLVERS:
        if (working := solver(clause, setting)) is not None:
            return working
    return None
