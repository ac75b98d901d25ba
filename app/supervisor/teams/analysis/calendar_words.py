"""Lengths of time between two days in words, and the month a question means."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from datetime import date
from fractions import Fraction

from dateutil.relativedelta import relativedelta

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.working import Setting

_WEEKS = re.compile(
    r"how many weeks|weeks (?:between|until|since|from|left|to)|in weeks|몇\s?주", re.IGNORECASE
)
_MONTHS = re.compile(
    r"how many months|months (?:between|until|since|from|left)|in months|몇\s?(?:개월|달)",
    re.IGNORECASE,
)
_YEARS = re.compile(
    r"how many years|years (?:between|until|since|from)|in years|몇\s?년", re.IGNORECASE
)
_HOURS = re.compile(r"how many hours|몇\s?시간", re.IGNORECASE)
_NEAR = (
    (re.compile(r"next month|다음\s?달", re.IGNORECASE), 1),
    (re.compile(r"last month|지난\s?달", re.IGNORECASE), -1),
    (re.compile(r"this month|이번\s?달|이달", re.IGNORECASE), 0),
)
_YEAR_NEAR = {"next year": 1, "last year": -1, "this year": 0, "내년": 1, "작년": -1, "올해": 0}


def spelled(low: date, high: date, setting: Setting) -> str:
    """Return the span as years, months and days, or "" when it is only days."""
    span = relativedelta(high, low)
    if not span.years and not span.months:
        days = (high - low).days
        weeks, rest = divmod(days, 7)
        if not weeks:
            return ""
        tail = setting.say(f" {rest} day{'s' if rest != 1 else ''}", f" {rest}일") if rest else ""
        return setting.say(f"{weeks} week{'s' if weeks != 1 else ''}", f"{weeks}주") + tail
    names = (("year", "년"), ("month", "개월"), ("day", "일"))
    pieces = [
        setting.say(f"{count} {english}{'s' if count != 1 else ''}", f"{count}{korean}")
        for count, (english, korean) in zip(
            (span.years, span.months, span.days), names, strict=True
        )
        if count
    ]
    return " ".join(pieces)


def amount(shape: str, days: int, low: date, high: date, setting: Setting) -> str:
    """Return the span in the unit the question asks for."""
    span = relativedelta(high, low)
    if _WEEKS.search(shape):
        weeks = Fraction(days, 7)
        sign = "" if weeks.denominator == 1 else "≈ "
        return setting.say(
            f"{sign}{display.figure(weeks, 2)} weeks ({days:,} days)",
            f"{sign}{display.figure(weeks, 2)}주 ({days:,}일)",
        )
    if _MONTHS.search(shape):
        months = span.years * 12 + span.months
        rest = setting.say(f" and {span.days} days", f" {span.days}일") if span.days else ""
        return setting.say(f"{months} months{rest}", f"{months}개월{rest}")
    if _YEARS.search(shape):
        return spelled(low, high, setting) or setting.say(f"{days:,} days", f"{days:,}일")
    if _HOURS.search(shape):
        return setting.say(
            f"{days * 24:,} hours ({days:,} days)", f"{days * 24:,}시간 ({days:,}일)"
        )
    return setting.say(f"{days:,} day{'s' if days != 1 else ''}", f"{days:,}일")


def month_meant(clause: Clause, setting: Setting, named: int | None) -> tuple[int, int] | None:
    """Return (year, month) of the month a clause speaks of, or None."""
    for words, offset in _NEAR:
        if words.search(clause.shape):
            moved = setting.now.date().replace(day=1) + relativedelta(months=offset)
            return moved.year, moved.month
    if named is None:
        return None
    years = [
        n.value.numerator
        for n in clause.numbers
        if n.value.denominator == 1 and 1 <= n.value <= 9999
    ]
    far = [year for year in years if year > 31]
    for word, offset in _YEAR_NEAR.items():
        if word in clause.shape.lower():
            return setting.now.year + offset, named
    return (far[0] if far else setting.now.year), named
