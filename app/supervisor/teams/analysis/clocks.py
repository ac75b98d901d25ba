"""Solving times of day: how long between two, some hours later, other time zones."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from app.supervisor.teams.analysis import display, places
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.date_steps import day_text, short_text
from app.supervisor.teams.analysis.quantities import Quantity, factor, quantities
from app.supervisor.teams.analysis.unit_sums import spoken_time
from app.supervisor.teams.analysis.working import Setting, Working

_DAY_SECONDS = 86_400
_BETWEEN = re.compile(
    r"between|from|how (?:long|many)|until|\bto\b|-|~|부터|에서|까지|걸|차이|몇\s?(?:시간|분)",
    re.IGNORECASE,
)
_UNTIL = re.compile(
    r"(?:how (?:long|many)|time).{0,30}(?:until|till|to|before)\b|까지.{0,12}(?:남|얼마|몇)",
    re.IGNORECASE,
)
_EARLIER = re.compile(r"before|earlier|minus|\bago\b|subtract|전|빼|-", re.IGNORECASE)
_SHIFT = re.compile(
    r"after|later|before|earlier|plus|\bin\b|\+|-|add|minus|from|ago|뒤|후|전|더하|지나|빼",
    re.IGNORECASE,
)
_ASKS_TIME = re.compile(
    r"what(?:'s| is)? (?:the )?(?:current |local )?time|time (?:is it )?(?:now|in)|current time"
    r"|몇\s?시|지금.*시간|현재\s?시[간각]|시각",
    re.IGNORECASE,
)
_DIFFERENCE = re.compile(
    r"time difference|difference (?:in time|between)|hours? (?:ahead|behind)|시차"
    r"|몇 시간 (?:차이|빠|느)",
    re.IGNORECASE,
)
_FROM_NOW = re.compile(
    r"\bfrom now\b|\bago\b|^\W*[\U000f0000-\U000f7fff]\s?(?:시간|분)\s?(?:뒤|후|전)", re.IGNORECASE
)
_HERE = re.compile(r"\bnow\b|지금|현재|right now|is it", re.IGNORECASE)
_UNIX = re.compile(r"unix|epoch|timestamp|유닉스|타임스탬프", re.IGNORECASE)
_MOST_STAMP = 253_402_300_799  # the end of the year 9999


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause about times of day, zones or Unix timestamps."""
    for solver in (_stamp, _zones, _difference, _between, _until, _shifted, _now):
        if (working := solver(clause, setting)) is not None:
            return working
    return None


def _clock(seconds: int | Fraction, setting: Setting) -> str:
    whole = int(seconds) % _DAY_SECONDS
    hour, minute, second = whole // 3600, whole // 60 % 60, whole % 60
    tail = f":{second:02}" if second else ""
    half = setting.say("AM" if hour < 12 else "PM", "오전" if hour < 12 else "오후")
    twelve = hour % 12 or 12
    spoken = setting.say(
        f"{twelve}:{minute:02} {half}", f"{half} {twelve}시" + (f" {minute}분" if minute else "")
    )
    return f"{hour:02}:{minute:02}{tail} ({spoken})"


def _between(clause: Clause, setting: Setting) -> Working | None:
    if len(clause.times) == len(clause.days) == 2 and not clause.numbers:
        return _between_moments(clause, setting)
    if len(clause.times) != 2 or clause.days or not _BETWEEN.search(clause.shape):
        return None
    first, second = clause.times
    seconds = second.seconds - first.seconds
    note = ""
    if seconds < 0:
        seconds += _DAY_SECONDS
        note = setting.say(
            "The second time is taken as the next day.", "뒤의 시각은 다음 날로 보았어요."
        )
    step = f"{first.text} → {second.text}"
    detail = setting.say(f"= {seconds // 60:,} minutes", f"= {seconds // 60:,}분")
    return Working(
        spoken_time(Fraction(seconds), setting), (step, detail), note, value=Fraction(seconds)
    )


