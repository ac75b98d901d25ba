"""Facts about one day: age, leap year, week number, quarter, the end of a month."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from calendar import isleap, monthrange
from datetime import date
from fractions import Fraction

from dateutil.relativedelta import relativedelta

from app.supervisor.offline.particles import topic
from app.supervisor.teams.analysis import calendar_words as words
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.date_steps import (
    day_text,
    short_text,
)
from app.supervisor.teams.analysis.moments import month_named
from app.supervisor.teams.analysis.working import Setting, Working

_LEAP = re.compile(r"leap|윤년", re.IGNORECASE)


_AGE = re.compile(
    r"how old|\bage\b|\bborn\b|birthday|나이|몇\s?살|만\s?나이|생일|태어|년생|월생|일생",
    re.IGNORECASE,
)


_BIRTH = re.compile(r"how old|\bage\b|나이|몇\s?살", re.IGNORECASE)


_NOW_AGE = re.compile(
    r"(?<!\d)(\d{4}|\d\d(?=년))년?\s?(?:\d{1,2}월\s?)?생|born in (?:[a-z]+ )?(\d{4})"
    r"|(?<!\d)(\d{4})년(?: \d{1,2}월)?에 태어",
    re.IGNORECASE,
)


ISO_WEEK = re.compile(
    r"week number|(?:which|what) week\b(?: of the year)?|iso week|몇\s?주차|몇\s?번째\s?주",
    re.IGNORECASE,
)


DAY_OF_YEAR = re.compile(r"day of the year|day number|몇\s?번째\s?날", re.IGNORECASE)


QUARTER = re.compile(r"(?:which|what) quarter|몇\s?분기", re.IGNORECASE)


_DAYS_IN_YEAR = pattern(
    r"how many days (?:are |were |will be )?(?:there )?in (?:the year )?<N:y>\W*$|<N:y2>년(?:은"
    r"|에는|에)? (?:총|모두)? ?(?:며칠|몇 ?일)"
)
_WEEKDAY_COUNT = re.compile(
    r"how many ((?:mon|tues|wednes|thurs|fri|satur|sun)days)\b|([월화수목금토일])요일(?:이"
    r"|은)?\s?(?:몇\s?번|며칠)",
    re.IGNORECASE,
)
_DAYS_LEFT = re.compile(r"(?:남|\bleft\b|\bremain|\buntil\b|\btill\b)", re.IGNORECASE)
_MONTH_END = re.compile(
    r"last day|end of|how many days|며칠까지|마지막\s?날|말일|몇\s?일까지|며칠|몇\s?일",
    re.IGNORECASE,
)


def age(clause: Clause, setting: Setting) -> Working | None:
    shape = clause.shape
    if not _AGE.search(shape) or not _BIRTH.search(shape):
        return None
    today = setting.now.date()
    if len(clause.days) == 1:
        born = clause.days[0].date
        if born > today:
            return None
        age = relativedelta(today, born).years
        step = f"{short_text(born, setting)} → {short_text(today, setting)}"
        days = (today - born).days
        detail = setting.say(f"{days:,} days", f"{days:,}일")
        return Working(
            setting.say(f"{age} years old", f"만 {age}세"), (step, detail), value=Fraction(age)
        )
    if match := _NOW_AGE.search(clause.text):
        year = int(match.group(1) or match.group(2) or match.group(3))
        if year < 100:  # 90년생
            year += 1900 if year > today.year % 100 else 2000
        if not 1900 <= year <= today.year:
            return None
        later = today.year - year
        lead = setting.say(f"{later - 1} or {later} years old", f"만 {later - 1}세 또는 {later}세")
        note = setting.say(
            "It depends on whether the birthday has passed this year.",
            "올해 생일이 지났는지에 따라 달라요.",
        )
        return Working(lead, (f"{today.year} − {year} = {later}",), note, value=Fraction(later))
    return None


def leap(clause: Clause, setting: Setting) -> Working | None:
    if not _LEAP.search(clause.shape) or re.search(
        r"how many|몇\s?(?:일|초|분|시간)", clause.shape, re.IGNORECASE
    ):
        return None
    years = [n.value.numerator for n in clause.numbers if n.value.denominator == 1]
    if re.search(r"next leap|다음 윤년", clause.shape, re.IGNORECASE) and not years:
        years = [next(y for y in range(setting.now.year + 1, setting.now.year + 9) if isleap(y))]
    if re.search(r"this year|올해", clause.shape, re.IGNORECASE) and not years:
        years = [setting.now.year]
    if len(years) != 1 or not 1 <= years[0] <= 9999:
        return None
    year = years[0]
    yes = isleap(year)
    reason = f"{year} ÷ 4 = {year // 4}" + (f", ÷ 100 = {year // 100}" if year % 100 == 0 else "")
    if year % 4:
        reason = setting.say(
            f"{year} is not divisible by 4", f"{topic(str(year))} 4로 나누어떨어지지 않아요"
        )
    elif year % 100 == 0:
        by = "also" if yes else "but not"
        reason = setting.say(
            f"{year} is divisible by 100 {by} by 400",
            f"{topic(str(year))} 100으로 나누어떨어지고 400으로는 "
            f"나누어떨어{'져요' if yes else '지지 않아요'}",
        )
    lead = setting.say(
        f"{year} is {'' if yes else 'not '}a leap year",
        f"{year}년은 윤년{'이에요' if yes else '이 아니에요'}",
    )
    return Working(lead, (reason,))


def year_length(clause: Clause, setting: Setting) -> Working | None:
    """Answer how many days a year has, or how often a weekday falls in a month."""
    if clause.days:
        return None
    if match := _WEEKDAY_COUNT.search(clause.shape):
        return _weekday_count(clause, match, setting)
    match = clause.match(_DAYS_IN_YEAR)
    if match is None:
        return None
    year = clause.value(match["y"] or match["y2"])
    if year.denominator != 1 or not 1000 <= year <= 9999:
        return None
    count = 366 if isleap(year.numerator) else 365
    return Working(
        setting.say(f"{year.numerator} has {count} days", f"{year.numerator}년은 {count}일이에요"),
        value=Fraction(count),
    )


def _weekday_count(clause: Clause, match: re.Match[str], setting: Setting) -> Working | None:
    found = words.month_meant(clause, setting, month_named(clause.text))
    if found is None:
        return None
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    wanted = (
        names.index(match.group(1)[:3].lower())
        if match.group(1)
        else "월화수목금토일".index(match.group(2))
    )
    year, month = found
    days = [
        day
        for day in range(1, monthrange(year, month)[1] + 1)
        if date(year, month, day).weekday() == wanted
    ]
    listed = ", ".join(map(str, days))
    name = date(year, month, 1)
    return Working(
        setting.say(
            f"{len(days)} {match.group(1).title().removesuffix('s') if match.group(1) else ''}s "
            f"in {name.strftime('%B')} {year}",
            f"{year}년 {month}월에 {len(days)}번",
        ),
        (listed,),
        value=Fraction(len(days)),
    )


def month_end(clause: Clause, setting: Setting) -> Working | None:
    found = words.month_meant(clause, setting, month_named(clause.text))
    if found is None or clause.days or not _MONTH_END.search(clause.shape):
        return None
    if _DAYS_LEFT.search(clause.shape):
        return None  # how far it is, not which day
    year, month = found
    last = monthrange(year, month)[1]
    day = date(year, month, last)
    name = setting.say(f"{day.strftime('%B')} {year}", f"{year}년 {month}월")
    if re.search(r"how many days|며칠까지|몇\s?일까지|몇\s?일|며칠", clause.shape, re.IGNORECASE):
        return Working(
            setting.say(f"{name} has {last} days", f"{name}은 {last}일까지 있어요"),
            value=Fraction(last),
        )
    return Working(day_text(day, setting))
