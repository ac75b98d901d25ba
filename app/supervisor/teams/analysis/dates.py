"""Solving dates: days between, days later, weekdays, ages, leap years, ends of months."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from calendar import monthrange
from datetime import date, timedelta
from fractions import Fraction

from app.supervisor.teams.analysis import calendar_words as words
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.date_facts import (
    DAY_OF_YEAR,
    ISO_WEEK,
    QUARTER,
    age,
    leap,
    month_end,
    year_length,
)
from app.supervisor.teams.analysis.date_steps import (
    DAYS_IN_WEEKDAYS,
    WEEKDAY,
    WHAT_DATE,
    compound,
    day_of,
    day_text,
    from_now,
    if_weekday,
    notes,
    shifted,
    short_text,
    whole,
)
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_BETWEEN = (
    pattern(r"<D:a><W>(?:to|and|until|till|through|-|–|~|up to|vs)<W><D:b>"),
    pattern(r"<D:a>(?:부터|에서|와|과|하고|이랑|랑)<W><D:b>"),
    pattern(r"<D:a><W><D:b>"),
)


_UNTIL = re.compile(
    r"until|till|\bto\b|before|left|away|countdown|d-?day|까지|남았|남은|디데이|앞으로",
    re.IGNORECASE,
)


_SINCE = re.compile(r"since|ago|passed|from|been|부터|지났|됐|되었|된 지|흘렀|전이", re.IGNORECASE)


_HOW_MANY = re.compile(
    r"how (?:many|long|far|much)|number of|count|difference|days? (?:between|until|since|from"
    r"|left)|weeks? (?:between|until)|몇\s?(?:일|주|개월|달|년|밤)|며칠|얼마나|차이|기간|디데이"
    r"|d-?day|남았|countdown",
    re.IGNORECASE,
)


_COUNTS_DAYS = re.compile(r"how (?:many|long|far)|d-?day|디데이|얼마나", re.IGNORECASE)


_WHAT_IS = pattern(r"^\W*what(?:'s| is| was)? (?:the )?<D>\W*$")


_YEARS_APART = (
    pattern(r"years?<W>(?:between|from)<W><N:a><W>(?:and|to|until)<W><N:b>"),
    pattern(r"<N:a>년(?:부터|에서)<W><N:b>년(?:까지)?<W>몇 ?년"),
)


_IS_WEEKDAY = re.compile(
    r"^\W*(?:is|was|will) .{1,40}\b((?:mon|tues|wednes|thurs|fri|satur|sun)day)\W*$"
    r"|([월화수목금토일])요일(?:이야|인가요|인가|이니|이에요|맞아|맞나요|이었어)\W*$",
    re.IGNORECASE,
)
_TO_MONTH_END = re.compile(
    r"(?:left|remain)\w*.{0,12}(?:this|the) month|이번\s?달.{0,8}남|end of (?:the|this|next) month"
    r"|(?:월말|말일|(?:이번|다음)\s?달\s?(?:말|끝|마지막\s?날))까지",
    re.IGNORECASE,
)
_INCLUSIVE = re.compile(r"inclusive|including both|포함", re.IGNORECASE)


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause about the calendar.

    Raises Refused for a day that does not exist or lies beyond the years 1 to 9999.
    """
    try:
        for solver in (
            leap,
            age,
            if_weekday,
            _years,
            compound,
            shifted,
            _between,
            _distance,
            from_now,
            _parts_of_year,
            year_length,
            _is_weekday,
            month_end,
            _plain,
        ):
            if (working := solver(clause, setting)) is not None:
                return working
    except (OverflowError, ValueError) as error:
        raise Refused(
            "out_of_range",
            "That falls outside the years 1 to 9999.",
            "1년부터 9999년까지만 계산할 수 있어요.",
        ) from error
    return None


def _years(clause: Clause, setting: Setting) -> Working | None:
    for form in _YEARS_APART:
        if (match := clause.match(form)) is not None and not clause.days:
            first, last = whole(clause.number(match["a"])), whole(clause.number(match["b"]))
            count = abs(last - first)
            return Working(
                setting.say(f"{count} years", f"{count}년"),
                (f"{max(first, last)} − {min(first, last)} = {count}",),
            )
    return None


def _between(clause: Clause, setting: Setting) -> Working | None:
    if len(clause.days) != 2 or clause.numbers:
        return None
    for form in _BETWEEN:
        match = form.search(clause.shape)
        if match is None:
            continue
        first, second = day_of(clause, match["a"]), day_of(clause, match["b"])
        start, end = first.date, second.date
        if end < start and not second.has_year:
            end = end.replace(year=end.year + 1)
        return _counted(clause, start, end, setting)
    return None


def _distance(clause: Clause, setting: Setting) -> Working | None:
    if len(clause.days) != 1 or clause.numbers or not _HOW_MANY.search(clause.shape):
        return None
    today, day = setting.now.date(), clause.days[0]
    found = day.date
    if not day.has_year:
        found = _near(
            found,
            today,
            forward=not _SINCE.search(clause.shape) or bool(_UNTIL.search(clause.shape)),
        )
    counts = _UNTIL.search(clause.shape) or _SINCE.search(clause.shape)
    if not counts and (found == today or not _COUNTS_DAYS.search(clause.shape)):
        return None  # 다음 주 금요일은 며칠? asks for the date
    start, end = min(found, today), max(found, today)
    return _counted(clause, start, end, setting, today=today)


