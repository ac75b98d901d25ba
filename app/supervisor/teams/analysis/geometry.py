"""Solving plain shapes: areas, perimeters, volumes, the sides of a right triangle."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.quantities import quantities
from app.supervisor.teams.analysis.working import Setting, Working

_ROLES = {
    "radius": re.compile(r"radius|반지름|반경", re.IGNORECASE),
    "diameter": re.compile(r"diameter|(?<!반)지름|직경", re.IGNORECASE),
    "height": re.compile(r"height|high|tall|altitude|높이|세로", re.IGNORECASE),
    "base": re.compile(r"\bbase\b|밑변|밑면|가로", re.IGNORECASE),
    "side": re.compile(r"\bsides?\b|edges?|변|모서리", re.IGNORECASE),
}
_SHAPES = {
    "circle": re.compile(r"circle|원의|원\b|원 ", re.IGNORECASE),
    "sphere": re.compile(r"sphere|ball|구의|구\b", re.IGNORECASE),
    "cylinder": re.compile(r"cylinder|원기둥", re.IGNORECASE),
    "cone": re.compile(r"\bcone\b|원뿔", re.IGNORECASE),
    "cube": re.compile(r"\bcube\b|정육면체", re.IGNORECASE),
    "box": re.compile(r"\bbox\b|cuboid|rectangular prism|직육면체|상자", re.IGNORECASE),
    "triangle": re.compile(r"triangle|삼각형", re.IGNORECASE),
    "square": re.compile(
        r"\bsquare\b(?! (?:root|met|feet|foot|inch|mile|yard|kilo|cm|km))|정사각형", re.IGNORECASE
    ),
    "rectangle": re.compile(
        r"rectang|\broom\b|\bby\b|garden|plot|field|직사각형|가로", re.IGNORECASE
    ),
}
_AREA = re.compile(r"\barea\b|넓이|면적", re.IGNORECASE)
_SURFACE = re.compile(r"surface|겉넓이|표면적", re.IGNORECASE)
_AROUND = re.compile(r"circumference|perimeter|둘레|원주", re.IGNORECASE)
_VOLUME = re.compile(r"volume|부피|체적", re.IGNORECASE)
_HYPOTENUSE = re.compile(r"hypotenuse|pythagor|빗변|피타고라스", re.IGNORECASE)
_LEG = pattern(r"hypotenuse (?:is |of |= ?)?<N:c>|빗변(?:이|의 길이가)? ?<N:c2>")
_DIAGONAL = re.compile(r"diagonal|대각선", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Figure:
    formula: str
    work: Callable[[list[Fraction]], Fraction]
    count: int
    power: int  # of the length unit
    rounded: bool = False


_FORMULAS: dict[tuple[str, str], _Figure] = {
    ("circle", "area"): _Figure("π × {0}²", lambda v: exact.PI * v[0] ** 2, 1, 2, True),
    ("circle", "around"): _Figure("2 × π × {0}", lambda v: 2 * exact.PI * v[0], 1, 1, True),
    ("sphere", "volume"): _Figure(
        "4/3 × π × {0}³", lambda v: Fraction(4, 3) * exact.PI * v[0] ** 3, 1, 3, True
    ),
    ("sphere", "surface"): _Figure("4 × π × {0}²", lambda v: 4 * exact.PI * v[0] ** 2, 1, 2, True),
    ("cylinder", "volume"): _Figure(
        "π × {0}² × {1}", lambda v: exact.PI * v[0] ** 2 * v[1], 2, 3, True
    ),
    ("cylinder", "surface"): _Figure(
        "2 × π × {0} × ({0} + {1})", lambda v: 2 * exact.PI * v[0] * (v[0] + v[1]), 2, 2, True
    ),
    ("cone", "volume"): _Figure(
        "1/3 × π × {0}² × {1}", lambda v: exact.PI * v[0] ** 2 * v[1] / 3, 2, 3, True
    ),
    ("cube", "volume"): _Figure("{0}³", lambda v: v[0] ** 3, 1, 3),
    ("cube", "surface"): _Figure("6 × {0}²", lambda v: 6 * v[0] ** 2, 1, 2),
    ("box", "volume"): _Figure("{0} × {1} × {2}", lambda v: v[0] * v[1] * v[2], 3, 3),
    ("box", "surface"): _Figure(
        "2 × ({0}×{1} + {1}×{2} + {2}×{0})",
        lambda v: 2 * (v[0] * v[1] + v[1] * v[2] + v[2] * v[0]),
        3,
        2,
    ),
    ("triangle", "area"): _Figure("{0} × {1} ÷ 2", lambda v: v[0] * v[1] / 2, 2, 2),
    ("triangle", "around"): _Figure("{0} + {1} + {2}", lambda v: v[0] + v[1] + v[2], 3, 1),
    ("square", "area"): _Figure("{0}²", lambda v: v[0] ** 2, 1, 2),
    ("square", "around"): _Figure("4 × {0}", lambda v: 4 * v[0], 1, 1),
    ("rectangle", "area"): _Figure("{0} × {1}", lambda v: v[0] * v[1], 2, 2),
    ("rectangle", "around"): _Figure("2 × ({0} + {1})", lambda v: 2 * (v[0] + v[1]), 2, 1),
}
_NAMES = {
    "area": ("Area", "넓이"),
    "around": ("Perimeter", "둘레"),
    "volume": ("Volume", "부피"),
    "surface": ("Surface", "겉넓이"),
}
_LARGEST = Fraction(10) ** 30


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause about one shape, lengths given."""
    values = [n.value for n in clause.numbers if not n.currency and not n.percent]
    if (
        not values
        or len(values) != len(clause.numbers)
        or any(v <= 0 or v > _LARGEST for v in values)
    ):
        return None
    if _HYPOTENUSE.search(clause.shape) or (_DIAGONAL.search(clause.shape) and len(values) == 2):
        return _right_triangle(clause, values, setting)
    asked = next(
        (
            name
            for name, words in (
                ("surface", _SURFACE),
                ("area", _AREA),
                ("around", _AROUND),
                ("volume", _VOLUME),
            )
            if words.search(clause.shape)
        ),
        None,
    )
    if asked is None:
        return None
    shape = next(
        (
            name
            for name, words in _SHAPES.items()
            if words.search(clause.shape)
            and (name, asked) in _FORMULAS
            and _FORMULAS[name, asked].count == len(values)
        ),
        None,
    )
    if shape is None:
        return None
    return _figure(clause, shape, asked, values, setting)


