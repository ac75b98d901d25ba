"""Working out an expression tree exactly, step by step."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.expression import Binary, Call, Const, Node, Num, Unary
from app.supervisor.teams.analysis.working import Refused, too_large

_MOST_STEPS = 12
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "mod": 2, "of": 3, "^": 5}
_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷", "//": "÷", "mod": "mod", "of": "×"}
_SIGNED_RANK = 4
_LARGEST_DENOMINATOR = 10_000


@dataclass(frozen=True, slots=True)
class Value:
    """A number on its way: exact or rounded, plain, money, a percentage or an angle."""

    value: Fraction
    exact: bool = True
    currency: str = ""
    percent: bool = False
    degrees: bool = False
    parts: bool = False  # written as a fraction

    def shown(self) -> str:
        """Return the value for a person to read."""
        if self.parts and self.exact and self.value.denominator <= _LARGEST_DENOMINATOR:
            return display.fraction_text(self.value)
        if self.currency:
            return display.money(self.value, self.currency)
        return display.figure(self.value) + ("°" if self.degrees else "")

    def sign(self) -> str:
        """Return "=" or "≈" for the shown value."""
        if self.parts and self.exact and self.value.denominator <= _LARGEST_DENOMINATOR:
            return "="
        if self.currency:
            return display.money_sign(self.value, self.currency) if self.exact else "≈"
        return display.sign_of(self.value, exact=self.exact)


@dataclass(slots=True)
class Evaluation:
    """The steps made while working out one tree."""

    steps: list[str] = field(default_factory=list)
    radians: bool = False  # an angle without a degree mark was read as radians

    def of(self, node: Node) -> Value:
        """Return the value of a tree and note each operation.

        Raises Refused for what has no value or too many digits.
        """
        match node:
            case Num(number):
                if number.percent:
                    return Value(number.value / 100, percent=True)
                return Value(number.value, currency=number.currency, parts=is_fraction(node))
            case Const(name):
                known = {"pi": exact.PI, "e": exact.E, "tau": 2 * exact.PI}
                return Value(known[name], exact=False)
            case Unary(mark, inner):
                return self._unary(mark, inner)
            case Binary(mark, left, right):
                return self._binary(mark, self.of(left), self.of(right))
            case Call(name, inner):
                return self._call(name, [self.of(one) for one in inner])

    def _note(self, left: str, result: Value) -> None:
        step = f"{left} {result.sign()} {result.shown()}"
        if len(self.steps) <= _MOST_STEPS and step not in self.steps:
            self.steps.append(step)

    def _unary(self, mark: str, inner: Node) -> Value:
        value = self.of(inner)
        if mark == "-":
            return Value(-value.value, value.exact, value.currency)
        if mark == "%":
            return Value(value.value / 100, value.exact, percent=True)
        if mark == "°":
            return Value(value.value, value.exact, degrees=True)
        result = Value(exact.factorial(value.value))
        self._note(f"{value.shown()}!", result)
        return result

    def _binary(self, mark: str, left: Value, right: Value) -> Value:
        currency = _currency(mark, left, right)
        if mark in "+-" and right.percent and not left.percent:
            return self._add_share(mark, left, right)
        is_exact = left.exact and right.exact
        value, exactly = _operate(mark, left.value, right.value)
        both = left.percent and right.percent and mark in "+-"
        parts = (left.parts or right.parts) and left.exact and right.exact
        result = Value(value, is_exact and exactly, currency, percent=both, parts=parts)
        if mark == "^":
            self._note(_power_text(left, right), result)
        elif mark == "mod":
            count = math.floor(left.value / right.value)
            whole = display.figure(Fraction(count))
            self.steps.append(f"{left.shown()} = {_operand(right)} × {whole} + {result.shown()}")
        elif mark in "+-" and left.parts and right.parts:
            self._note(_over_common(mark, left.value, right.value), result)
        else:
            self._note(f"{_operand(left)} {_SIGNS[mark]} {_operand(right)}", result)
        return Value(Fraction(math.floor(value))) if mark == "//" else result

    def _add_share(self, mark: str, left: Value, right: Value) -> Value:
        """Take a percentage of what stands before it, as a pocket calculator does."""
        share = Value(exact.bounded(left.value * right.value), left.exact, left.currency)
        self._note(f"{left.shown()} × {_operand(right)}", share)
        total = left.value + share.value if mark == "+" else left.value - share.value
        result = Value(total, left.exact, left.currency)
        self._note(f"{left.shown()} {_SIGNS[mark]} {share.shown()}", result)
        return result

    def _call(self, name: str, inner: list[Value]) -> Value:
        values = [one.value for one in inner]
        is_exact = all(one.exact for one in inner)
        if name in {"sin", "cos", "tan"}:
            self.radians = self.radians or not inner[0].degrees
            value, exactly = _trigonometry(name, inner[0])
        else:
            value, exactly = call(name, values)
        result = Value(exact.bounded(value), is_exact and exactly)
        self._note(_call_text(name, [one.shown() for one in inner]), result)
        return result


def sized(node: Node, refused: Refused) -> Refused:
    """Return a refusal that gives the size when the tree is one power or factorial.

    The tree has just been refused as ``refused``; of a larger expression nothing more is known.
    """
    if refused.code != "too_large":
        return refused
    try:
        match node:
            case Binary("^", left, right) | Call("pow", (left, right)):
                base, exponent = Evaluation().of(left), Evaluation().of(right)
                return (
                    exact.power_size(base.value, exponent.value)
                    if _exact(base, exponent)
                    else refused
                )
            case Unary("!", inner) | Call("fact", (inner,)):
                return exact.factorial_size(Evaluation().of(inner).value)
            case _:
                return refused
    except Refused:
        return refused


def _exact(*values: Value) -> bool:
    return all(value.exact for value in values)


def _operand(value: Value) -> str:
    if value.percent:
        return f"{display.figure(value.value * 100)}%"
    return f"({value.shown()})" if value.value < 0 else value.shown()


def _power_text(left: Value, right: Value) -> str:
    base = _operand(left)
    if left.value.denominator != 1 and "/" in base:
        base = f"({base})"
    if right.value.denominator == 1 and abs(right.value) < 10**6:
        return f"{base}{display.superscript(right.value.numerator)}"
    return f"{base}^{right.shown()}"


def is_fraction(node: Num) -> bool:
    """Tell whether a number was written as a fraction: 3/4, ½, three quarters."""
    return node.number.value.denominator != 1 and "." not in node.number.text


def _over_common(mark: str, left: Fraction, right: Fraction) -> str:
    """Write a sum of fractions over their common denominator."""
    below = math.lcm(left.denominator, right.denominator)
    top = [value.numerator * (below // value.denominator) for value in (left, right)]
    sign = _SIGNS[mark]
    written = f"{display.fraction_text(left)} {sign} {display.fraction_text(right)}"
    if left.denominator == right.denominator:
        return written
    return f"{written} = {top[0]}/{below} {sign} {top[1]}/{below}"


def _currency(mark: str, left: Value, right: Value) -> str:
    if left.currency and right.currency and left.currency != right.currency:
        raise Refused(
            "mixed_currencies",
            "Those are two currencies; I have no exchange rates offline.",
            "서로 다른 통화예요. 오프라인이라 환율을 알 수 없어요.",
        )
    if mark in {"/", "//"} and left.currency and right.currency:
        return ""
    return "" if mark == "^" else left.currency or right.currency


def _operate(mark: str, left: Fraction, right: Fraction) -> tuple[Fraction, bool]:
    match mark:
        case "+":
            return exact.bounded(left + right), True
        case "-":
            return exact.bounded(left - right), True
        case "*" | "of":
            return exact.bounded(left * right), True
        case "/" | "//":
            return exact.divide(left, right), True
        case "mod":
            exact.divide(left, right)
            return left % right, True
        case _:
            return exact.power(left, right)


def _trigonometry(name: str, angle: Value) -> tuple[Fraction, bool]:
    if abs(angle.value) > 10**12:
        raise Refused("too_large", "That angle is too large.", "각도가 너무 커서 계산할 수 없어요.")
    if angle.degrees:
        turned = angle.value % 360
        if name == "tan" and turned % 180 == 90:
            raise Refused("undefined", "The tangent of 90° has no value.", "tan 90°는 값이 없어요.")
        known = _exact_angle(name, turned)
        if known is not None:
            return known, True
        radians = float(turned * exact.PI / 180)
    else:
        radians = float(angle.value)
    result = {"sin": math.sin, "cos": math.cos, "tan": math.tan}[name](radians)
    return Fraction(f"{result:.14f}"), not angle.value and name != "cos"


def _exact_angle(name: str, degrees: Fraction) -> Fraction | None:
    """Return a sine, cosine or tangent that is rational."""
    if degrees.denominator != 1:
        return None
    if name == "tan":
        tangents = {0: 0, 45: 1, 135: -1, 180: 0, 225: 1, 315: -1}
        return Fraction(tangents[int(degrees)]) if int(degrees) in tangents else None
    shifted = degrees if name == "sin" else (degrees + 90) % 360
    halves = {0: 0, 30: 1, 90: 2, 150: 1, 180: 0, 210: -1, 270: -2, 330: -1}
    return Fraction(halves[int(shifted)], 2) if int(shifted) in halves else None


_ROUNDINGS: dict[str, Callable[[Fraction], Fraction | int]] = {
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
}
_LOGARITHMS: dict[str, int | None] = {"ln": None, "log": 10, "log10": 10, "log2": 2}


def call(name: str, values: list[Fraction]) -> tuple[Fraction, bool]:  # noqa: PLR0911 - one return for each form
    """Apply a function to its operands: the value and whether it is exact.

    Raises Refused when the operands do not fit the function.
    """
    first = values[0]
    if name in {"sqrt", "cbrt"} and len(values) == 1:
        return exact.root(first, 2 if name == "sqrt" else 3)
    if name in {"root", "log", "pow", "mod"} and len(values) == 2:
        return _of_two(name, first, values[1])
    if name in _LOGARITHMS and len(values) == 1:
        return exact.logarithm(first, _LOGARITHMS[name])
    if name == "exp" and len(values) == 1:
        return exact.exponential(first)
    if name == "fact" and len(values) == 1:
        return exact.factorial(first), True
    if name == "round":
        places = int(values[1]) if len(values) > 1 and abs(values[1]) <= 30 else 0
        return Fraction(display.rounded(first, max(0, places)).replace(",", "")), True
    if name in {"asin", "acos", "atan"} and len(values) == 1:
        return _inverse(name, first), False
    if name in {"abs", "floor", "ceil"} and len(values) == 1:
        return Fraction(_ROUNDINGS[name](first)), True
    if name in {"min", "max"}:
        return (min(values) if name == "min" else max(values)), True
    return _whole_call(name, values)


def _of_two(name: str, first: Fraction, second: Fraction) -> tuple[Fraction, bool]:
    if name == "root":  # root(degree, value)
        return exact.power(second, exact.divide(Fraction(1), first))
    if name == "log":  # log(base, value) as the phrases write it
        top, top_exact = exact.logarithm(second, None)
        bottom, bottom_exact = exact.logarithm(first, None)
        if first.denominator == 1 and first > 1:
            return exact.logarithm(second, first.numerator)
        return exact.divide(top, bottom), top_exact and bottom_exact
    return _operate("^" if name == "pow" else "mod", first, second)


def _inverse(name: str, value: Fraction) -> Fraction:
    if name != "atan" and abs(value) > 1:
        raise exact.not_real()
    result = {"asin": math.asin, "acos": math.acos, "atan": math.atan}[name](float(value))
    return Fraction(f"{result:.14f}")


def _whole_call(name: str, values: list[Fraction]) -> tuple[Fraction, bool]:
    if any(value.denominator != 1 for value in values):
        raise Refused("not_whole", "That needs whole numbers.", "정수로만 계산할 수 있어요.")
    whole = [value.numerator for value in values]
    if name in {"gcd", "lcm"}:
        return exact.bounded(
            Fraction(math.gcd(*whole) if name == "gcd" else math.lcm(*whole))
        ), True
    if name in {"ncr", "npr"} and len(whole) == 2:
        return combinations(whole[0], whole[1], ordered=name == "npr"), True
    raise Refused(
        "not_understood",
        f"I cannot work out {name}(…) of that.",
        f"{name}(…)을(를) 계산할 수 없어요.",
    )


def combinations(of: int, chosen: int, *, ordered: bool) -> Fraction:
    """Count the ways to choose, or to arrange, ``chosen`` things out of ``of``."""
    if of < 0 or chosen < 0 or chosen > of:
        raise Refused(
            "out_of_range",
            "One can only choose between none and all of the things.",
            "고르는 수는 0 이상, 전체 이하여야 해요.",
        )
    fewer = chosen if ordered else min(chosen, of - chosen)
    if fewer * max(1, of.bit_length()) > 4 * exact.MOST_BITS:
        raise too_large()
    return exact.bounded(Fraction(math.perm(of, chosen) if ordered else math.comb(of, chosen)))


_CALLS = {"sqrt": "√", "cbrt": "∛", "fact": "", "ncr": "C", "npr": "P"}


def _call_text(name: str, inner: list[str]) -> str:
    if name in {"sqrt", "cbrt"}:
        return f"{_CALLS[name]}{inner[0]}"
    if name == "fact":
        return f"{inner[0]}!"
    if name == "root":
        return f"{inner[1]}^(1/{inner[0]})"
    if name == "log" and len(inner) == 2:
        return f"log base {inner[0]} of {inner[1]}"
    return f"{name}({', '.join(inner)})"


def text_of(node: Node, rank: int = 0) -> str:  # noqa: PLR0911 - one return for each form
    """Write a tree as people write arithmetic."""
    match node:
        case Num(number):
            shown = _number_text(number.value, number.currency)
            if is_fraction(node) and not number.currency:
                shown = display.fraction_text(number.value)
                shown = f"({shown})" if rank > _SIGNED_RANK else shown
            if number.percent:
                shown = f"{display.figure(number.value)}%"
            return f"({shown})" if number.value < 0 and rank else shown
        case Const(name):
            return "π" if name == "pi" else name
        case Unary("-", inner):
            shown = f"-{text_of(inner, _SIGNED_RANK)}"
            return f"({shown})" if rank else shown
        case Unary(mark, inner):
            return f"{text_of(inner, 6)}{mark}"
        case Call(name, inner):
            if name in {"sqrt", "cbrt"}:
                return f"{_CALLS[name]}{text_of(inner[0], 6)}"
            return _call_text(name, [text_of(one, 6 if name == "fact" else 0) for one in inner])
        case Binary("^", left, right):
            return _power_of(left, right)
        case Binary(mark, left, right):
            own = _RANK[mark]
            shown = f"{text_of(left, own)} {_SIGNS[mark]} {text_of(right, own + 1)}"
            return f"({shown})" if own < rank else shown


def _number_text(value: Fraction, currency: str) -> str:
    if currency:
        return display.money(value, currency)
    return (
        display.figure(value) if display.is_shown_exactly(value) else display.fraction_text(value)
    )


def _power_of(left: Node, right: Node) -> str:
    base = text_of(left, 6)
    if isinstance(right, Num) and right.number.value.denominator == 1 and right.number.value >= 0:
        return f"{base}{display.superscript(right.number.value.numerator)}"
    return f"{base}^{text_of(right, 6)}"
