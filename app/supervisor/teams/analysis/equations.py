"""Solving equations: linear, quadratic, two lines, and simple inequalities."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import tidy
from app.supervisor.teams.analysis.polynomials import LONGEST, MOST_DEGREE, Polynomial, equations_in
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_RATIO = re.compile(r"\d ?: ?[\dx]")
_FUNCTION = re.compile(r"\b(?:sin|cos|tan|log|ln|sqrt|exp)\b", re.IGNORECASE)


def solve_text(text: str, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    """Solve the equation or the two equations that a text holds.

    Raises Refused when there is no solution to give.
    """
    text = tidy(text)
    if (
        "=" not in text
        and "<" not in text
        and ">" not in text
        and "≤" not in text
        and "≥" not in text
    ):
        return None
    if len(text) > 4 * LONGEST or _FUNCTION.search(text) or _RATIO.search(text):
        return None
    parts = equations_in(text)
    if not parts:
        return None
    if len(parts) == 2 and all(relation == "=" for _, relation, _ in parts):
        return _system(parts, setting)
    if len(parts) != 1:
        return None
    left, relation, right = parts[0]
    letters = left.letters() | right.letters()
    if len(letters) != 1:
        return _comparison(left, relation, right, setting) if not letters else None
    letter = next(iter(letters))
    moved = left.plus(right, -1)
    coefficients = _coefficients(moved, letter)
    if relation != "=":
        return _inequality(coefficients, relation, letter)
    return _single(coefficients, letter, setting)


def _coefficients(polynomial: Polynomial, letter: str) -> list[Fraction]:
    found = [Fraction(0)] * (MOST_DEGREE + 1)
    for key, value in polynomial.terms.items():
        power = dict(key).get(letter, 0)
        found[power] += value
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found


def _term(value: Fraction, suffix: str, *, first: bool) -> str:
    sign = "-" if value < 0 else ("" if first else "+")
    size = abs(value)
    number = (
        ""
        if size == 1 and suffix
        else display.figure(size)
        if display.terminates(size, 6)
        else f"({display.fraction_text(size)})"
    )
    return f"{sign}{number}{suffix}" if first else f" {'−' if value < 0 else '+'} {number}{suffix}"


def _written(coefficients: list[Fraction], letter: str) -> str:
    text = ""
    for power in range(len(coefficients) - 1, -1, -1):
        if coefficients[power]:
            suffix = (
                ""
                if not power
                else letter
                if power == 1
                else f"{letter}{display.superscript(power)}"
            )
            text += _term(coefficients[power], suffix, first=not text)
    return f"{text or '0'} = 0"


def _value(value: Fraction) -> str:
    shown = display.figure(value)
    if display.is_shown_exactly(value):
        return f"= {shown}"
    return f"= {display.fraction_text(value)} ≈ {shown}"


def _single(coefficients: list[Fraction], letter: str, setting: Setting) -> Working:
    degree = len(coefficients) - 1
    if degree == 0:
        raise _without_answer(always=not coefficients[0])
    if degree == 1:
        value = -coefficients[0] / coefficients[1]
        left = _written([Fraction(0), coefficients[1]], letter).removesuffix(" = 0")
        right = _bracketed(-coefficients[0]).strip("()")
        steps = (f"{left} = {right}", f"{letter} = {right} ÷ {_bracketed(coefficients[1])}")
        shown = () if coefficients[1] == 1 else steps
        return Working(f"{letter} {_value(value)}", shown, value=value)
    if degree == 2:
        return _quadratic(coefficients, letter, setting)
    return _higher(coefficients, letter, setting)


def _bracketed(value: Fraction) -> str:
    shown = (
        display.figure(value) if display.is_shown_exactly(value) else display.fraction_text(value)
    )
    return f"({shown})" if value < 0 or "/" in shown else shown


def _without_answer(*, always: bool) -> Refused:
    if always:
        return Refused(
            "every_value",
            "Every value fits: both sides are the same.",
            "양변이 같아서 모든 값이 해예요.",
        )
    return Refused(
        "no_solution",
        "No value fits: the two sides never meet.",
        "해가 없어요. 양변이 같아질 수 없어요.",
    )


def _quadratic(coefficients: list[Fraction], letter: str, setting: Setting) -> Working:
    c, b, a = coefficients
    discriminant = b * b - 4 * a * c
    head = _written(coefficients, letter)
    shown = (
        display.figure(discriminant)
        if display.is_shown_exactly(discriminant)
        else display.fraction_text(discriminant)
    )
    steps = [head, f"D = b² − 4ac = {shown}"]
    if discriminant < 0:
        root, _ = exact.root(-discriminant, 2)
        real, imaginary = -b / (2 * a), root / abs(2 * a)
        real_text = f"{display.figure(real)} " if real else ""
        lead = setting.say("No real solution", "실수 해가 없어요")
        pair = f"{letter} = {real_text}± {display.figure(imaginary)}i"
        return Working(lead, (*steps, setting.say(f"Complex: {pair}", f"복소수 해: {pair}")))
    root, is_exact = exact.root(discriminant, 2)
    if not discriminant:
        return Working(
            f"{letter} {_value(-b / (2 * a))}",
            (*steps, setting.say("A double root", "중근이에요")),
            value=-b / (2 * a),
        )
    low, high = sorted(((-b - root) / (2 * a), (-b + root) / (2 * a)))
    if is_exact:
        lead = setting.say(
            f"{letter} {_value(low)} or {letter} {_value(high)}",
            f"{letter} {_value(low)} 또는 {letter} {_value(high)}",
        )
    else:
        lead = setting.say(
            f"{letter} ≈ {display.figure(low)} or {letter} ≈ {display.figure(high)}",
            f"{letter} ≈ {display.figure(low)} 또는 {letter} ≈ {display.figure(high)}",
        )
        below = display.figure(2 * a)
        steps.append(f"{letter} = ({display.figure(-b)} ± √{shown}) ÷ {below}")
    return Working(lead, tuple(steps), value=high)


def _higher(coefficients: list[Fraction], letter: str, setting: Setting) -> Working:
    """Find the rational roots of a cubic or quartic, and what a quadratic leaves."""
    roots: list[Fraction] = []
    rest = coefficients
    while len(rest) > 3 and (found := _rational_root(rest)) is not None:
        roots.append(found)
        rest = _divided(rest, found)
    if len(rest) > 3:
        raise Refused(
            "not_understood",
            "I solve equations up to the second degree, and higher ones only when a simple root "
            "splits them.",
            "2차 방정식까지 풀고, 그보다 높은 차수는 유리수 근이 있을 때만 풀 수 있어요.",
        )
    tail = _single(rest, letter, setting) if len(rest) > 1 else None
    shown = [f"{letter} {_value(root)}" for root in sorted(set(roots))]
    if tail is not None and not tail.lead.startswith(("No real", "실수")):
        shown.append(tail.lead)
    lead = ", ".join(dict.fromkeys(shown))
    return Working(lead, (_written(coefficients, letter),))


def _rational_root(coefficients: list[Fraction]) -> Fraction | None:
    if not coefficients[0]:
        return Fraction(0)
    scale = 1
    for value in coefficients:
        scale *= value.denominator // _gcd(scale, value.denominator)
    whole = [int(value * scale) for value in coefficients]
    if abs(whole[0]) > 10**6 or abs(whole[-1]) > 10**4:
        return None
    for top in _divisors(abs(whole[0])):
        for below in _divisors(abs(whole[-1])):
            for sign in (1, -1):
                candidate = Fraction(sign * top, below)
                if sum(value * candidate**power for power, value in enumerate(whole)) == 0:
                    return candidate
    return None


def _gcd(first: int, second: int) -> int:
    while second:
        first, second = second, first % second
    return first


def _divisors(value: int) -> list[int]:
    small = [d for d in range(1, int(value**0.5) + 1) if value % d == 0]
    return sorted({*small, *(value // d for d in small)})


def _divided(coefficients: list[Fraction], root: Fraction) -> list[Fraction]:
    result: list[Fraction] = []
    carry = Fraction(0)
    for value in reversed(coefficients):
        carry = value + carry * root
        result.append(carry)
    return list(reversed(result[:-1]))


def _inequality(coefficients: list[Fraction], relation: str, letter: str) -> Working | None:
    if len(coefficients) != 2:
        return None
    value = -coefficients[0] / coefficients[1]
    if coefficients[1] < 0:
        relation = relation.translate(str.maketrans("<>", "><"))
    shown = relation.replace("<=", "≤").replace(">=", "≥")
    return Working(f"{letter} {shown} {display.figure(value)}", value=value)


def _comparison(
    left: Polynomial, relation: str, right: Polynomial, setting: Setting
) -> Working | None:
    first, second = left.constant, right.constant
    if first is None or second is None:
        return None
    holds = {
        "=": first == second,
        "<": first < second,
        ">": first > second,
        "<=": first <= second,
        ">=": first >= second,
    }[relation]
    sign = "=" if first == second else "<" if first < second else ">"
    lead = setting.say(
        f"{'True' if holds else 'False'}: {display.figure(first)} {sign} {display.figure(second)}",
        f"{'맞아요' if holds else '아니에요'}: {display.figure(first)} {sign} "
        f"{display.figure(second)}",
    )
    return Working(lead)


def _system(parts: list[tuple[Polynomial, str, Polynomial]], setting: Setting) -> Working | None:
    moved = [left.plus(right, -1) for left, _, right in parts]
    letters = sorted(moved[0].letters() | moved[1].letters())
    if len(letters) != 2 or any(sum(p for _, p in key) > 1 for one in moved for key in one.terms):
        return None
    first, second = letters
    (a1, b1, c1), (a2, b2, c2) = (
        (
            one.terms.get(((first, 1),), Fraction(0)),
            one.terms.get(((second, 1),), Fraction(0)),
            -one.terms.get((), Fraction(0)),
        )
        for one in moved
    )
    determinant = a1 * b2 - a2 * b1
    if not determinant:
        raise _without_answer(always=a1 * c2 == a2 * c1 and b1 * c2 == b2 * c1)
    x, y = (c1 * b2 - c2 * b1) / determinant, (a1 * c2 - a2 * c1) / determinant
    steps = (
        f"D = {_bracketed(a1)} × {_bracketed(b2)} − {_bracketed(a2)} × {_bracketed(b1)} = "
        f"{display.figure(determinant)}",
        setting.say("By Cramer's rule", "크라메르 공식을 썼어요"),
    )
    return Working(f"{first} {_value(x)}, {second} {_value(y)}", steps)