def _between_moments(clause: Clause, setting: Setting) -> Working:
    first, second = (
        datetime(day.date.year, day.date.month, day.date.day, tzinfo=UTC)
        + timedelta(seconds=time.seconds)
        for day, time in zip(clause.days, clause.times, strict=True)
    )
    seconds = Fraction(int(abs((second - first).total_seconds())))
    hours = display.figure(seconds / 3600, 2)
    return Working(
        spoken_time(seconds, setting),
        (setting.say(f"= {hours} hours", f"= {hours}시간"),),
        value=seconds,
    )


def _until(clause: Clause, setting: Setting) -> Working | None:
    """Answer how long it is until a time of day, by the server's clock."""
    if len(clause.times) != 1 or clause.days or clause.numbers or places.found(clause.text):
        return None
    if not _UNTIL.search(clause.shape):
        return None
    now = setting.now.hour * 3600 + setting.now.minute * 60 + setting.now.second
    seconds = Fraction((clause.times[0].seconds - now) % _DAY_SECONDS)
    note = setting.say(
        f"From {_moment(setting.now, setting)}, the server's clock.",
        f"서버 시계({_moment(setting.now, setting)}) 기준이에요.",
    )
    return Working(spoken_time(seconds, setting), (), note, value=seconds)


def _shifted(clause: Clause, setting: Setting) -> Working | None:
    spans = [one for one in quantities(clause) if one.unit.kind == "time"] if clause.numbers else []
    if not spans or not _SHIFT.search(clause.shape):
        return None
    if len(clause.numbers) != sum(max(1, len(one.parts)) for one in spans):
        return None
    if len(clause.times) != 1 or len(spans) != 1 or clause.days:
        return None if clause.times else _from_now(clause, spans, setting)
    start = clause.times[0]
    change = spans[0].value * factor(spans[0].unit)
    back = bool(
        _EARLIER.search(clause.shape[spans[0].end :] if spans[0].start < len(clause.shape) else "")
    )
    back = back or bool(re.search(r"\b(?:before|minus|subtract)\b", clause.shape, re.IGNORECASE))
    total = start.seconds + (-change if back else change)
    days = int(total // _DAY_SECONDS)
    note = _other_day(days, setting)
    step = f"{start.text} {'−' if back else '+'} {spans[0].shown(setting.language)}"
    return Working(_clock(total % _DAY_SECONDS, setting), (step,), note)


def _other_day(days: int, setting: Setting) -> str:
    if not days:
        return ""
    if abs(days) == 1:
        english = "The next day." if days > 0 else "The day before."
        return setting.say(english, "다음 날이에요." if days > 0 else "전날이에요.")
    english = f"{abs(days)} days {'later' if days > 0 else 'earlier'}."
    return setting.say(english, f"{abs(days)}일 {'뒤' if days > 0 else '전'}예요.")


def _from_now(clause: Clause, spans: list[Quantity], setting: Setting) -> Working | None:
    """Answer what time it will be in some hours."""
    if (
        len(spans) != 1
        or clause.days
        or not (_ASKS_TIME.search(clause.shape) or _FROM_NOW.search(clause.shape))
        or places.found(clause.text)
    ):
        return None
    seconds = spans[0].value * factor(spans[0].unit)
    if abs(seconds) > 10**9 or spans[0].unit.label not in {"hours", "minutes", "seconds"}:
        return None
    back = bool(re.search(r"\bago\b|전", clause.shape))
    moment = setting.now + timedelta(seconds=float(-seconds if back else seconds))
    return Working(
        _moment(moment, setting),
        (
            f"{_moment(setting.now, setting)} {'−' if back else '+'} "
            f"{spans[0].shown(setting.language)}",
        ),
    )


def _moment(moment: datetime, setting: Setting) -> str:
    seconds = moment.hour * 3600 + moment.minute * 60
    return (
        f"{short_text(moment.date(), setting)} {_clock(seconds, setting)} {moment.tzname() or ''}"
    ).strip()


def _now(clause: Clause, setting: Setting) -> Working | None:
    if clause.numbers or clause.times or clause.days or not _ASKS_TIME.search(clause.shape):
        return None
    found = places.found(clause.text)
    if len(found) == 1:
        moment = setting.now.astimezone(ZoneInfo(found[0][2]))
        return Working(f"{_named(found[0][3])}: {_moment(moment, setting)}")
    if found or not _HERE.search(clause.shape):
        return None
    note = setting.say(
        "I know the server's clock, not your time zone; name a city and I convert it.",
        "서버 시계 기준이에요. 도시 이름을 말하면 그곳 시각으로 바꿔 드려요.",
    )
    return Working(_moment(setting.now, setting), note=note)


def _named(place: str) -> str:
    return place.upper() if len(place) <= 4 and place.isascii() else place.title()


def _zones(clause: Clause, setting: Setting) -> Working | None:
    found = places.found(clause.text)
    if len(clause.times) != 1 or not 1 <= len(found) <= 2 or clause.numbers:
        return None
    if len(found) == 1:
        return None
    at = clause.text.find(clause.times[0].text)
    source, target = found
    # the zone nearest after or before the time is its own: 3pm New York in Seoul
    if abs(target[0] - at) < abs(source[0] - at) and not re.search(
        r"\b(?:in|to)\s*$", clause.text[: target[0]]
    ):
        source, target = target, source
    day = (
        clause.days[0].date
        if len(clause.days) == 1
        else setting.now.astimezone(ZoneInfo(source[2])).date()
    )
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(source[2])) + timedelta(
        seconds=clause.times[0].seconds
    )
    moment = start.astimezone(ZoneInfo(target[2]))
    lead = f"{_named(target[3])}: {_moment(moment, setting)}"
    step = f"{_named(source[3])}: {_moment(start, setting)}"
    return Working(
        lead,
        (step,),
        setting.say(f"Zones as of {day.isoformat()}.", f"{day.isoformat()} 기준 시간대예요."),
    )


