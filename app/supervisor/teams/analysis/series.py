"""Solving sums over ranges: 1 to 100, the even numbers, multiples, first so many terms."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_SUM = re.compile(r"\bsum\b|\badd\b|\btotal\b|합|더하면|더한|더해", re.IGNORECASE)
_PRODUCT = re.compile(
    r"\bproduct of (?:all|the|numbers|integers|every)|multipl(?:y|ied).{0,20}\bfrom\b|(?:까지"
    r"|부터).{0,12}곱",
    re.IGNORECASE,
)
_COUNT = re.compile(r"how many|\bcount\b|number of|몇 개|개수", re.IGNORECASE)
_AVERAGE = re.compile(r"average|mean|평균", re.IGNORECASE)
_SPAN = (
    pattern(r"(?:from |between )?<N:low> ?(?:to|through|until|up to|and|\.\.+|-|~) ?<N:high>"),
    pattern(r"<N:low>(?:부터|에서|~)<W><N:high>(?:까지)?"),
)
_FIRST = (
    pattern(
        r"first <N:n> ?(?P<kind>even|odd|natural|positive|whole|square|)<W>(?:numbers?|integers?"
        r"|squares?|naturals?)"
    ),
    pattern(r"(?:처음|첫) ?<N:n>개의? ?(?P<kind>짝수|홀수|자연수|)"),
)
_STEP = pattern(r"(?:multiples? of|divisible by) <N:m>|<N:n>의 배수")
_BELOW = pattern(
    r"(?:below|under|up to|less than|smaller than|no more than|until) <N:high>"
    r"|<N:high2> ?(?:이하|미만|까지|보다 작은)"
)
_EVEN = re.compile(r"\beven\b|짝수", re.IGNORECASE)
_ODD = re.compile(r"\bodd\b|홀수", re.IGNORECASE)
_WHOLE = re.compile(
    r"number|integer|from|between|multiples|divisible|below|under|이하|미만|to\b|부터|까지"
    r"|자연수|정수|짝수|홀수|배수"
    r"|even|odd|\.\.",
    re.IGNORECASE,
)
_LARGEST = 10**18


def solve(clause: Clause, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    """Solve a sum, count or average over a run of whole numbers."""
    shape = clause.shape
    wants_sum = bool(_SUM.search(shape))
    wants_count = bool(_COUNT.search(shape))
    wants_average = bool(_AVERAGE.search(shape))
    if _PRODUCT.search(shape) and (match := clause.match(_SPAN[1]) or clause.match(_SPAN[0])):
        return _multiplied(clause.value(match["low"]), clause.value(match["high"]))
    if not (wants_sum or wants_count or wants_average) or not _WHOLE.search(shape):
        return None
    for form in _FIRST:
        if (match := clause.match(form)) is not None and wants_sum:
            return _first(clause.value(match["n"]), match["kind"].lower(), shape)
    step_match = _STEP.search(shape)
    step = clause.value(step_match["m"] or step_match["n"]) if step_match else Fraction(1)
    if step_match and (below := clause.match(_BELOW, spare=1)) is not None:
        high = clause.value(below["high"] or below["high2"])
        strict = re.search(r"below|under|less|미만|작은", below.group(), re.IGNORECASE) is not None
        top = high - 1 if strict and high.denominator == 1 else high
        return _run(
            Fraction(1),
            top,
            step,
            shape,
            setting,
            count=wants_count and not wants_sum,
            average=False,
        )
    for form in _SPAN:
        match = clause.match(form, spare=1 if step_match else 0)
        if match is None:
            continue
        low, high = clause.value(match["low"]), clause.value(match["high"])
        special = step_match is not None or _EVEN.search(shape) or _ODD.search(shape)
        if wants_count and not special:
            return None
        if " and " in match.group() and "between" not in match.group().lower():
            return None
        return _run(
            low,
            high,
            step,
            shape,
            setting,
            count=wants_count and not wants_sum,
            average=wants_average and not wants_sum,
        )
    return None


def _multiplied(low: Fraction, high: Fraction) -> Working | None:
    first, last = _checked(low, high)
    if not 1 <= first < last <= 800:
        return None
    value = exact.factorial(Fraction(last)) / exact.factorial(Fraction(first - 1))
    shown = display.figure(value)
    return Working(f"{first:,} × {first + 1:,} × … × {last:,} = {shown}", value=value)


def _checked(*values: Fraction) -> list[int]:
    if any(value.denominator != 1 or abs(value) > _LARGEST for value in values):
        raise Refused(
            "not_whole", "That needs whole numbers up to 10¹⁸.", "10¹⁸ 이하의 정수만 돼요."
        )
    return [value.numerator for value in values]


def _run(
    low: Fraction,
    high: Fraction,
    step: Fraction,
    shape: str,
    setting: Setting,
    *,
    count: bool,
    average: bool,
) -> Working | None:
    first, last, stride = _checked(low, high, step)
    if first > last or stride < 1:
        return None
    if _EVEN.search(shape):
        stride, remainder = 2, 0
    elif _ODD.search(shape):
        stride, remainder = 2, 1
    else:
        remainder = first % stride if stride == 1 else 0
    first += (remainder - first) % stride
    last -= (last - remainder) % stride
    terms = max(0, (last - first) // stride + 1)
    shown = f"{display.figure(Fraction(terms))}"
    if count:
        return Working(
            shown, (f"({last:,} − {first:,}) ÷ {stride} + 1 = {shown}",), value=Fraction(terms)
        )
    if not terms:
        return Working("0", value=Fraction(0))
    total = Fraction(first + last) * terms / 2
    if average:
        value = Fraction(first + last, 2)
        return Working(
            setting.say(f"Mean: {display.figure(value)}", f"평균: {display.figure(value)}"),
            (f"({first:,} + {last:,}) ÷ 2 = {display.figure(value)}",),
            value=value,
        )
    second = f" + {first + stride:,}" if terms > 2 else ""
    written = f"{first:,}{second} + … + {last:,}"
    steps = (
        setting.say(f"{shown} numbers", f"수 {shown}개")
        + f": ({first:,} + {last:,}) × {shown} ÷ 2 = {display.figure(total)}",
    )
    return Working(f"{written} = {display.figure(total)}", steps, value=total)


def _first(count: Fraction, kind: str, shape: str) -> Working | None:
    (terms,) = _checked(count)
    if terms < 1:
        return None
    shown = f"{terms:,}"
    if "square" in kind or "squares" in shape.lower():
        total = exact.bounded(Fraction(terms * (terms + 1) * (2 * terms + 1), 6))
        return Working(
            f"1² + 2² + … + {shown}² = {display.figure(total)}",
            (f"n(n + 1)(2n + 1) ÷ 6, n = {shown}",),
            value=total,
        )
    if kind in {"even", "짝수"}:
        total = Fraction(terms * (terms + 1))
        return Working(
            f"2 + 4 + … + {2 * terms:,} = {display.figure(total)}",
            (f"{shown} × {terms + 1:,} = {display.figure(total)}",),
            value=total,
        )
    if kind in {"odd", "홀수"}:
        total = Fraction(terms * terms)
        return Working(
            f"1 + 3 + … + {2 * terms - 1:,} = {display.figure(total)}",
            (f"{shown}² = {display.figure(total)}",),
            value=total,
        )
    total = Fraction(terms * (terms + 1), 2)
    return Working(
        f"1 + 2 + … + {shown} = {display.figure(total)}",
        (f"{shown} × {terms + 1:,} ÷ 2 = {display.figure(total)}",),
        value=total,
    )
