"""Numbers as people read them: separators, sensible digits, money, superscripts."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import math
from decimal import Decimal, localcontext
from fractions import Fraction

_SUPERSCRIPTS = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_EXACT_PLACES = 12  # a longer terminating decimal is rounded
_PLACES = 6
_GROUPED_DIGITS = 30  # longer integers are unreadable with separators
_PREFIX_SIGNS = {"$": "$", "€": "€", "£": "£", "¥": "¥", "₩": "₩"}
_WHOLE_CURRENCIES = {"원", "₩", "¥", "엔"}


def superscript(exponent: int) -> str:
    """Return an exponent in superscript digits."""
    return str(exponent).translate(_SUPERSCRIPTS)


def terminates(value: Fraction, places: int = _EXACT_PLACES) -> bool:
    """Tell whether the value has at most ``places`` decimal places."""
    return pow(10, places, value.denominator) == 0 or value.denominator == 1


def _scientific(value: Fraction, digits: int = 8) -> str:
    exponent = magnitude(value)
    scaled = value / (Fraction(10) ** exponent)
    mantissa = round(scaled, digits - 1)
    if abs(mantissa) >= 10:
        mantissa /= 10
        exponent += 1
    return f"{_plain(mantissa)} × 10{superscript(exponent)}"


def magnitude(value: Fraction) -> int:
    """Return floor(log10(|value|)) without floating point."""
    value = abs(value)
    estimate = len(str(value.numerator)) - len(str(value.denominator))
    return estimate if Fraction(10) ** estimate <= value else estimate - 1


def _plain(value: Fraction) -> str:
    """Return a terminating decimal in full, with separators."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 1)
    if not rest:
        return f"{sign}{whole:,}"
    places = 1
    while (rest * 10**places).denominator != 1:
        places += 1
    return f"{sign}{whole:,}.{rest * 10**places!s:0>{places}}"


def rounded(value: Fraction, places: int) -> str:
    """Return the value with exactly ``places`` decimals, halves away from zero."""
    scaled = abs(value) * 10**places
    whole = math.floor(scaled + Fraction(1, 2))
    sign = "-" if value < 0 and whole else ""
    head, tail = divmod(whole, 10**places)
    return f"{sign}{head:,}.{tail:0{places}}" if places else f"{sign}{head:,}"


def figure(value: Fraction, places: int = _PLACES) -> str:
    """Return a number for reading: exact when short, else rounded.

    Integers keep every digit (grouped up to 30 of them); a decimal that ends within 12
    places is kept whole; anything else is rounded to ``places`` decimals, or as many
    significant digits when below one.
    """
    if value.denominator == 1:
        number = value.numerator
        return f"{number:,}" if abs(number) < 10**_GROUPED_DIGITS else str(number)
    size = abs(value)
    if size >= 10**15 or size < Fraction(1, 10**6):
        return _scientific(value)
    if terminates(value):
        return _plain(value)
    kept = places if size >= 1 else places - 1 - magnitude(value)
    return trimmed(rounded(value, min(kept, _EXACT_PLACES)))


def trimmed(text: str) -> str:
    """Drop zeros that end a decimal part."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_shown_exactly(value: Fraction) -> bool:
    """Tell whether ``figure`` loses nothing."""
    if value.denominator == 1:
        return True
    size = abs(value)
    return terminates(value) and Fraction(1, 10**6) <= size < 10**15


def sign_of(value: Fraction, *, exact: bool = True) -> str:
    """Return "=" when the shown figure is the value itself, else "≈"."""
    return "=" if exact and is_shown_exactly(value) else "≈"


def money(value: Fraction, currency: str) -> str:
    """Return an amount in its currency: cents unless whole; no part of a won or yen."""
    if not currency:
        return figure(value, 2) if not terminates(value, 4) else figure(value)
    whole = currency in _WHOLE_CURRENCIES
    text = rounded(value, 0 if (whole and abs(value) >= 1) or value.denominator == 1 else 2)
    if whole:
        text = trimmed(text)
    if currency in _PREFIX_SIGNS:
        return f"-{currency}{text[1:]}" if text.startswith("-") else f"{currency}{text}"
    if currency.isascii():
        return f"{text} {currency}"
    return f"{text if whole else trimmed(text)}{currency}"


def money_sign(value: Fraction, currency: str) -> str:
    """Return "=" when ``money`` shows the whole value, else "≈"."""
    if not currency:
        return sign_of(value) if terminates(value, 4) else "≈"
    places = 0 if currency in _WHOLE_CURRENCIES and abs(value) >= 1 else 2
    return "=" if terminates(value, places) else "≈"


def fraction_text(value: Fraction) -> str:
    """Return a value as a fraction in lowest terms, with the whole part apart."""
    if value.denominator == 1:
        return figure(value)
    whole, rest = divmod(abs(value), 1)
    sign = "-" if value < 0 else ""
    tail = f"{rest.numerator}/{rest.denominator}"
    return f"{sign}{whole:,} {tail}" if whole else f"{sign}{tail}"


def decimal_of(value: Fraction, digits: int = 40) -> Decimal:
    """Return the value as a Decimal of ``digits`` significant digits."""
    with localcontext() as context:
        context.prec = digits
        return Decimal(value.numerator) / Decimal(value.denominator)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; cells must not hold line breaks."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )
