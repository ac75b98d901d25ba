"""Moving on the calendar: so many days after, before, from now; weekdays on from a day."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import replace
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.moments import Day
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


_KOREAN_WEEKDAYS = "월화수목금토일"


_UNIT = (
    r"(?P<unit>business days?|working days?|weekdays|days?|weeks?|months?|years?|영업일|평일"
    r"|주일|주|개월|달|일|년|fortnights?)"
)


_SPAN_BY_WORD = {"d": "days", "w": "weeks", "m": "months", "y": "years", "f": "weeks"}


_SPAN_BY_KOREAN = {
    "일": "days",
    "주": "weeks",
    "주일": "weeks",
    "개월": "months",
    "달": "months",
    "년": "years",
}


_SHIFTS = (
    pattern(
        rf"<N:n> {_UNIT} (?P<way>after|from|before|prior to|later than|since|following|past"
        rf"|earlier than) (?:the )?<D:d>"
    ),
    pattern(rf"<D:d><W>(?P<way>plus|\+|minus|-|add|subtract) ?<N:n> {_UNIT}"),
    pattern(rf"(?P<way>add|subtract) <N:n> {_UNIT} (?:to|from) <D:d>"),
    pattern(
        rf"<D:d>(?:부터|에서|로부터|의|을|기준|기준으로|로|에)?<W><N:n> ?{_UNIT} ?(?P<way>뒤|후"
        rf"|전|이후|이전|지나|지난|더하|빼|째)"
    ),
    pattern(rf"<D:d><W><N:n> {_UNIT} (?P<way>later|earlier|before|after|hence|ago)"),
)


_FROM_NOW = (
    pattern(
        rf"<N:n> {_UNIT} (?P<way>from now|ago|later|hence|from today|in the future|earlier"
        rf"|after today)"
    ),
    pattern(rf"\b(?P<way>in) <N:n> {_UNIT}"),
    pattern(rf"<N:n> ?{_UNIT} ?(?P<way>뒤|후|전|이후|이전)"),
)


_BACKWARDS = {
    "before",
    "prior to",
    "minus",
    "-",
    "subtract",
    "전",
    "이전",
    "earlier",
    "ago",
    "빼",
    "earlier than",
}


WEEKDAY = re.compile(
    r"(?:what|which) (?:day|weekday)(?: of the week)?|day of the week|weekday|무슨\s?요일|요일"
    r"|몇\s?요일",
    re.IGNORECASE,
)


WHAT_DATE = re.compile(
    r"what(?:'s| is| was| will)?(?: the| today's)? (?:date|day)|which day|\bwhen\b|date|며칠"
    r"|몇\s?일|언제|날짜|오늘|today",
    re.IGNORECASE,
)


_COMPOUND = (
    pattern(
        rf"<N:n> {_UNIT}(?: and|,)? <N:n2> (?P<unit2>days?|weeks?|months?) (?P<way>after|from"
        rf"|before|later than) (?:the )?<D:d>"
    ),
    pattern(
        rf"<D:d>(?:부터|에서|로부터|의|을|기준|로)? ?<N:n> ?{_UNIT} ?<N:n2> ?(?P<unit2>개월|달"
        rf"|주|일) ?(?P<way>뒤|후|전)"
    ),
    pattern(
        rf"<N:n> {_UNIT}(?: and|,)? <N:n2> (?P<unit2>days?|weeks?|months?|개월|달|주"
        rf"|일) ?(?P<way>from now|ago|later|뒤|후|전)"
    ),
)


_IF_WEEKDAY = re.compile(
    r"today(?:'s| is| was)? (?:a )?(mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|오늘이?\s?([월화수목금토일])요일",
    re.IGNORECASE,
)


DAYS_IN_WEEKDAYS = re.compile(r"business|working|weekdays|영업일|평일|근무일", re.IGNORECASE)


_MOST_DAYS = 3_000_000


_MOST_BUSINESS = 20_000


def day_text(day: date, setting: Setting) -> str:
    """Return a date with its weekday."""
    return setting.say(
        f"{_WEEKDAYS[day.weekday()]}, {day.day} {day.strftime('%B')} {day.year}",
        f"{day.year}년 {day.month}월 {day.day}일 {_KOREAN_WEEKDAYS[day.weekday()]}요일",
    )


def short_text(day: date, setting: Setting) -> str:
    """Return a date without its weekday."""
    return setting.say(
        f"{day.day} {day.strftime('%B')} {day.year}", f"{day.year}년 {day.month}월 {day.day}일"
    )


def whole(number: Number) -> int:
    if number.value.denominator != 1:
        raise Refused(
            "not_whole", "Dates move by whole steps.", "날짜는 정수만큼만 옮길 수 있어요."
        )
    if abs(number.value) > _MOST_DAYS:
        raise OverflowError
    return number.value.numerator


def notes(clause: Clause, setting: Setting) -> str:
    found = [setting.say(day.note, day.korean_note) for day in clause.days]
    return " ".join(dict.fromkeys(note for note in found if note))


def shifted(clause: Clause, setting: Setting) -> Working | None:
    for form in _SHIFTS:
        match = clause.match(form)
        if match is None:
            continue
        working = _shift(
            day_of(clause, match["d"]).date,
            clause.number(match["n"]),
            match["unit"],
            match["way"],
            setting,
        )
        return replace(working, note=f"{notes(clause, setting)} {working.note}".strip())
    return None


def compound(clause: Clause, setting: Setting) -> Working | None:
    """Move by two steps: 2 years and 3 months from today."""
    for form in _COMPOUND:
        match = clause.match(form)
        if match is None:
            continue
        start = day_of(clause, match["d"]).date if "d" in match.groupdict() else setting.now.date()
        day = start
        steps: list[str] = []
        for number, unit in ((match["n"], match["unit"]), (match["n2"], match["unit2"])):
            working = _shift(day, clause.number(number), unit, match["way"], setting)
            steps += working.steps
            day = _moved(day, clause.number(number), unit, match["way"])
        return Working(day_text(day, setting), tuple(steps), notes(clause, setting))
    return None


def if_weekday(clause: Clause, setting: Setting) -> Working | None:
    """Count weekdays on from a supposed today."""
    match = _IF_WEEKDAY.search(clause.text)
    if match is None or len(clause.numbers) != 1 or not re.search(r"days?|일", clause.shape):
        return None
    names = ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")
    start = (
        names.index(match.group(1).lower())
        if match.group(1)
        else _KOREAN_WEEKDAYS.index(match.group(2))
    )
    count = whole(clause.numbers[0])
    if re.search(r"\bago\b|before|전", clause.shape):
        count = -count
    end = (start + count) % 7
    step = (
        f"{abs(count)} ÷ 7 = {abs(count) // 7}, {setting.say('remainder', '나머지')} "
        f"{abs(count) % 7}"
    )
    return Working(setting.say(_WEEKDAYS[end], f"{_KOREAN_WEEKDAYS[end]}요일"), (step,))


def from_now(clause: Clause, setting: Setting) -> Working | None:
    if clause.days or len(clause.numbers) != 1 or clause.times:
        return None
    for form in _FROM_NOW:
        match = clause.match(form)
        if match is None or (match["way"] == "in" and not WHAT_DATE.search(clause.shape)):
            continue
        if re.match(r"시|분|초", match["unit"]) or not (
            WHAT_DATE.search(clause.shape) or WEEKDAY.search(clause.shape) or match["way"] != "in"
        ):
            continue
        if re.search(r"years? (?:old|later)|살", clause.shape):
            return None
        return _shift(
            setting.now.date(), clause.number(match["n"]), match["unit"], match["way"], setting
        )
    return None


def _shift(start: date, number: Number, unit: str, way: str, setting: Setting) -> Working:
    count = -whole(number) if way.lower() in _BACKWARDS else whole(number)
    end = _moved(start, number, unit, way)
    note = ""
    if DAYS_IN_WEEKDAYS.search(unit):
        note = setting.say(
            "Weekends are skipped; public holidays are not known here.",
            "주말은 빼고 세었고, 공휴일은 반영하지 않았어요.",
        )
    amount = setting.say(
        f"{abs(count):,} {unit if abs(count) != 1 else unit.removesuffix('s')}",
        f"{abs(count):,}{unit}",
    )
    mark = "−" if count < 0 else "+"
    step = f"{short_text(start, setting)} {mark} {amount} = {short_text(end, setting)}"
    return Working(day_text(end, setting), (step,), note)


def _moved(start: date, number: Number, unit: str, way: str) -> date:
    count = -whole(number) if way.lower() in _BACKWARDS else whole(number)
    kind = _SPAN_BY_KOREAN.get(unit) or _SPAN_BY_WORD.get(unit[0].lower(), "days")
    if DAYS_IN_WEEKDAYS.search(unit):
        return _business(start, count)
    if kind in {"days", "weeks"}:
        size = 14 if unit.startswith("f") else 7 if kind == "weeks" else 1
        return start + timedelta(days=count * size)
    return start + (relativedelta(months=count) if kind == "months" else relativedelta(years=count))


def _business(start: date, count: int) -> date:
    if abs(count) > _MOST_BUSINESS:
        raise OverflowError
    step = 1 if count >= 0 else -1
    day, left = start, abs(count)
    while left:
        day += timedelta(days=step)
        left -= day.weekday() < 5
    return day


def day_of(clause: Clause, character: str) -> Day:
    atom = clause.atoms[character]
    if not isinstance(atom, Day):
        raise TypeError(f"not a date: {atom!r}")
    return atom