def _figure(
    clause: Clause, shape: str, asked: str, values: list[Fraction], setting: Setting
) -> Working:
    figure = _FORMULAS[shape, asked]
    notes = ""
    if shape in {"circle", "sphere", "cylinder", "cone"}:
        values, notes = _round_first(clause, values, setting)
    value = exact.bounded(figure.work(values))
    unit = _unit(clause, figure.power)
    sign = display.sign_of(value, exact=not figure.rounded)
    written = figure.formula.format(*(display.figure(v) for v in values))
    english, korean = _NAMES[asked]
    if shape == "circle" and asked == "around":
        english, korean = "Circumference", "원의 둘레"
    shown = f"{display.figure(value, 4)}{unit}"
    lead = f"{setting.say(english, korean)} {sign} {shown}"
    steps = (f"{written} {sign} {shown}",)
    return Working(lead, (notes, *steps) if notes else steps, value=value, exact=not figure.rounded)


def _round_first(
    clause: Clause, values: list[Fraction], setting: Setting
) -> tuple[list[Fraction], str]:
    """Put the radius first, halving a diameter."""
    places = {role: words.search(clause.shape) for role, words in _ROLES.items()}
    indices = [i for i, c in enumerate(clause.shape) if c in clause.atoms]
    around = places["diameter"] or places["radius"]
    if len(values) == 2 and around is not None:
        tall = places["height"]
        first = min(range(2), key=lambda k: abs(indices[k] - around.end()))
        if (
            tall is not None
            and min(range(2), key=lambda k: abs(indices[k] - tall.end())) == first == 0
            and tall.start() < around.start()
        ):
            first = 0 if indices[0] > tall.end() and indices[0] > around.end() else 1
        values = [values[first], values[1 - first]]
    if places["diameter"] is not None and places["radius"] is None:
        half = values[0] / 2
        step = (
            f"{setting.say('Radius', '반지름')} = {display.figure(values[0])} ÷ 2 = "
            f"{display.figure(half)}"
        )
        return [half, *values[1:]], step
    return values, ""


def _right_triangle(clause: Clause, values: list[Fraction], setting: Setting) -> Working | None:
    if len(values) != 2:
        return None
    known = _LEG.search(clause.shape)
    unit = _unit(clause, 1)
    if known is not None:
        long = clause.value(known["c"] or known["c2"])
        short = values[0] if values[1] == long else values[1]
        if short >= long:
            return None
        value, is_exact = exact.root(long * long - short * short, 2)
        step = f"√({display.figure(long)}² − {display.figure(short)}²)"
        label = setting.say("Other side", "나머지 변")
    else:
        value, is_exact = exact.root(values[0] ** 2 + values[1] ** 2, 2)
        step = f"√({display.figure(values[0])}² + {display.figure(values[1])}²)"
        label = (
            setting.say("Diagonal", "대각선")
            if _DIAGONAL.search(clause.shape)
            else setting.say("Hypotenuse", "빗변")
        )
    sign = display.sign_of(value, exact=is_exact)
    shown = f"{display.figure(value)}{unit}"
    return Working(f"{label} {sign} {shown}", (f"{step} {sign} {shown}",), value=value)


def _unit(clause: Clause, power: int) -> str:
    labels = {one.unit.label for one in quantities(clause) if one.unit.kind == "length"}
    if len(labels) != 1:
        return ""
    return f" {labels.pop()}{display.superscript(power) if power > 1 else ''}"
