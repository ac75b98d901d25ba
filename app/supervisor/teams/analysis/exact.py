"""Exact operations with limits: powers, roots, factorials, logarithms."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import math
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction

from app.supervisor.teams.analysis import display
from app.supervisor.teams.analysis.working import Refused, division_by_zero, too_large

MOST_BITS = 6_650  # about 2,000 digits
_PRECISION = 50
_MOST_FACTORIAL = 800  # 800! has 1,977 digits
_MOST_ROOT = 64


def bounded(value: Fraction) -> Fraction:
    """Return the value, or raise Refused when it has more than about 2,000 digits."""
    if value.numerator.bit_length() > MOST_BITS or value.denominator.bit_length() > 2 * MOST_BITS:
        raise too_large()
    return value


def divide(left: Fraction, right: Fraction) -> Fraction:
    """Divide, or raise Refused for a zero divisor."""
    if not right:
        raise division_by_zero()
    return bounded(left / right)


def power(base: Fraction, exponent: Fraction) -> tuple[Fraction, bool]:
    """Raise to a power: the value and whether it is exact.

    Raises Refused when the result is too large, or not real.
    """
    if exponent.denominator == 1:
        return _whole_power(base, exponent.numerator)
    if base < 0:
        if exponent.denominator % 2 and exponent.denominator <= _MOST_ROOT:
            value, exact = power(-base, exponent)
            return (-value if exponent.numerator % 2 else value), exact
        raise not_real()
    if not base:
        if exponent < 0:
            raise division_by_zero()
        return Fraction(0), True
    if exponent.denominator <= _MOST_ROOT and abs(exponent.numerator) <= _MOST_ROOT:
        rooted = _exact_root(base, exponent.denominator)
        if rooted is not None:
            return _whole_power(rooted, exponent.numerator)
    logarithm = _decimal(exponent) * _ln(base)
    return _exp(logarithm), False


def not_real() -> Refused:
    """Make the refusal of an even root of a negative number."""
    return Refused(
        "not_real",
        "That has no real value: an even root or logarithm of a negative number.",
        "실수 값이 없어요. 음수의 짝수 제곱근이나 로그예요.",
    )


def _whole_power(base: Fraction, exponent: int) -> tuple[Fraction, bool]:
    if not base and exponent < 0:
        raise division_by_zero()
    if base in {0, 1, -1}:
        return base ** (abs(exponent) % 2 + 2 if exponent else 0), True
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if (bits - 1) * abs(exponent) <= MOST_BITS and bits * abs(exponent) <= 2 * MOST_BITS:
        return bounded(base**exponent), True
    if (base.denominator == 1 and exponent > 0) or abs(exponent) > 10**15:
        raise too_large()
    value = _exp(_decimal(Fraction(exponent)) * _ln(abs(base)))
    return (-value if base < 0 and exponent % 2 else value), False


def power_size(base: Fraction, exponent: Fraction) -> Refused:
    """Make the refusal that says how large a power is which cannot be written out.

    Only for a power that is the whole question: the size of a part is not the answer.
    """
    whole = base.denominator == 1 and exponent.denominator == 1 and exponent > 0
    if not whole or exponent.numerator.bit_length() > 200 or base.numerator.bit_length() > 4000:
        return too_large()
    with localcontext() as context:
        context.prec = 100
        tens = Decimal(exponent.numerator) * Decimal(abs(base.numerator)).log10()
        digits = int(tens.to_integral_value(ROUND_FLOOR)) + 1
        mantissa = Decimal(10) ** (tens - (digits - 1))
    minus = "−" if base < 0 and exponent.numerator % 2 else ""
    size = f"{minus}{mantissa:.4f} × 10{display.superscript(digits - 1)}"
    return Refused(
        "too_large",
        f"That has {digits:,} digits, too many to write out. It is about {size}.",
        f"{digits:,}자리나 되는 수라서 다 쓸 수 없어요. 대략 {size}이에요.",
    )


def root(value: Fraction, degree: int) -> tuple[Fraction, bool]:
    """Return a root: the value and whether it is exact."""
    if not 1 <= degree <= _MOST_ROOT:
        raise too_large()
    return power(value, Fraction(1, degree))


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    numerator = whole_root(value.numerator, degree)
    denominator = whole_root(value.denominator, degree)
    if numerator**degree == value.numerator and denominator**degree == value.denominator:
        return Fraction(numerator, denominator)
    return None


def whole_root(value: int, degree: int) -> int:
    """Return the largest integer whose power is at most ``value`` (value ≥ 0)."""
    if degree == 1 or value < 2:
        return value
    if degree == 2:
        return math.isqrt(value)
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def factorial(value: Fraction) -> Fraction:
    """Return n!. Raises Refused unless n is a whole number of at most 800."""
    if value.denominator != 1 or value < 0:
        raise Refused(
            "not_whole",
            "A factorial needs a whole number that is not negative.",
            "팩토리얼은 0 이상의 정수에만 있어요.",
        )
    number = value.numerator
    if number <= _MOST_FACTORIAL:
        return Fraction(math.factorial(number))
    raise too_large()


def factorial_size(value: Fraction) -> Refused:
    """Make the refusal that says how large a factorial is; only for one asked by itself."""
    number = value.numerator
    if value.denominator != 1 or not 0 < number <= 10**12:
        return too_large()
    digits = int(math.lgamma(number + 1) / math.log(10)) + 1
    return Refused(
        "too_large",
        f"{number:,}! has about {digits:,} digits, too many to write out (I go up to 800!).",
        f"{number:,}!은 약 {digits:,}자리라서 다 쓸 수 없어요(800!까지 계산해요).",
    )


def logarithm(value: Fraction, base: int | None) -> tuple[Fraction, bool]:
    """Return a logarithm, natural when ``base`` is None, and whether it is exact."""
    if value <= 0:
        raise not_real()
    if base is not None:
        whole = _whole_log(value, base)
        if whole is not None:
            return Fraction(whole), True
    elif value == 1:
        return Fraction(0), True
    with localcontext() as context:
        context.prec = _PRECISION
        result = _ln(value) if base is None else _ln(value) / Decimal(base).ln()
    return Fraction(result), False


def _whole_log(value: Fraction, base: int) -> int | None:
    side = value.numerator if value >= 1 else value.denominator
    if (value if value >= 1 else 1 / value).denominator != 1:
        return None
    count = 0
    while side % base == 0:
        side //= base
        count += 1
    if side != 1:
        return None
    return count if value >= 1 else -count


def exponential(value: Fraction) -> tuple[Fraction, bool]:
    """Return e to a power, and whether it is exact."""
    if not value:
        return Fraction(1), True
    if abs(value) > 4000:
        raise too_large()
    return _exp(_decimal(value)), False


def _decimal(value: Fraction) -> Decimal:
    return display.decimal_of(value, _PRECISION)


def _ln(value: Fraction) -> Decimal:
    with localcontext() as context:
        context.prec = _PRECISION
        return Decimal(value.numerator).ln() - Decimal(value.denominator).ln()


def _exp(value: Decimal) -> Fraction:
    if abs(value) > 4600:
        raise too_large()
    with localcontext() as context:
        context.prec = _PRECISION
        return Fraction(value.exp())


PI = Fraction("3.14159265358979323846264338327950288419716939937511")
E = Fraction("2.71828182845904523536028747135266249775724709369996")
