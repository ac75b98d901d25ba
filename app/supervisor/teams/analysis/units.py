"""Solving conversions between units, sums of quantities and comparisons of them."""

import re
from dataclasses import replace
from fractions import Fraction

from app.supervisor.teams.analysis import cooking, display
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.quantities import (
    PER_HUNDRED,
    Quantity,
    convert,
    factor,
    mismatch,
    quantities,
    ratio,
    unit_at,
    written,
)
from app.supervisor.teams.analysis.unit_names import Unit, aliases
from app.supervisor.teams.analysis.unit_sums import TO, comparison, spoken_time, sum_of
from app.supervisor.teams.analysis.working import Setting, Working

_HOW_MANY = re.compile(
    r"\b(?:how (?:many|much)|what(?:'s| is)?|number of)\s(?:in )?(?:the )?", re.IGNORECASE
)


_HOW_KOREAN = re.compile(r"몇\s?|얼마나? ?|어느 정도 ?")


_AND_ALSO = re.compile(r"\b(?:and|or)\s|,\s|[와과]\s", re.IGNORECASE)
_ONE = re.compile(r"\b(?:an?|one|per|each|every)\s|\bin (?:a|an|one)?\s?|한\s|\b1\s", re.IGNORECASE)


_ASKS = re.compile(
    r"convert|how (?:many|much|long|far|tall|heavy|big|old|fast)|what|\bin\b|\bto\b|into|=|->|→"
    r"|equals?|equivalent|바꿔|변환|환산|몇|얼마|로\b|로는|으로|어느|단위",
    re.IGNORECASE,
)


_COUNTERPARTS = {
    "km": "mile",
    "miles": "km",
    "m": "ft",
    "ft": "m",
    "cm": "inch",
    "in": "cm",
    "kg": "lb",
    "lb": "kg",
    "g": "oz",
    "oz": "g",
    "°C": "F",
    "°F": "C",
    "L": "gallon",
    "gallons": "liter",
    "m²": "평",
    "pyeong": "m2",
    "km/h": "mph",
    "mph": "km/h",
    "mm": "inch",
    "yd": "m",
    "acres": "m2",
    "hectares": "acre",
    "cups": "ml",
    "tbsp": "ml",
    "tsp": "ml",
    "근": "g",
    "되": "liter",
    "돈": "g",
    "mL": "fl oz",
    "GiB": "GB",
    "GB": "GiB",
    "sq ft": "m2",
}


_LEAP_YEAR = re.compile(r"\bleap years?\b|윤년", re.IGNORECASE)


_A_LEAP_YEAR = Unit("time", "day", "leap year", "윤년", Fraction(366))


_KOREAN_SPEED = re.compile(r"(시속|초속|분속)(?:으로)?\s?(?:은|는)?\s?(?:몇|얼마)?\s?")


_LONGEST_CLAUSE = 1_000