def _difference(clause: Clause, setting: Setting) -> Working | None:
    found = places.found(clause.text)
    if len(found) != 2 or not _DIFFERENCE.search(clause.shape) or clause.times:
        return None
    moments = [setting.now.astimezone(ZoneInfo(zone)) for _, _, zone, _ in found]
    offsets = [moment.utcoffset() or timedelta() for moment in moments]
    gap = Fraction(int((offsets[0] - offsets[1]).total_seconds()))
    names = [_named(name) for _, _, _, name in found]
    if not gap:
        return Working(
            setting.say(
                f"{names[0]} and {names[1]} have the same time",
                f"{names[0]}, {names[1]}의 시각은 같아요",
            )
        )
    ahead, behind = names if gap > 0 else names[::-1]
    lead = setting.say(
        f"{ahead} is {spoken_time(abs(gap), setting)} ahead of {behind}",
        f"{ahead} 시각이 {behind}보다 {spoken_time(abs(gap), setting)} 빨라요",
    )
    steps = tuple(
        f"{name}: {_moment(moment, setting)}" for name, moment in zip(names, moments, strict=True)
    )
    return Working(lead, steps)


def _stamp(clause: Clause, setting: Setting) -> Working | None:
    if not _UNIX.search(clause.shape) or len(clause.numbers) != 1 or clause.days:
        return None
    value = clause.numbers[0].value
    if value.denominator != 1 or value < 0:
        return None
    seconds = value.numerator
    if seconds > _MOST_STAMP:
        seconds //= 1000  # milliseconds
    if seconds > _MOST_STAMP:
        return None
    moment = datetime.fromtimestamp(seconds, tz=ZoneInfo("UTC"))
    return Working(
        f"{moment.strftime('%Y-%m-%d %H:%M:%S')} UTC", (day_text(moment.date(), setting),)
    )
