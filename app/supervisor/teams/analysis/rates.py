"""Solving rates: distance, time and speed; size and bandwidth; power and energy; BMI."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.quantities import (
    PER_HUNDRED,
    Quantity,
    convert,
    factor,
    quantities,
    written,
)
from app.supervisor.teams.analysis.unit_names import Unit, aliases
from app.supervisor.teams.analysis.unit_sums import spoken_time
from app.supervisor.teams.analysis.working import Setting, Working, division_by_zero

_PACE = re.compile(r"\bpace\b|페이스", re.IGNORECASE)
_SPEED_ASKED = re.compile(
    r"speed|how fast|pace|km/h|mph|average|속력|속도|시속|초속|페이스|빠르", re.IGNORECASE
)
_BMI = re.compile(r"(?<![a-z])bmi(?![a-z])|체질량|비만도", re.IGNORECASE)
_FUEL = re.compile(
    r"fuel|gas|petrol|need|use|consum|how (?:much|many)|기름|연료|휘발유|얼마|몇", re.IGNORECASE
)
_MEETING = re.compile(r"\bmeet|toward|each other|apart|catch|만나|마주|따라잡", re.IGNORECASE)
_KILOWATT_PRICE = pattern(r"<N:price> ?(?:per|a|/) ?kwh|kwh ?(?:당|에) ?<N:won>")
_WORDED_RATE = {"length/time", "speed"}


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause that relates two quantities by a rate. Raises Refused for a zero rate."""
    found = quantities(clause)
    if _BMI.search(clause.shape):
        return _bmi(found, setting)
    if len(found) != 2 or _MEETING.search(clause.shape):
        return None
    if any(number.percent for number in clause.numbers):
        return None
    by_kind = {one.unit.kind: one for one in found}
    if len(by_kind) != 2:
        return None
    working = _energy(by_kind, clause, setting)
    spoken_for = sum(max(1, len(one.parts)) for one in found)
    spoken_for += len(PER_HUNDRED.findall(clause.shape))
    if working is not None or len(clause.numbers) != spoken_for:
        return working
    return (
        _travel(by_kind, clause, setting)
        or _transfer(by_kind, setting)
        or _fuel(by_kind, clause, setting)
        or _generic(found, setting)
    )


def _travel(kinds: dict[str, Quantity], clause: Clause, setting: Setting) -> Working | None:
    length, time, speed = (kinds.get(kind) for kind in ("length", "time", "speed"))
    language = setting.language
    if length and speed:
        seconds = _divided(length.value * factor(length.unit), speed.value * factor(speed.unit))
        step = f"{length.shown(language)} ÷ {speed.shown(language)} = {_hours(seconds, setting)}"
        return Working(_about_time(seconds, setting), (step,), value=seconds)
    if time and speed:
        unit = _distance_unit(speed.unit)
        value = time.value * factor(time.unit) * speed.value * factor(speed.unit) / factor(unit)
        shown = written(value, unit, language)
        step = f"{speed.shown(language)} × {time.shown(language)} {display.sign_of(value)} {shown}"
        about = "" if display.is_shown_exactly(value) else "≈ "
        return Working(f"{about}{shown}", (step,), value=value)
    if length and time and _SPEED_ASKED.search(clause.shape):
        return _speed(length, time, clause, setting)
    return None


def _speed(length: Quantity, time: Quantity, clause: Clause, setting: Setting) -> Working:
    language = setting.language
    rate = _divided(length.value * factor(length.unit), time.value * factor(time.unit))
    short = length.unit.label in {"m", "cm", "ft"} and time.unit.label == "seconds"
    asked = next((word for word in ("km/h", "m/s", "mph") if word in clause.shape.lower()), "")
    asked = asked or ("km/h" if "시속" in clause.shape else "m/s" if "초속" in clause.shape else "")
    short = short and not asked
    name = (
        asked or "m/s"
        if short or asked
        else ("mph" if length.unit.label in {"miles", "yd", "ft"} else "km/h")
    )
    unit = aliases()[name]
    value = rate / factor(unit)
    shown = f"{display.figure(value, 2)} {name}"
    steps = [f"{length.shown(language)} ÷ {time.shown(language)} {display.sign_of(value)} {shown}"]
    if short:
        other = rate / factor(aliases()["km/h"])
        steps.append(f"{shown} × 3.6 {display.sign_of(other)} {display.figure(other, 2)} km/h")
    if _PACE.search(clause.shape):
        each = _divided(time.value * factor(time.unit), length.value)
        spoken = spoken_time(Fraction(round(each)), setting)
        pace = setting.say(
            f"{spoken} per {length.unit.label.removesuffix('s')}",
            f"{length.unit.korean}당 {spoken}",
        )
        return Working(pace, tuple(steps), value=each)
    return Working(
        f"{'' if display.sign_of(value) == '=' else '≈ '}{shown}", tuple(steps), value=value
    )


def _distance_unit(speed: Unit) -> Unit:
    name = {"mph": "mile", "knots": "nautical mile", "m/s": "m", "ft/s": "ft", "Mach": "km"}.get(
        speed.label, "km"
    )
    if speed.label.startswith(("m/", "cm/")):
        name = "m"
    if speed.label.startswith("mile"):
        name = "mile"
    return aliases()[name]


def _divided(top: Fraction, below: Fraction) -> Fraction:
    if not below:
        raise division_by_zero()
    return top / below


def _about_time(seconds: Fraction, setting: Setting) -> str:
    whole = Fraction(round(seconds)) if seconds >= 60 else seconds
    exact = whole == seconds and display.terminates(seconds, 2)
    return f"{'' if exact else '≈ '}{spoken_time(whole, setting)}"


