"""Solving how numbers are written: bases, Roman numerals, scientific notation, words."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.offline.particles import means
from app.supervisor.teams.analysis import display, spelling
from app.supervisor.teams.analysis.clause import Clause
from app.supervisor.teams.analysis.working import Refused, Setting, Working, too_large

_NAMES = {
    2: r"binary|base[- ]?(?:2|two)\b|이진수|2진수|2진법|이진법",
    8: r"octal|base[- ]?(?:8|eight)\b|8진수|8진법|팔진수",
    10: r"decimal|base[- ]?(?:10|ten)\b|denary|10진수|10진법|십진수|십진법",
    16: r"hexadecimal|hex\b|base[- ]?(?:16|sixteen)\b|16진수|16진법|십육진수|헥사",
}
_BASES = {base: re.compile(rf"(?:{words})", re.IGNORECASE) for base, words in _NAMES.items()}
_ANY_BASE = re.compile(r"base[- ]?(\d{1,2})\b|(\d{1,2})진[수법]", re.IGNORECASE)
_PREFIXED = re.compile(
    r"(?<![0-9A-Za-z])(?:0x(?P<hex>[0-9a-fA-F]{1,64})|0b(?P<bin>[01]{1,256})"
    r"|0o(?P<oct>[0-7]{1,96}))(?![0-9A-Za-z])"
)
_LITERAL = re.compile(r"(?<![0-9A-Za-z.,_])([0-9A-Fa-f]{1,256})(?![0-9A-Za-z_]|[.,][0-9])")
_SOURCE_AFTER = re.compile(r"^\s?(?:\(|in |from )?\s?$")
_ROMAN = re.compile(
    r"(?<![A-Za-z])(M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?![A-Za-z])"
)
_ROMAN_ASKED = re.compile(
    r"roman|로마\s?숫자|\b[MDCLXVI]{2,15} (?:as a number|in (?:arabic |normal )?(?:numbers"
    r"|numerals|digits))",
    re.IGNORECASE,
)
_ROMAN_SIGNS = (
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)
_SCIENTIFIC = re.compile(
    r"scientific notation|standard form|과학적?\s?(?:표기|기수)|지수\s?표기", re.IGNORECASE
)
_IN_WORDS = re.compile(
    r"in words|spell(?:ed)? out|written out|한글로|읽으면|말로|in (?:english|korean) words"
    r"|어떻게 읽",
    re.IGNORECASE,
)
_ROUND = re.compile(r"\bround|반올림", re.IGNORECASE)
_NEAREST = re.compile(
    r"nearest (tenth|hundredth|thousandth|ten|hundred|thousand|million|integer|whole|dollar|cent"
    r"|unit)|(일|십|백|천|만)의\s?자리|소수점?\s?(첫|둘|셋|넷|다섯)째\s?자리",
    re.IGNORECASE,
)
_PLACES_OF = {
    "tenth": 1,
    "hundredth": 2,
    "thousandth": 3,
    "ten": -1,
    "hundred": -2,
    "thousand": -3,
    "million": -6,
    "integer": 0,
    "whole": 0,
    "dollar": 0,
    "cent": 2,
    "unit": 0,
    "일": 0,
    "십": -1,
    "백": -2,
    "천": -3,
    "만": -4,
    "첫": 1,
    "둘": 2,
    "셋": 3,
    "넷": 4,
    "다섯": 5,
}
_SIGNIFICANT = re.compile(r"significant (?:figures?|digits?)|유효\s?숫자|sig figs?", re.IGNORECASE)
_PLACES = re.compile(r"decimal|d\.?p|places|소수점?", re.IGNORECASE)
_SHAPES = re.compile(r"triangle|height|\barea\b|volume|삼각형|넓이|부피", re.IGNORECASE)
_COMPLETE = 2


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause about notation. Raises Refused for a digit the base does not have."""
    for solver in (_roman, _based, _scientific, _words, _rounded):
        if (working := solver(clause, setting)) is not None:
            return working
    return None


def _bases_named(text: str) -> list[tuple[int, int, int]]:
    """Return (start, end, base) of the bases a text names, in order."""
    found = [
        (m.start(), m.end(), base) for base, words in _BASES.items() for m in words.finditer(text)
    ]
    for match in _ANY_BASE.finditer(text):
        base = int(match.group(1) or match.group(2))
        if 2 <= base <= 36:
            found.append((match.start(), match.end(), base))
    found.sort(key=lambda one: (one[0], -one[1]))
    kept: list[tuple[int, int, int]] = []
    for one in found:
        if not kept or one[0] >= kept[-1][1]:
            kept.append(one)
    return kept


