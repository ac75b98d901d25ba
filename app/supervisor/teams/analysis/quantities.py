"""Quantities in a clause: numbers with their units, and conversion between units."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.unit_names import Unit, aliases
from app.supervisor.teams.analysis.working import Refused

_AFTER_SYLLABLE = (
    r"(?=$|[^가-힣]|은|는|이|가|을|를|의|로|으로|에|당|짜리|이면|면|만|정도|쯤|동안|간|야|과|와"
    r"|하고|마다|인데|일까|예요|입니|라고|보다|부터|후|뒤|전|지|남)"
)
_FIRST_WORD = 3  # shorter spellings are symbols, whose case matters
_RATIOS = {"length/time": "speed", "data/time": "rate"}
_BEFORE = re.compile(
    r"(섭씨|화씨|시속|초속|분속|영하|절대온도|minus|negative|below)\s?-?\s?$", re.IGNORECASE
)
_INCH_AS_WORD = re.compile(
    r"\s?(?:\b(?:to|into|as|in|and|plus|minus)\b|[-+=]|→|->|[?.,;)]|$|은|는|을|를)"
)
PER_HUNDRED = re.compile(
    r"(?:l|liters?|litres?) ?(?:/|per) ?[\U000f0000-\U000f7fff] ?(?:km\b|kilomet\w+)", re.IGNORECASE
)
_AND_HALF = re.compile(r"\s?반(?![가-힣]*[올대원])| and a half\b", re.IGNORECASE)
_PER = re.compile(r"\s?(?:/|\bper\b|\bevery\b)\s?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, where it stands in the shape."""

    value: Fraction
    unit: Unit
    start: int
    end: int
    parts: tuple[tuple[Fraction, Unit], ...] = ()  # 5 ft 11 in

    def shown(self, language: str) -> str:
        """Return the quantity for a person to read."""
        pieces = self.parts or ((self.value, self.unit),)
        return " ".join(written(value, unit, language) for value, unit in pieces)


def written(value: Fraction, unit: Unit, language: str) -> str:
    """Return a value with its unit."""
    label = unit.korean if language == "ko" else unit.label
    if language != "ko" and abs(value) == 1:
        label = _SINGULAR.get(label, label.removesuffix("s") if len(label) > 4 else label)
    glued = label[0] == "°" or "가" <= label[0] <= "힣"
    shown = display.figure(value, 2 if unit.kind == "temperature" else 6)
    return f"{shown}{'' if glued else ' '}{label}"


_SINGULAR = {
    "centuries": "century",
    "inches": "inch",
    "days": "day",
    "cups": "cup",
    "cubic feet": "cubic foot",
    "fps": "fps",
    "gallons": "gallon",
}


@cache
def _matchers() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    known = sorted(aliases(), key=len, reverse=True)
    latin = [word for word in known if not _is_korean(word)]
    korean = [word for word in known if _is_korean(word)]
    flexible = {word: re.escape(word).replace("\\ ", "[ -]?") for word in known}
    symbols = "|".join(flexible[word] for word in latin)
    words = "|".join(flexible[word] for word in latin if len(word) >= _FIRST_WORD)
    hangul = "|".join(
        flexible[word] + (_AFTER_SYLLABLE if len(word) == 1 else "") for word in korean
    )
    end = r"(?![A-Za-z0-9_])"
    return (
        re.compile(f"(?:{symbols}){end}"),
        re.compile(f"(?:{words}){end}", re.IGNORECASE),
        re.compile(f"(?:{hangul})"),
    )


def _is_korean(word: str) -> bool:
    return "가" <= word[0] <= "힣"


@cache
def _lowered() -> dict[str, Unit]:
    return {
        word.lower().replace(" ", ""): unit
        for word, unit in reversed(aliases().items())
        if len(word) >= _FIRST_WORD
    }


def unit_at(shape: str, start: int) -> tuple[int, Unit] | None:
    """Return the end and the unit that stands at ``start`` of a shape, composite ones included."""
    if match := PER_HUNDRED.match(shape, start):  # its hundred is an atom of its own
        return match.end(), aliases()["L/100km"]
    found = _simple_unit_at(shape, start)
    if found is None:
        return None
    end, unit = found
    if (per := _PER.match(shape, end)) and (below := _simple_unit_at(shape, per.end())):
        return below[0], ratio(unit, below[1])
    return end, unit


def ratio(top: Unit, below: Unit) -> Unit:
    """Return the unit of one thing per another."""
    kind = f"{top.kind}/{below.kind}"
    label = f"{top.label}/{below.label.removesuffix('s') if len(below.label) > 3 else below.label}"
    return Unit(
        _RATIOS.get(kind, kind),
        f"({top.pint})/({below.pint})",
        label,
        f"{top.korean}/{below.korean}",
        top.scale / below.scale,
    )


def _simple_unit_at(shape: str, start: int) -> tuple[int, Unit] | None:
    exact_case, any_case, hangul = _matchers()
    for matcher in (exact_case, any_case, hangul):
        match = matcher.match(shape, start)
        if match is None:
            continue
        word = match.group()
        unit = (
            aliases().get(word)
            or aliases().get(word.replace("-", " "))
            or _lowered().get(re.sub("[ -]", "", word).lower())
        )
        if unit is not None and not (word == "in" and not _INCH_AS_WORD.match(shape, match.end())):
            return match.end(), unit
    return None


def quantities(clause: Clause) -> list[Quantity]:
    """Return the quantities of a clause in order; 5 ft 11 in is one."""
    found: list[Quantity] = []
    for one in _single(clause):
        before = found[-1] if found else None
        between = clause.shape[before.end : one.start] if before else ""
        if before and between.strip(" ,") in {"", "and"} and _continues(before, one):
            found[-1] = _merged(before, one)
        else:
            found.append(one)
    return found