def solve(clause: Clause, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    """Solve a clause about units. Raises Refused when the two units do not fit."""
    if len(clause.shape) > _LONGEST_CLAUSE:
        return None
    found = quantities(clause)
    if len(found) > 1 and len({one.unit.kind for one in found}) == 1:
        return sum_of(clause, found, setting) or comparison(clause, found, setting)
    if len(found) > 1:
        return None
    if not found:
        found = _implied(clause)
    if not found or not _ASKS.search(clause.shape):
        return None
    others = [n for n in clause.numbers if n.currency or n.percent]
    spare = len(PER_HUNDRED.findall(clause.shape))
    if others or len(clause.numbers) > max(1, len(found[0].parts)) + spare:
        return None
    target = _target(clause, found[0])
    if target is None:
        return _without_target(clause, found[0], setting)
    working = conversion(clause, found[0], target, setting)
    return _with_second(clause, found[0], target, working, setting)


def _with_second(
    clause: Clause, quantity: Quantity, target: Unit, working: Working, setting: Setting
) -> Working:
    """Add another unit that is asked for too: in fahrenheit and kelvin."""
    for match in _AND_ALSO.finditer(clause.shape, quantity.end):
        found = unit_at(clause.shape, match.end())
        if found is None or found[1] in (target, quantity.unit):
            continue
        if found[1].kind == target.kind == quantity.unit.kind:
            more = conversion(clause, quantity, found[1], setting)
            steps = (*working.steps, *more.steps)
            return replace(working, lead=f"{working.lead}; {more.lead}", steps=steps)
    return working


def _implied(clause: Clause) -> list[Quantity]:
    """Find "a mile", "한 근", "seconds in a day": one of a unit without a number."""
    shape = clause.shape
    if clause.numbers:
        return []
    if match := _LEAP_YEAR.search(shape):
        return [Quantity(Fraction(1), _A_LEAP_YEAR, match.start(), match.end())]
    for match in _ONE.finditer(shape):
        found = unit_at(shape, match.end())
        if found and found[0] - match.end() >= (1 if found[1].korean[:1] >= "가" else 2):
            return [Quantity(Fraction(1), found[1], match.start(), found[0])]
    return []


def _target(clause: Clause, quantity: Quantity) -> Unit | None:
    """Return the unit asked for, or None when none is named."""
    shape = clause.shape
    outside = [(0, quantity.start), (quantity.end, len(shape))]
    candidates: list[tuple[int, Unit]] = []
    if quantity.unit.kind == "speed":
        for match in _KOREAN_SPEED.finditer(shape, quantity.end):
            top = unit_at(shape, match.end())
            times = {"시속": "hour", "분속": "minute", "초속": "second"}
            usual = aliases()["km/h" if match.group(1) == "시속" else "m/s"]
            known = {("시속", "km"): "km/h", ("초속", "m"): "m/s"}
            if top is None or (match.group(1), top[1].label) in known:
                return usual
            return ratio(top[1], aliases()[times[match.group(1)]])
    for lead in (_HOW_MANY, TO, _HOW_KOREAN):
        ends = [match.end() for match in lead.finditer(shape)]
        candidates += [
            (end, found[1])
            for end in ends
            if any(low <= end < high for low, high in outside) and (found := unit_at(shape, end))
        ]
    fitting = [
        unit for _, unit in candidates if _fits(quantity.unit, unit) and unit != quantity.unit
    ]
    if fitting:
        return fitting[0]
    named = _named_targets(clause, quantity)
    fitting = [unit for unit in named if _fits(quantity.unit, unit) and unit != quantity.unit]
    if fitting:
        return fitting[-1]
    strangers = [unit for _, unit in candidates if unit != quantity.unit]
    explicit = re.search(r"convert|바꿔|변환|환산|\b(?:to|into)\b", shape, re.IGNORECASE)
    if strangers and explicit:
        return strangers[-1]
    same = [unit for _, unit in candidates if unit == quantity.unit]
    return same[0] if same and explicit else None


def _fits(source: Unit, target: Unit) -> bool:
    pair = {source.kind, target.kind}
    return len(pair) == 1 or pair in ({"fuel", "use"}, {"volume", "mass"})


def _named_targets(clause: Clause, quantity: Quantity) -> list[Unit]:
    """Return the units that stand alone outside the quantity: 30평 제곱미터로."""
    shape = clause.shape
    found: list[Unit] = []
    for match in re.finditer(r"(?<![A-Za-z가-힣\U000f0000-\U000fffff])(?=[A-Za-z가-힣°℃])", shape):
        if quantity.start <= match.start() < quantity.end:
            continue
        unit = unit_at(shape, match.start())
        if unit and (unit[0] - match.start() > 1 or shape[match.start()] >= "가"):
            found.append(unit[1])
    return found


def conversion(clause: Clause, quantity: Quantity, target: Unit, setting: Setting) -> Working:
    """Convert a quantity and show the factor."""
    if {quantity.unit.kind, target.kind} == {"volume", "mass"}:
        made = cooking.weigh(clause.shape, quantity, target, setting)
        if made is None:
            raise mismatch(quantity.unit, target)
        return made
    value = convert(quantity.value, quantity.unit, target)
    language = setting.language
    start, end = quantity.shown(language), _in_target(value, target, language)
    exact = "π" if {quantity.unit.kind} == {"angle"} else ""
    sign = display.sign_of(value, exact=not exact)
    notes = [
        setting.say(unit.note, unit.korean_note)
        for unit in (quantity.unit, target)
        if (unit.note or unit.korean_note)
    ]
    if _counts_calendar(quantity.unit, target):
        notes = []
    steps = _steps(quantity, target, value, setting)
    note = " ".join(dict.fromkeys(one for one in notes if one))
    return Working(f"{start} {sign} {end}", steps, note, value=value)


def _counts_calendar(source: Unit, target: Unit) -> bool:
    """Tell whether the answer does not depend on how long a year is: months in a year."""
    labels = {source.label, target.label}
    return labels <= {"years", "months", "decades", "centuries"}


def _in_target(value: Fraction, target: Unit, language: str) -> str:
    if (
        target.label in {"ft", "in"}
        and target.label == "ft"
        and value.denominator != 1
        and value > 1
    ):
        feet, rest = divmod(value, 1)
        inches = rest * 12
        shown = (
            f"{display.figure(inches)}"
            if display.terminates(inches, 2)
            else display.rounded(inches, 1)
        )
        whole = written(value, target, language)
        return f"{whole} ({feet}′ {shown}″)"
    return written(value, target, language)


def _steps(quantity: Quantity, target: Unit, value: Fraction, setting: Setting) -> tuple[str, ...]:
    language = setting.language
    if target.kind == "temperature":
        return (_temperature(quantity, target, value),)
    if {quantity.unit.kind, target.kind} == {"fuel", "use"}:
        return ()
    steps: list[str] = []
    if quantity.parts:
        exact_parts = [factor(unit) / factor(target) for _, unit in quantity.parts]
        if all(display.is_shown_exactly(part) for part in exact_parts):
            terms = [
                f"{display.figure(amount)} × {display.figure(part)}"
                for (amount, _), part in zip(quantity.parts, exact_parts, strict=True)
            ]
            return (f"{' + '.join(terms)} {display.sign_of(value)} {display.figure(value)}",)
        total = written(quantity.value, quantity.unit, language)
        steps.append(f"{quantity.shown(language)} {display.sign_of(quantity.value)} {total}")
    one = factor(quantity.unit) / factor(target)
    if _reads_better(one):
        sign, shown = display.sign_of(one), display.figure(one)
        steps.append(
            f"{written(Fraction(1), quantity.unit, language)} {sign} "
            f"{written(one, target, language)}"
        )
        joined = f"{display.figure(quantity.value)} × {shown}"
    else:
        back = 1 / one
        sign, shown = display.sign_of(back), display.figure(back)
        steps.append(
            f"{written(Fraction(1), target, language)} {sign} "
            f"{written(back, quantity.unit, language)}"
        )
        joined = f"{display.figure(quantity.value)} ÷ {shown}"
    if quantity.value == 1:
        return () if steps[-1].startswith(quantity.shown(language)) else tuple(steps)
    whole = display.is_shown_exactly(one) or display.is_shown_exactly(1 / one)
    whole = whole and display.is_shown_exactly(quantity.value)
    steps.append(f"{joined} {display.sign_of(value, exact=whole)} {display.figure(value)}")
    if quantity.unit.kind == "time" and quantity.value.denominator == 1:
        chain = _time_chain(quantity, target)
        steps = [chain] if chain else steps
    return tuple(steps)


def _reads_better(one: Fraction) -> bool:
    """Tell whether to multiply by a factor rather than divide by its inverse."""
    if display.is_shown_exactly(one) != display.is_shown_exactly(1 / one):
        return display.is_shown_exactly(one)
    return one >= 1


def _time_chain(quantity: Quantity, target: Unit) -> str:
    """Write 3 days in seconds as 3 × 24 × 60 × 60."""
    order = ["weeks", "days", "hours", "minutes", "seconds"]
    sizes = {"weeks": 7, "days": 24, "hours": 60, "minutes": 60}
    if quantity.parts or quantity.unit.label not in order or target.label not in order:
        return ""
    first, last = order.index(quantity.unit.label), order.index(target.label)
    if first >= last:
        return ""
    factors = [f"{sizes[name]}" for name in order[first:last]]
    total = display.figure(convert(quantity.value, quantity.unit, target))
    return f"{display.figure(quantity.value)} × {' × '.join(factors)} = {total}"


def _temperature(quantity: Quantity, target: Unit, value: Fraction) -> str:
    shown, end = display.figure(quantity.value), display.figure(value, 2)
    sign = display.sign_of(value)
    held = f"({shown})" if quantity.value < 0 else shown
    pair = (quantity.unit.label, target.label)
    formulas = {
        ("°F", "°C"): f"({shown} − 32) × 5/9",
        ("°C", "°F"): f"{held} × 9/5 + 32",
        ("°C", "K"): f"{shown} + 273.15",
        ("K", "°C"): f"{shown} − 273.15",
        ("°F", "K"): f"({shown} − 32) × 5/9 + 273.15",
        ("K", "°F"): f"({shown} − 273.15) × 9/5 + 32",
    }
    return f"{formulas.get(pair, shown)} {sign} {end}"


def _without_target(clause: Clause, quantity: Quantity, setting: Setting) -> Working | None:
    if quantity.unit.kind == "time" and re.search(
        r"how long|얼마나|며칠|how (?:is|does)|몇 시간 몇|human", clause.shape, re.IGNORECASE
    ):
        return Working(
            f"{quantity.shown(setting.language)} = "
            f"{spoken_time(quantity.value * factor(quantity.unit), setting)}"
        )
    if not re.search(
        r"convert|변환|환산|바꿔|in (?:metric|imperial)|미터법", clause.shape, re.IGNORECASE
    ):
        return None
    name = _COUNTERPARTS.get(quantity.unit.label)
    return conversion(clause, quantity, aliases()[name], setting) if name else None
