"""Finding the dates and times of day of a text, in English and Korean."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from app.supervisor.teams.analysis import holidays
from app.supervisor.teams.analysis.working import Refused

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?"
    r"|sun(?:day)?"
)
_KOREAN_WEEKDAYS = "월화수목금토일"
_MOST_YEAR = 9999


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day as it stood in the text; ``found`` is None when there is no such day."""

    found: date | None
    has_year: bool
    text: str
    note: str = ""  # how an ambiguous form was read, in English
    korean_note: str = ""
    in_calendar: bool = True  # False: a feast whose day in that year is not known here

    @property
    def date(self) -> date:
        """The day. Raises Refused when the calendar has no such day."""
        if self.found is None and not self.in_calendar:
            raise Refused(
                "unknown_date",
                f"I do not have the date of “{self.text}”: its lunar calendar is known here for "
                f"2024 to 2030.",
                f"“{self.text}” 날짜는 알 수 없어요. 음력 명절은 2024~2030년만 알고 있어요.",
            )
        if self.found is None:
            raise Refused(
                "no_such_date",
                f"There is no such date as “{self.text}”.",
                f"“{self.text}”(이)라는 날짜는 달력에 없어요.",
            )
        return self.found


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day in seconds after midnight."""

    seconds: int
    text: str


_NUMERIC = re.compile(
    r"(?<![\w./-])(?P<y>\d{4})(?:-(?P<m>\d{1,2})-(?P<d>\d{1,2})|/(?P<m2>\d{1,2})/(?P<d2>\d{1,2})"
    r"|\. ?(?P<m3>\d{1,2})\. ?(?P<d3>\d{1,2})\.?)(?![\d/-])"
)
_SLASHED = re.compile(r"(?<![\w./-])(?P<a>\d{1,2})[/.-](?P<b>\d{1,2})[/.-](?P<y>\d{4})(?![\d/-])")
_KOREAN = re.compile(
    r"(?:(?P<y>\d{4})년\s?|(?P<rel>올해|금년|내년|후년|작년|재작년)\s?)?"
    r"(?<!\d)(?P<m>\d{1,2})월\s?(?P<d>\d{1,2})일(?!간)"
)
_NAMED = re.compile(
    rf"\b{MONTH.format('m')} (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d"
    rf"|[.:]\d)(?:,? (?:of )?(?P<y>\d{{4}})(?!\d))?",
    re.IGNORECASE,
)
_DAY_FIRST = re.compile(
    rf"(?<![\d.,:])(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {MONTH.format('m')}(?! (?:be|have"
    rf"|not|also)\b)"
    r"(?:,? (?P<y>\d{4})(?!\d))?",
    re.IGNORECASE,
)
_MONTH_ONLY = re.compile(
    rf"\b(?:until|till|since|before|from|between|to|and"
    rf"|by) (?:the )?{MONTH.format('m')},? (?P<y>\d{{4}})(?!\d)"
    r"|(?P<y2>\d{4})년\s?(?P<m2>\d{1,2})월(?=\s?(?:까지|부터|에서))",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"\b(?:the )?day after tomorrow\b|\b(?:the )?day before yesterday\b|\btoday\b|\btomorrow\b"
    r"|\byesterday\b"
    r"|(?<![가-힣])(?:오늘|내일모레|내일|모레|글피|어제|그저께|그제|엊그제)(?!의집)",
    re.IGNORECASE,
)
_OFFSETS = {"today": 0, "tomorrow": 1, "yesterday": -1, "오늘": 0, "내일": 1, "모레": 2}
_OFFSETS |= {"내일모레": 2, "글피": 3, "어제": -1, "그저께": -2, "그제": -2, "엊그제": -2}
_OFFSETS |= {"day after tomorrow": 2, "day before yesterday": -2}
_ON_WEEKDAY = re.compile(rf"\b(next|this|last|coming|past) ({_WEEKDAY})\b", re.IGNORECASE)
_ON_WEEKDAY_KOREAN = re.compile(
    r"(다다음|다음|이번|지난|저번|담)\s?주?\s?([월화수목금토일])요일|(다음|이번"
    r"|지난)\s?주\s?([월화수목금토일])(?![가-힣])"
)
_TIME = re.compile(
    r"(?<![\d:.])(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?(?!\d|:)\s?(?P<half>[ap]\.?m\b\.?)?"
    r"|(?<![\d:.])(?P<h2>\d{1,2})\s?(?P<half2>[ap]\.?m\b\.?)"
    r"|(?:(?P<part>오전|오후|새벽|아침|저녁|밤|낮)\s?)?(?<!\d)(?P<h3>\d{1,2})시(?!간|[가-힣]*당"
    r"|도|스)(?:\s?(?:(?P<m3>\d{1,2})분|(?P<mid>반)))?"
    r"|\b(?P<word>noon|midnight)\b|(?P<word2>정오|자정)",
    re.IGNORECASE,
)
_HALF_DAY = 12


def days(text: str, today: date) -> Iterator[tuple[int, int, Day]]:
    """Yield (start, end, day) for each date of the text; spans may overlap."""
    for match in _NUMERIC.finditer(text):
        month = match["m"] or match["m2"] or match["m3"]
        day = match["d"] or match["d2"] or match["d3"]
        yield *match.span(), _day(match.group(), int(match["y"]), int(month), int(day))
    for match in _SLASHED.finditer(text):
        yield *match.span(), _slashed(match)
    for match in _KOREAN.finditer(text):
        offsets = {"올해": 0, "금년": 0, "내년": 1, "후년": 2, "작년": -1, "재작년": -2}
        near = match["rel"]
        year = int(match["y"]) if match["y"] else today.year + offsets.get(near or "올해", 0)
        known = bool(match["y"] or near)
        yield *match.span(), _day(match.group(), year, int(match["m"]), int(match["d"]), known)
    for pattern in (_NAMED, _DAY_FIRST):
        for match in pattern.finditer(text):
            year = int(match["y"]) if match["y"] else today.year
            month = MONTHS.index(match["m"][:3].lower()) + 1
            yield *match.span(), _day(match.group(), year, month, int(match["d"]), bool(match["y"]))
    for match in _MONTH_ONLY.finditer(text):
        month = MONTHS.index(match["m"][:3].lower()) + 1 if match["m"] else int(match["m2"])
        year = int(match["y"] or match["y2"])
        start = match.start("m") if match["m"] else match.start("y2")
        first = _day(text[start : match.end()], year, month, 1)
        note = f"“{first.text}” read as its first day."
        yield (
            start,
            match.end(),
            replace(first, note=note, korean_note=f"“{first.text}”은(는) 그달 1일로 읽었어요."),
        )
    for match in _RELATIVE.finditer(text):
        offset = _OFFSETS[match.group().lower().removeprefix("the ")]
        yield *match.span(), Day(today + timedelta(days=offset), True, match.group())
    yield from _weekdays(text, today)
    for start, end, found, known in holidays.spans(text, today):
        yield start, end, Day(found, known, text[start:end], in_calendar=found is not None)


def _day(text: str, year: int, month: int, day: int, has_year: bool = True) -> Day:
    try:
        return Day(date(year, month, day), has_year, text)
    except ValueError:
        if not has_year and (month, day) == (2, 29):
            return Day(date(year + (-year) % 4, 2, 29), True, text)
        return Day(None, has_year, text)


def _slashed(match: re.Match[str]) -> Day:
    first, second, year = int(match["a"]), int(match["b"]), int(match["y"])
    if first > 12 or "." in match.group():
        return _day(match.group(), year, second, first)
    if second > 12 or first == second:
        return _day(match.group(), year, first, second)
    read = _day(match.group(), year, first, second)
    return Day(
        read.found,
        True,
        read.text,
        f"“{read.text}” read as month/day/year.",
        f"“{read.text}”은(는) 월/일/연도 순서로 읽었어요.",
    )


def _weekdays(text: str, today: date) -> Iterator[tuple[int, int, Day]]:
    monday = today - timedelta(days=today.weekday())
    for match in _ON_WEEKDAY.finditer(text):
        which = match.group(1).lower()
        wanted = next(
            i for i, name in enumerate(WEEKDAYS) if name[:3] == match.group(2)[:3].lower()
        )
        if which == "next":
            found = monday + timedelta(days=7 + wanted)
            note = f"“{match.group()}” read as the {WEEKDAYS[wanted].title()} of next week."
        elif which in {"last", "past"}:
            found, note = today - timedelta(days=(today.weekday() - wanted - 1) % 7 + 1), ""
        else:
            found, note = today + timedelta(days=(wanted - today.weekday()) % 7), ""
        yield *match.span(), Day(found, True, match.group(), note)
    weeks = {"다다음": 14, "다음": 7, "담": 7, "이번": 0, "지난": -7, "저번": -7}
    for match in _ON_WEEKDAY_KOREAN.finditer(text):
        wanted = _KOREAN_WEEKDAYS.index(match.group(2) or match.group(4))
        offset = weeks[match.group(1) or match.group(3)]
        yield *match.span(), Day(monday + timedelta(days=offset + wanted), True, match.group())


def times(text: str) -> Iterator[tuple[int, int, TimeOfDay]]:
    """Yield (start, end, time) for each time of day of the text."""
    for match in _TIME.finditer(text):
        seconds = _seconds(match)
        if seconds is not None:
            end = match.start() + len(match.group().rstrip())
            yield match.start(), end, TimeOfDay(seconds, match.group().strip())


def _seconds(match: re.Match[str]) -> int | None:
    if word := match["word"] or match["word2"]:
        return 43200 if word.lower() in {"noon", "정오"} else 0
    hour = int(match["h"] or match["h2"] or match["h3"])
    minute = int(match["m"] or match["m3"] or (30 if match["mid"] else 0))
    second = int(match["s"] or 0)
    half = (match["half"] or match["half2"] or "")[:1].lower()
    part = match["part"] or ""
    if half and not 1 <= hour <= _HALF_DAY:
        return None
    afternoon = half == "p" or (part in {"오후", "저녁", "낮"} and hour < _HALF_DAY)
    afternoon = afternoon or (part == "밤" and 6 <= hour < _HALF_DAY)
    if afternoon and hour < _HALF_DAY and not (part == "낮" and hour > 6):
        hour += _HALF_DAY
    elif (half == "a" or part in {"오전", "새벽"} or part == "밤") and hour == _HALF_DAY:
        hour = 0
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        return None
    return hour * 3600 + minute * 60 + second


def month_named(text: str) -> int | None:
    """Return the number of the month that a text names, in either language."""
    if match := re.search(rf"\b{MONTH.format('m')}", text, re.IGNORECASE):
        return MONTHS.index(match["m"][:3].lower()) + 1
    if (match := re.search(r"(?<!\d)(\d{1,2})월", text)) and 1 <= int(match.group(1)) <= 12:
        return int(match.group(1))
    return None