def _based(clause: Clause, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    text = clause.text
    if _SHAPES.search(text):
        return None  # a triangle has a base too
    named = _bases_named(text)
    prefixed = _PREFIXED.search(text)
    if prefixed:
        digits, source = next(
            (prefixed[name], base)
            for name, base in (("hex", 16), ("bin", 2), ("oct", 8))
            if prefixed[name]
        )
        target = next((base for _, _, base in named if base != source), 10)
        if not named and not re.search(
            r"convert|what|decimal|value|변환|얼마|몇", text, re.IGNORECASE
        ):
            return None
        return _converted(digits, source, target, setting)
    literal = _literal(text, named) if named else None
    if literal is None:
        return None
    at, digits = literal
    if len(clause.numbers) > 1 + sum(
        bool(re.search(r"\d", text[low:high])) for low, high, _ in named
    ):
        return None
    if len(named) == 1 and named[0][2] == 10:
        if digits.isdigit() or not set(digits.upper()) <= set("0123456789ABCDEF"):
            return None
        return _converted(digits, 16, 10, setting)
    if len(named) >= _COMPLETE:
        source, target = _directed(text, at, named)
    elif _belongs(text, at, digits, named[0]):
        source, target = named[0][2], 10
    else:
        source, target = 10, named[0][2]
    return _converted(digits, source, target, setting)


def _literal(text: str, named: list[tuple[int, int, int]]) -> tuple[int, str] | None:
    for match in _LITERAL.finditer(text.replace(",", "")):
        inside = any(low <= match.start() < high for low, high, _ in named)
        if not inside and (
            match.group(1)[0].isdigit() or re.fullmatch(r"[A-F]{1,16}|[0-9A-F]+", match.group(1))
        ):
            if match.group(1) == "A" or (
                match.group(1).isalpha() and len(match.group(1)) < _COMPLETE
            ):
                continue
            return match.start(), match.group(1)
    return None


def _directed(text: str, at: int, named: list[tuple[int, int, int]]) -> tuple[int, int]:
    first, second = named[0], named[1]
    if re.search(r"\bfrom\s*$", text[: second[0]], re.IGNORECASE):
        return second[2], first[2]
    between = text[first[1] : second[0]]
    if (
        re.search(r"\bto\b|into|->|로|으로|\bin\b|를|을|은|는", between, re.IGNORECASE)
        or at < second[0]
    ):
        return first[2], second[2]
    return second[2], first[2]


def _belongs(text: str, at: int, digits: str, base: tuple[int, int, int]) -> bool:
    """Tell whether the named base is the number's own: binary 1010, FF in hex."""
    gap_before = text[base[1] : at] if base[1] <= at else None
    if gap_before is not None:
        own = re.fullmatch(r"\s?(?:number|value|수)?\s?(?:인)?\s?", gap_before) is not None
        return own and not re.search(r"\b(?:to|in|into)\s*$", text[: base[0]], re.IGNORECASE)
    if not digits.isdigit() and base[2] == 16:
        return True
    after = text[at + len(digits) : base[0]]
    return bool(re.fullmatch(r"\s?(?:\(|from |from)?\s?", after))


def _converted(digits: str, source: int, target: int, setting: Setting) -> Working:
    try:
        value = int(digits, source)
    except ValueError as error:
        raise Refused(
            "bad_digits",
            f"“{digits}” is not a number in base {source}.",
            f"“{digits}”에는 {source}진수에 없는 숫자가 있어요.",
        ) from error
    if value.bit_length() > 256:
        raise too_large()
    shown = in_base(value, target)
    lead = setting.say(
        f"{digits.upper()} (base {source}) = {shown} (base {target})",
        f"{digits.upper()}({source}진수) = {shown}({target}진수)",
    )
    steps = []
    if source != 10 and len(digits) <= 12:
        terms = [
            f"{int(d, source)}×{source}{display.superscript(len(digits) - 1 - i)}"
            for i, d in enumerate(digits)
            if d != "0"
        ]
        steps.append(f"{' + '.join(terms) or '0'} = {value:,}")
    if target != 10 and 0 < value < 10**6:
        steps.append(_divisions(value, target, setting))
    return Working(lead, tuple(steps), value=Fraction(value))


def _divisions(value: int, base: int, setting: Setting) -> str:
    rests = []
    while value:
        value, rest = divmod(value, base)
        rests.append(in_base(rest, base))
    word = setting.say(
        f"Remainders of dividing by {base}, last first", f"{means(str(base))} 나눈 나머지를 거꾸로"
    )
    return f"{word}: {' '.join(reversed(rests))}"


def in_base(value: int, base: int) -> str:
    """Return a whole number's digits in a base from 2 to 36."""
    if value < 0:
        return "-" + in_base(-value, base)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    found = ""
    while value:
        value, rest = divmod(value, base)
        found = digits[rest] + found
    return found or "0"


def _roman(clause: Clause, _: Setting) -> Working | None:
    if not _ROMAN_ASKED.search(clause.text):
        return None
    if len(clause.numbers) == 1:
        value = clause.numbers[0].value
        if value.denominator != 1 or not 1 <= value <= 3999:
            raise Refused(
                "out_of_range",
                "Roman numerals go from 1 to 3,999.",
                "로마 숫자는 1부터 3,999까지예요.",
            )
        return Working(f"{value.numerator} = {to_roman(value.numerator)}")
    for match in _ROMAN.finditer(clause.text):
        if match.group(1) and (
            len(match.group(1)) > 1 or not re.match(r"I\b(?! =)", match.group(1))
        ):
            number = from_roman(match.group(1))
            parts = " + ".join(str(part) for part in _roman_parts(match.group(1)))
            steps = (f"{parts} = {number:,}",) if "+" in parts else ()
            return Working(f"{match.group(1)} = {number:,}", steps, value=Fraction(number))
    return None


def to_roman(value: int) -> str:
    """Return a number from 1 to 3,999 in Roman numerals."""
    found = ""
    for size, sign in _ROMAN_SIGNS:
        while value >= size:
            found, value = found + sign, value - size
    return found


def _roman_parts(text: str) -> list[int]:
    parts = []
    while text:
        size, sign = next((size, sign) for size, sign in _ROMAN_SIGNS if text.startswith(sign))
        parts.append(size)
        text = text[len(sign) :]
    return parts


def from_roman(text: str) -> int:
    """Return the value of well-formed Roman numerals."""
    return sum(_roman_parts(text))


def _scientific(clause: Clause, _: Setting) -> Working | None:
    if (
        not _SCIENTIFIC.search(clause.text)
        or len(clause.numbers) != 1
        or not clause.numbers[0].value
    ):
        return None
    value = clause.numbers[0].value
    text = display.figure(value)
    exponent = display.magnitude(value)
    mantissa = value / Fraction(10) ** exponent
    sign = display.sign_of(mantissa)
    return Working(
        f"{text} {sign} {display.figure(mantissa)} × 10{display.superscript(exponent)}", value=value
    )


def _words(clause: Clause, setting: Setting) -> Working | None:
    if not _IN_WORDS.search(clause.text) or len(clause.numbers) != 1:
        return None
    number = clause.numbers[0]
    if number.value.denominator != 1 or abs(number.value) >= 10**15:
        return None
    korean = setting.language == "ko" or "korean" in clause.text.lower()
    spoken = (
        spelling.korean(number.value.numerator)
        if korean
        else spelling.english(number.value.numerator)
    )
    return Working(f"{display.figure(number.value)} = {spoken}")


def _rounded(clause: Clause, setting: Setting) -> Working | None:
    if not _ROUND.search(clause.text) or not 1 <= len(clause.numbers) <= _COMPLETE:
        return None
    number = clause.numbers[0]
    count = clause.numbers[1].value if len(clause.numbers) == _COMPLETE else None
    nearest = _NEAREST.search(clause.text)
    if nearest is not None:
        word = next(group for group in nearest.groups() if group).lower()
        if number.text.lower() == word:
            return None  # "round that to the nearest ten": the number is elsewhere
        places = _PLACES_OF[word]
    elif (
        count is not None and _SIGNIFICANT.search(clause.text) and number.value and 1 <= count <= 30
    ):
        places = int(count) - 1 - display.magnitude(number.value)
    elif count is not None and _PLACES.search(clause.text) and 0 <= count <= 30:
        places = int(count)
        if setting.language == "ko" and re.search(r"자리에서", clause.text):
            places -= 1
    elif count is None:
        places = 0
    else:
        return None
    if setting.language == "ko" and nearest is not None and "자리에서" in clause.text:
        places -= 1
    scale = Fraction(10) ** places
    value = Fraction(display.rounded(number.value * scale, 0).replace(",", "")) / scale
    shown = display.rounded(value, places) if places > 0 else display.figure(value)
    return Working(
        f"{display.figure(number.value)} ≈ {shown}" if value != number.value else shown, value=value
    )
