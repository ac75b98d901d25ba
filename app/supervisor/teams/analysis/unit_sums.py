"""Sums and comparisons of quantities, and lengths of time in words."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction
from itertools import pairwise

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.quantities import (
    Quantity,
    convert,
    factor,
    unit_at,
    written,
)
from app.supervisor.teams.analysis.unit_names import Unit, aliases
from app.supervisor.teams.analysis.working import Setting, Working

TO = re.compile(
    r"(?:\b(?:to|in|into|as)\b|->|→|=>|=)\s?(?:how many |the |a |an |degrees? |decimal )?",
    re.IGNORECASE,
)


_COMPARE = re.compile(
    r"which|\bis\b|compare|longer|heavier|bigger|larger|greater|smaller|lighter|shorter|hotter"
    r"|colder|faster|slower|more\b|less\b|보다|비교|어느|무거|가벼|길|짧|크|작|빠르|느리|높|낮"
    r"|더\s",
    re.IGNORECASE,
)


_SMALLER = re.compile(
    r"smaller|lighter|shorter|colder|slower|\bless\b|가벼|짧|작|느리|낮", re.IGNORECASE
)


_SUMS = re.compile(
    r"\+|\bplus\b|\bminus\b|\btotal\b|\bsum\b|\badd\b| - |더하|더한|합|빼|뺀|총|모두", re.IGNORECASE
)


def _asked_after(clause: Clause, last: Quantity) -> Unit | None:
    """Return the unit asked for after the last quantity: … in minutes."""
    for match in TO.finditer(clause.shape, last.end):
        if found := unit_at(clause.shape, match.end()):
            return found[1]
    return None


def spoken_time(seconds: Fraction, setting: Setting) -> str:
    """Return a length of time in days, hours, minutes and seconds."""
    if seconds < 0:
        return f"-{spoken_time(-seconds, setting)}"
    pieces: list[str] = []
    rest = seconds
    for size, english, korean in (
        (86400, "day", "일"),
        (3600, "hour", "시간"),
        (60, "minute", "분"),
    ):
        count, rest = divmod(rest, size)
        if count:
            plural = "s" if count != 1 else ""
            pieces.append(setting.say(f"{count:,} {english}{plural}", f"{count:,}{korean}"))
    if rest or not pieces:
        shown = (
            display.figure(rest)
            if rest.denominator == 1
            else display.trimmed(display.rounded(rest, 2))
        )
        plural = "s" if shown != "1" else ""
        pieces.append(setting.say(f"{shown} second{plural}", f"{shown}초"))
    return " ".join(pieces)


def sum_of(clause: Clause, found: list[Quantity], setting: Setting) -> Working | None:
    if not _SUMS.search(clause.shape) or found[0].unit.kind == "temperature":
        return None
    if len(clause.numbers) != sum(max(1, len(one.parts)) for one in found):
        return None
    language = setting.language
    total = found[0].value * factor(found[0].unit)
    text = found[0].shown(language)
    korean_minus = re.search(r"에서.*(?:빼|뺀)", clause.shape)
    for before, one in pairwise(found):
        between = clause.shape[before.end : one.start]
        minus = bool(korean_minus) or bool(re.search(r"-|minus|빼기", between, re.IGNORECASE))
        total += (-1 if minus else 1) * one.value * factor(one.unit)
        text += f" {'−' if minus else '+'} {one.shown(language)}"
    target = _asked_after(clause, found[-1])
    if target is not None and target.kind == found[0].unit.kind:
        value = total / factor(target)
        return Working(
            f"{text} {display.sign_of(value)} {written(value, target, language)}", value=value
        )
    if found[0].unit.kind == "time":
        return Working(f"{text} = {spoken_time(total, setting)}", value=total)
    unit = found[0].unit
    if unit.label in {"ft", "in"}:
        inches = total / factor(aliases()["inch"])
        feet, rest = divmod(inches, 12)
        return Working(f"{text} = {feet} ft {display.figure(rest)} in", value=total / factor(unit))
    value = total / factor(unit)
    return Working(f"{text} {display.sign_of(value)} {written(value, unit, language)}", value=value)


def comparison(clause: Clause, found: list[Quantity], setting: Setting) -> Working | None:
    if len(found) != 2 or not _COMPARE.search(clause.shape):
        return None
    first, second = found
    language = setting.language
    back = convert(second.value, second.unit, first.unit)
    sign = "=" if back == first.value else (">" if first.value > back else "<")
    same = f"{second.shown(language)} {display.sign_of(back)} {written(back, first.unit, language)}"
    winner = first if first.value > back else second
    if _SMALLER.search(clause.shape):
        winner = second if winner is first else first
    if sign == "=":
        lead = setting.say("They are equal", "둘은 같아요")
    else:
        word = _SMALLER.search(clause.shape)
        lead = setting.say(
            f"{winner.shown(language)} is the {'smaller' if word else 'larger'}",
            f"{winner.shown(language)} 쪽이 더 {'작아요' if word else '커요'}",
        )
    relation = f"{first.shown(language)} {sign} {second.shown(language)}"
    if _yes_no(clause):
        true = winner is first and sign != "="
        lead = setting.say(
            f"{'Yes' if true else 'No'}: {relation}", f"{'네' if true else '아니요'}: {relation}"
        )
        return Working(lead, (same,))
    steps = (same,) if first.unit == second.unit else (same, relation)
    return Working(lead, steps if first.unit != second.unit else (relation,))


def _yes_no(clause: Clause) -> bool:
    return bool(re.match(r"\s*(?:is|are|isn't)\b", clause.shape, re.IGNORECASE))