def _near(day: date, today: date, *, forward: bool) -> date:
    """Return the nearest such day of the calendar, ahead or behind."""
    if forward and day < today:
        return day.replace(year=day.year + 1)
    if not forward and day > today:
        return day.replace(year=day.year - 1)
    return day


def _counted(
    clause: Clause, start: date, end: date, setting: Setting, today: date | None = None
) -> Working:
    days = abs((end - start).days)
    low, high = min(start, end), max(start, end)
    if DAYS_IN_WEEKDAYS.search(clause.shape):
        return _weekdays_between(low, high, setting)
    step = f"{short_text(low, setting)} → {day_text(high, setting)}"
    note = notes(clause, setting)
    if _INCLUSIVE.search(clause.shape):
        days += 1
        note = setting.say("Both days are counted.", "양 끝 날을 모두 세었어요.")
    lead = words.amount(clause.shape, days, low, high, setting)
    steps = [step]
    whole = words.spelled(low, high, setting)
    if whole and whole != lead and not _INCLUSIVE.search(clause.shape):
        steps.append(f"= {whole}")
    if today is not None and not days:
        lead = setting.say("That is today", "오늘이에요")
    return Working(lead, tuple(steps), note, value=Fraction(days))


def _weekdays_between(low: date, high: date, setting: Setting) -> Working:
    days = (high - low).days
    weeks, rest = divmod(days, 7)
    count = weeks * 5 + sum((low + timedelta(days=i + 1)).weekday() < 5 for i in range(rest))
    note = setting.say(
        "The first day is not counted; public holidays are not known here.",
        "첫날은 세지 않았고, 공휴일은 반영하지 않았어요.",
    )
    return Working(
        setting.say(f"{count:,} weekdays", f"평일 {count:,}일"),
        (f"{short_text(low, setting)} → {short_text(high, setting)}",),
        note,
        value=Fraction(count),
    )


def _parts_of_year(clause: Clause, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    day = clause.days[0].date if len(clause.days) == 1 else setting.now.date()
    if len(clause.days) > 1 or clause.numbers:
        return None
    shape = clause.shape
    short = short_text(day, setting)
    if ISO_WEEK.search(shape):
        week = day.isocalendar()
        return Working(
            setting.say(
                f"Week {week.week} of {week.year} (ISO)", f"{week.year}년 {week.week}주차 (ISO)"
            ),
            (short,),
        )
    if DAY_OF_YEAR.search(shape):
        count = day.timetuple().tm_yday
        return Working(
            setting.say(f"Day {count} of {day.year}", f"{day.year}년의 {count}번째 날"), (short,)
        )
    if QUARTER.search(shape):
        quarter = (day.month - 1) // 3 + 1
        return Working(
            setting.say(f"Quarter {quarter} of {day.year}", f"{day.year}년 {quarter}분기"), (short,)
        )
    if (
        re.search(
            r"(?:left|remain)\w*<?.{0,12}(?:this|the) year|올해.{0,8}(?:며칠|남)|end of the year"
            r"|연말까지",
            shape,
            re.IGNORECASE,
        )
        and not clause.days
    ):
        return _counted(clause, day, date(day.year, 12, 31), setting)
    if _TO_MONTH_END.search(shape) and not clause.days:
        year, month = words.month_meant(clause, setting, None) or (day.year, day.month)
        return _counted(clause, day, date(year, month, monthrange(year, month)[1]), setting)
    return None


def _is_weekday(clause: Clause, setting: Setting) -> Working | None:
    """Answer whether a date falls on a weekday."""
    match = _IS_WEEKDAY.search(clause.shape)
    if match is None or len(clause.days) != 1 or clause.numbers:
        return None
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    wanted = (
        names.index(match.group(1)[:3].lower())
        if match.group(1)
        else "월화수목금토일".index(match.group(2))
    )
    day = clause.days[0].date
    yes = day.weekday() == wanted
    shown = day_text(day, setting)
    return Working(
        setting.say(f"{'Yes' if yes else 'No'}: {shown}", f"{'네' if yes else '아니요'}: {shown}")
    )


def _plain(clause: Clause, setting: Setting) -> Working | None:
    """Answer what day a date is, and what today is."""
    if clause.numbers or len(clause.days) > 1 or clause.times:
        return None
    asks_weekday = bool(WEEKDAY.search(clause.shape))
    if not clause.days:
        here = re.search(
            r"what(?:'s| is)? (?:the )?(?:date|day)(?: is it)?(?: today| now)?\W*$|오늘"
            r"|지금 며칠|date today|current date|what (?:year|month) is it|올해.*몇\s?년"
            r"|이번\s?달|몇\s?월",
            clause.shape,
            re.IGNORECASE,
        )
        return (
            Working(day_text(setting.now.date(), setting))
            if here
            and re.search(r"며칠|날짜|요일|몇|date|day|year|month", clause.shape, re.IGNORECASE)
            else None
        )
    if not (asks_weekday or WHAT_DATE.search(clause.shape) or clause.has(_WHAT_IS)):
        return None
    if re.search(
        r"\b(?:weather|news|happen|did|do|does|schedule|plan|release|event)\w*|날씨|뉴스|일정"
        r"|뭐\s?(?:했|해|할)",
        clause.shape,
        re.IGNORECASE,
    ):
        return None
    return Working(day_text(clause.days[0].date, setting), note=notes(clause, setting))