def _continues(before: Quantity, one: Quantity) -> bool:
    last = (before.parts or ((before.value, before.unit),))[-1][1]
    chains = {"length", "mass", "time", "angle"}
    same = one.unit.kind == last.kind and last.kind in chains
    return same and factor(one.unit) < factor(last)


def _merged(before: Quantity, one: Quantity) -> Quantity:
    parts = before.parts or ((before.value, before.unit),)
    more = one.value * factor(one.unit) / factor(before.unit)
    return Quantity(
        before.value + more, before.unit, before.start, one.end, (*parts, (one.value, one.unit))
    )


def _single(clause: Clause) -> Iterator[Quantity]:
    shape = clause.shape
    last: Unit | None = None
    hundreds = {index for match in PER_HUNDRED.finditer(shape) for index in range(*match.span())}
    for index, character in enumerate(shape):
        atom = clause.atoms.get(character)
        if not isinstance(atom, Number) or atom.percent or index in hundreds:
            continue
        before = _BEFORE.search(shape, max(0, index - 10), index)
        word = before.group(1).lower() if before else ""
        value = (
            atom.value if word not in {"영하", "minus", "negative", "below"} else -abs(atom.value)
        )
        if word == "below" and "zero" in shape:
            value = -abs(atom.value)
        position = index + 1
        blank = 1 if shape[position : position + 1] in {" ", "-"} else 0
        found = _quoted(shape, position) or unit_at(shape, position + blank)
        if found is None:
            continue
        end, unit = found
        if half := _AND_HALF.match(shape, end):
            value, end = value + Fraction(1, 2), half.end()
        unit = _prefixed(word, unit, shape)
        if (
            unit.kind == "length"
            and unit.label == "m"
            and last is not None
            and last.label == "hours"
        ):
            unit = aliases()["minute"]
        yield Quantity(value, unit, before.start() if before else index, end)
        last = unit


def _quoted(shape: str, start: int) -> tuple[int, Unit] | None:
    """Read 5'11" as feet and inches."""
    mark = shape[start : start + 1]
    if mark == "'" and re.match(
        r"'\s?[\U000f0000-\U000f7fff]\s?\"|'\s?(?:\b(?:to|in)\b|$)", shape[start:]
    ):
        return start + 1, aliases()["foot"]
    if mark == '"' and '"' not in shape[start + 1 :]:
        return start + 1, aliases()["inch"]
    return None


def _prefixed(word: str, unit: Unit, shape: str) -> Unit:
    known = aliases()
    if unit.korean == "도":
        if word == "화씨":
            return known["화씨"]
        if word in {"섭씨", "영하"} or re.search(r"화씨|섭씨|기온|온도|체온", shape):
            return known["섭씨"]
    speeds = {"시속": "hour", "분속": "minute", "초속": "second"}
    if word in speeds and unit.kind == "length":
        made = ratio(unit, known[speeds[word]])
        return (
            known["km/h"]
            if made.label == "km/hour"
            else known["m/s"]
            if made.label == "m/second"
            else made
        )
    return unit


@cache
def _registry() -> Any:
    """Build pint's registry once, with exact fractions; takes about 0.4 s with the import."""
    import pint  # noqa: PLC0415 - slow to import, and many runs need no units

    return pint.UnitRegistry(non_int_type=Fraction)


@cache
def factor(unit: Unit) -> Fraction:
    """Return how many of its kind's base units one unit is."""
    registry = _registry()
    magnitude = (
        registry.Quantity(Fraction(1), registry.parse_units(unit.pint)).to_base_units().magnitude
    )
    return Fraction(magnitude) * unit.scale


def convert(value: Fraction, source: Unit, target: Unit) -> Fraction:
    """Return a value in another unit, exactly.

    Raises Refused when the units measure different things.
    """
    if source.kind == target.kind == "temperature":
        registry = _registry()
        result = registry.Quantity(value, source.pint).to(target.pint).magnitude
        return Fraction(result)
    if {source.kind, target.kind} == {"fuel", "use"}:
        if not value:
            raise mismatch(source, target)
        return 1 / (value * factor(source) * factor(target))
    if source.kind != target.kind:
        raise mismatch(source, target)
    return value * factor(source) / factor(target)


def mismatch(source: Unit, target: Unit) -> Refused:
    """Make the refusal of a conversion between two kinds of thing."""
    return Refused(
        "unit_mismatch",
        f"{_KINDS.get(source.kind, source.label)[0].capitalize()} ({source.label}) cannot be "
        f"converted to "
        f"{_KINDS.get(target.kind, (target.label,))[0]} ({target.label}).",
        f"{source.korean}({_KINDS.get(source.kind, ('', source.kind))[1]})에서 "
        f"{target.korean}({_KINDS.get(target.kind, ('', target.kind))[1]})(으)로는 바꿀 수 "
        f"없어요. 서로 다른 양이에요.",
    )


_KINDS = {
    "length": ("length", "길이"),
    "mass": ("mass", "무게"),
    "volume": ("volume", "부피"),
    "area": ("area", "넓이"),
    "temperature": ("temperature", "온도"),
    "time": ("time", "시간"),
    "speed": ("speed", "속력"),
    "energy": ("energy", "에너지"),
    "power": ("power", "일률"),
    "pressure": ("pressure", "압력"),
    "force": ("force", "힘"),
    "angle": ("angle", "각도"),
    "frequency": ("frequency", "진동수"),
    "data": ("data size", "데이터 크기"),
    "rate": ("data rate", "전송 속도"),
    "fuel": ("fuel economy", "연비"),
    "use": ("fuel use", "연료 소비"),
}
