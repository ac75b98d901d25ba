"""Solving which of two plain numbers is larger, and whether they are equal."""

import re

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.working import Setting, Working

_COMPARES = re.compile(
    r"\bcompare\b|which (?:one )?is (?:bigger|larger|greater|smaller|less|more|higher|lower)"
    r"|\b(?:bigger|larger|greater|smaller|higher|lower|less|more) than\b|\bequal(?: to)?\b"
    r"|the same as"
    r"|비교|(?:뭐|어느|어떤).{0,8}더 (?:커|큰|크|작)|보다 (?:커|큰|크|작)|중 더 (?:큰|작은)|같아"
    r"|같나요|같은가",
    re.IGNORECASE,
)
_VOCABULARY = re.compile(
    r"\b(?:compare|which|one|is|are|the|numbers?|values?|or|and|than|to|as|of|between|these|two"
    r"|please|what|whats"
    r"|bigger|larger|greater|smaller|less|more|higher|lower|equal|same)\b"
    r"|비교|해\s?줘|뭐|무엇|어느|어떤|쪽|것|게|수|숫자|더|커|큰|크|작은|작아|작|보다|중|에서"
    r"|같아|같나요|같은가|인가요?|나요|까|이야",
    re.IGNORECASE,
)
_SMALLER = re.compile(r"smaller|less|lower|작", re.IGNORECASE)
_YES_NO = re.compile(r"^\W*(?:is|are)\b", re.IGNORECASE)
_SAME = re.compile(r"equal|same|같", re.IGNORECASE)


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Compare the two numbers of a clause that asks for it."""
    numbers = clause.numbers
    if len(numbers) != 2 or clause.days or not _COMPARES.search(clause.shape):  # noqa: PLR2004
        return None
    left_over = _VOCABULARY.sub(" ", clause.shape)
    if re.search(r"[A-Za-z]{2,}|[가-힣]{2,}", left_over):
        return None  # PostgreSQL 15 and 18 are no numbers to compare
    first, second = numbers
    if first.percent != second.percent or first.currency != second.currency:
        return None
    sign = "=" if first.value == second.value else ">" if first.value > second.value else "<"
    relation = f"{_written(first)} {sign} {_written(second)}"
    smaller = _SMALLER.search(clause.shape) is not None
    steps = tuple(
        f"{_written(one)} {display.sign_of(one.value)} {display.figure(one.value)}"
        for one in numbers
        if _written(one) != display.figure(one.value)
    )
    if _YES_NO.match(clause.shape):
        wanted = "=" if _SAME.search(clause.shape) else "<" if smaller else ">"
        yes = sign == wanted
        answer = setting.say("Yes" if yes else "No", "네" if yes else "아니요")
        return Working(f"{answer}: {relation}", steps)
    return Working(relation, steps)


def _written(number: Number) -> str:
    fraction = number.value.denominator != 1 and "." not in number.text
    shown = display.fraction_text(number.value) if fraction else display.figure(number.value)
    return display.money(number.value, number.currency) if number.currency else shown