def _hours(seconds: Fraction, setting: Setting) -> str:
    for size, name in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            return written(seconds / size, aliases()[name], setting.language)
    return ""


def _transfer(kinds: dict[str, Quantity], setting: Setting) -> Working | None:
    size, rate, time = (kinds.get(kind) for kind in ("data", "rate", "time"))
    language = setting.language
    if size and rate:
        bits, speed = size.value * factor(size.unit), rate.value * factor(rate.unit)
        seconds = _divided(bits, speed)
        million = bits / 10**6
        steps = (
            f"{size.shown(language)} = {display.figure(million)} Mbit (1 "
            f"{setting.say('byte', '바이트')} = 8 bit)",
            f"{display.figure(million)} Mbit ÷ {display.figure(speed / 10**6)} Mbit/s "
            f"{display.sign_of(seconds)} {display.figure(seconds)} s",
        )
        note = setting.say(
            "At the full rate, without overhead.",
            "속도가 끝까지 유지되고 부가 데이터가 없다고 봤어요.",
        )
        return Working(_about_time(seconds, setting), steps, note, value=seconds)
    if rate and time:
        bits = rate.value * factor(rate.unit) * time.value * factor(time.unit)
        unit = next(
            (
                aliases()[name]
                for name in ("TB", "GB", "MB", "KB")
                if bits >= factor(aliases()[name])
            ),
            aliases()["byte"],
        )
        value = bits / factor(unit)
        step = (
            f"{rate.shown(language)} × {time.shown(language)} ÷ 8 {display.sign_of(value)} "
            f"{written(value, unit, language)}"
        )
        return Working(written(value, unit, language), (step,), value=value)
    if size and time:
        unit = aliases()["Mbps"]
        value = _divided(size.value * factor(size.unit), time.value * factor(time.unit)) / factor(
            unit
        )
        shown = f"{display.figure(value, 3)} Mbps"
        return Working(
            shown,
            (
                f"{size.shown(language)} × 8 ÷ {time.shown(language)} {display.sign_of(value)} "
                f"{shown}",
            ),
            value=value,
        )
    return None


def _energy(kinds: dict[str, Quantity], clause: Clause, setting: Setting) -> Working | None:
    power, time = kinds.get("power"), kinds.get("time")
    if not power or not time:
        return None
    unit = aliases()["kWh"]
    value = power.value * factor(power.unit) * time.value * factor(time.unit) / factor(unit)
    language = setting.language
    shown = written(value, unit, language)
    steps = [f"{power.shown(language)} × {time.shown(language)} {display.sign_of(value)} {shown}"]
    price = _KILOWATT_PRICE.search(clause.shape)
    if price is None:
        return Working(shown, tuple(steps), value=value) if len(clause.numbers) == 2 else None
    each = clause.number(price["price"] or price["won"])
    cost = value * each.value
    total = display.money(cost, each.currency)
    steps.append(
        f"{display.figure(value)} × {display.money(each.value, each.currency)} "
        f"{display.money_sign(cost, each.currency)} {total}"
    )
    about = "" if display.money_sign(cost, each.currency) == "=" else "≈ "
    return Working(f"{about}{total}", tuple(steps), value=cost)


def _fuel(kinds: dict[str, Quantity], clause: Clause, setting: Setting) -> Working | None:
    length = kinds.get("length")
    economy = kinds.get("fuel") or kinds.get("use")
    if not length or not economy or not _FUEL.search(clause.shape):
        return None
    unit = aliases()["gallon" if economy.unit.label == "mpg" else "liter"]
    meters = length.value * factor(length.unit)
    rate = economy.value * factor(economy.unit)
    volume = meters * rate if economy.unit.kind == "use" else _divided(meters, rate)
    value = volume / factor(unit)
    language = setting.language
    shown = written(value, unit, language)
    mark = "×" if economy.unit.kind == "use" else "÷"
    return Working(
        f"{'' if display.sign_of(value) == '=' else '≈ '}{shown}",
        (
            f"{length.shown(language)} {mark} {economy.shown(language)} {display.sign_of(value)} "
            f"{shown}",
        ),
        value=value,
    )


def _generic(found: list[Quantity], setting: Setting) -> Working | None:
    """Divide an amount by a rate of the same thing: 300 L at 20 L/min."""
    for amount, rate in (found, found[::-1]):
        top, slash, below = rate.unit.kind.partition("/")
        if not slash or top != amount.unit.kind or below != "time":
            continue
        seconds = _divided(amount.value * factor(amount.unit), rate.value * factor(rate.unit))
        step = (
            f"{amount.shown(setting.language)} ÷ {rate.shown(setting.language)} = "
            f"{_hours(seconds, setting)}"
        )
        return Working(_about_time(seconds, setting), (step,), value=seconds)
    return None


def _bmi(found: list[Quantity], setting: Setting) -> Working | None:
    by_kind = {one.unit.kind: one for one in found}
    mass, length = by_kind.get("mass"), by_kind.get("length")
    if not mass or not length:
        return None
    kilograms = convert(mass.value, mass.unit, aliases()["kg"])
    meters = convert(length.value, length.unit, aliases()["m"])
    value = _divided(kilograms, meters * meters)
    shown = display.rounded(value, 1)
    step = f"{display.figure(kilograms)} kg ÷ ({display.figure(meters)} m)² ≈ {shown}"
    note = setting.say("A figure, not a diagnosis.", "수치일 뿐 진단이 아니에요.")
    return Working(f"BMI ≈ {shown}", (step,), note, value=value)
