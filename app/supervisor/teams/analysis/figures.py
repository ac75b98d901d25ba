"""Finding the numbers of a text, in digits and in words, in English and Korean."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis import korean_numbers, spelling
from app.supervisor.teams.analysis.working import too_large

_MOST_DIGITS = 200
_MOST_EXPONENT = 400

_UNITS = {name: value for value, name in enumerate(spelling.ONES)}
_TENS = {name: 10 * value for value, name in enumerate(spelling.TENS, start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6}
_PARTS |= {"seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "hundredth": 100}
_PARTS |= {f"{name}s": size for name, size in _PARTS.items() if name not in {"half", "halves"}}
_NOT_BEFORE_ONE = {"which", "this", "that", "each", "any", "every", "no", "the", "another"}
_NOT_AFTER_ONE = {"of", "that", "with", "is", "which", "who", "way", "thing", "or", "more", "can"}
_NOT_AFTER_ONE |= {"has", "was", "and", "would", "should", "does", "by", "word", "sentence", "line"}

_WORD = re.compile(r"[A-Za-z]+")
_GAP = re.compile(r"[ -]|,? and |, ")
_DIGITS = re.compile(
    r"(?<![A-Za-z0-9_.,\U000f0000-\U000ffffd])(?:"
    r"(?>[0-9]{1,3}(?:,[0-9]{3})+)(?![0-9])(?>(?:\.[0-9]+)?)"
    r"|(?>[0-9]+)(?>(?:\.[0-9]+)?)"
    r"|(?>\.[0-9]+)"
    r")(?!\.[0-9])(?>(?:[eE][+-]?[0-9]{1,6}(?![A-Za-z0-9]))?)"
)
# a list such as 3,5,7 may follow a comma at once; a thousands group may not
_AFTER_COMMA = re.compile(r"(?<=[0-9],)[0-9]+(?>(?:\.[0-9]+)?)(?![0-9.])")
_SKIPPED = re.compile(
    r"(?<![0-9A-Za-z])0[xXbBoO][0-9a-fA-F]++|(?<![0-9])[0-9]{4}s\b"
    r"|(?<![0-9.])[0-9]++(?:\.[0-9]++){2,}"
)
_SCALE = re.compile(r"[ -]?(hundred|thousand|million|billion|trillion|dozen)s?\b", re.IGNORECASE)
_KILO = re.compile(
    r"[kK](?![A-Za-z])(?! ?(?:to|in|into|as|는|은|를) ?(?:celsius|fahrenheit|°|[CF]\b|섭씨|화씨))"
)
_SHORT_SCALE = re.compile(r"(bn|mn|[mMbB])(?![A-Za-z])")
_SHORT_SIZES = {"bn": 10**9, "b": 10**9, "mn": 10**6, "m": 10**6}
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
_AND_PART = re.compile(r" and (a half|a quarter|three quarters)\b", re.IGNORECASE)
_AND_PARTS = {
    "a half": Fraction(1, 2),
    "a quarter": Fraction(1, 4),
    "three quarters": Fraction(3, 4),
}
_MIXED = re.compile(r" ([0-9]{1,3})/([0-9]{1,3})(?![0-9/.])")
_SIMPLE = re.compile(
    r"/([0-9]{1,9})(?= ?(?:[A-Za-z가-힣,;]|$|[?.]$))(?! ?[xX] ?[0-9(])(?! ?(?:시간|분|초)당)"
)
_PREFIX = re.compile(r"(?:US|CA|AU|HK)?([$€£¥₩])\s?$")
_SUFFIX = re.compile(
    r"\s?(?:(원)(?!주율|형|소|인(?!데|지|가|가요)|룸|래|칙|본|기둥|통)|(달러|불(?![가-힣])"
    r"|dollars?\b|usd\b|bucks?\b)"
    r"|(유로(?!파)|euros?\b|eur\b|€)|(파운드(?=\s?(?:어치|짜리))|quid\b|gbp\b)|(엔(?![가-힣]{2}"
    r"|진)|yen\b|jpy\b)"
    r"|(krw\b|won\b)|(위안|yuan\b|cny\b|rmb\b)|(cents?\b|¢))",
    re.IGNORECASE,
)
# in the order of the groups above; the last are cents
_CURRENCIES = ("원", "$", "€", "£", "¥", "₩", "CNY", "$")
_KOREAN_CURRENCIES = ("원", "달러", "유로", "£", "엔", "₩", "위안", "$")
_PERCENT = re.compile(
    r"%(?![0-9(])| %(?!\s*[0-9(])|[ -]?(?:percent\b|per ?cent\b|pct\b|퍼센트|프로(?!그|젝|세|토"
    r"|필)|할(?!인|당|부)(?= |$|의|을|은|이|를))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stood in the text."""

    value: Fraction
    currency: str = ""  # $, €, £, ¥, ₩, 원, 달러, 유로, 엔, 위안
    percent: bool = False
    ordinal: bool = False
    text: str = ""


def spans(text: str) -> list[tuple[int, int, Number]]:
    """Return (start, end, number) for every number of the text, in order.

    Linear in the text. Raises Refused for a number of more than 200 digits.
    """
    found: list[tuple[int, int, Number]] = []
    skipped = [match.span() for match in _SKIPPED.finditer(text)]
    words = _english_spans(text) + korean_numbers.word_spans(text)
    starts = sorted(
        [(match.start(), match.end()) for match in _DIGITS.finditer(text)]
        + [(match.start(), match.end()) for match in _AFTER_COMMA.finditer(text)]
    )
    skip_index = 0
    covered = 0
    for start, end in starts:
        while skip_index < len(skipped) and skipped[skip_index][1] <= start:
            skip_index += 1
        inside = skip_index < len(skipped) and skipped[skip_index][0] <= start
        if inside or start < covered:
            continue
        stop, number = _digits_at(text, start, end)
        found.append(_dressed(text, start, stop, number))
        covered = found[-1][1]
    taken = [(start, end) for start, end, _ in found]
    for start, end, value in words:
        if not any(first < end and start < last for first, last in _near(taken, start)):
            found.append(_dressed(text, start, end, Number(value)))
    return _apart(sorted(found, key=lambda span: (span[0], -span[1])))


def _near(taken: list[tuple[int, int]], start: int) -> list[tuple[int, int]]:
    index = bisect_left(taken, (start, 0))
    return taken[max(0, index - 1) : index + 2]


def _apart(found: list[tuple[int, int, Number]]) -> list[tuple[int, int, Number]]:
    """Drop spans that overlap an earlier one."""
    kept: list[tuple[int, int, Number]] = []
    for span in found:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _digits_at(text: str, start: int, end: int) -> tuple[int, Number]:  # noqa: PLR0911 - one return for each form
    if end - start > _MOST_DIGITS:
        raise too_large()
    korean = korean_numbers.mixed_value(text, start)
    if korean is not None:
        return korean[0], Number(korean[1])
    value = _literal(text[start:end])
    if match := _MIXED.match(text, end):
        below = int(match.group(2))
        if below and value.denominator == 1 and int(match.group(1)) < below:
            return match.end(), Number(value + Fraction(int(match.group(1)), below))
    if (match := _SIMPLE.match(text, end)) and value.denominator == 1 and int(match.group(1)):
        before = text[:start].rstrip()[-1:]
        if before not in set("+-*/^×÷=(") and not before.isdigit():
            return match.end(), Number(value / int(match.group(1)))
    if match := _SCALE.match(text, end):
        size = {"hundred": 100, "dozen": 12, **_SCALES}[match.group(1).lower()]
        return match.end(), Number(value * size)
    if match := _KILO.match(text, end):
        return match.end(), Number(value * 1000)
    if _PREFIX.search(text, max(0, start - 5), start) and (match := _SHORT_SCALE.match(text, end)):
        return match.end(), Number(value * _SHORT_SIZES[match.group(1).lower()])
    if match := _ORDINAL.match(text, end):
        return match.end(), Number(value, ordinal=True)
    if match := _AND_PART.match(text, end):
        return match.end(), Number(value + _AND_PARTS[match.group(1).lower()])
    return end, Number(value)


def _literal(digits: str) -> Fraction:
    mantissa, _, exponent = digits.lower().replace(",", "").partition("e")
    if exponent and abs(int(exponent)) > _MOST_EXPONENT:
        raise too_large()
    return Fraction(mantissa) * Fraction(10) ** int(exponent or 0)


def _dressed(text: str, start: int, end: int, number: Number) -> tuple[int, int, Number]:
    """Widen a span by its sign, currency or percent sign."""
    value, currency = number.value, ""
    if match := _PERCENT.match(text, end):
        value = value * 10 if match.group().strip() == "할" else value
        start, value = _signed(text, start, match.end(), value)
        return start, match.end(), Number(value, percent=True, text=text[start : match.end()])
    if match := _PREFIX.search(text, max(0, start - 6), start):
        currency, start = match.group(1), match.start()
    elif match := _SUFFIX.match(text, end):
        korean = match.group().strip() in {"달러", "불", "유로", "엔", "위안"}
        names = _KOREAN_CURRENCIES if korean else _CURRENCIES
        kind = next(index for index, group in enumerate(match.groups()) if group)
        currency, end = names[kind], match.end()
        value = value / 100 if kind == len(names) - 1 else value
    start, value = _signed(text, start, end, value)
    return start, end, Number(value, currency, ordinal=number.ordinal, text=text[start:end])


def _signed(text: str, start: int, end: int, value: Fraction) -> tuple[int, Fraction]:
    """Take in a minus sign that belongs to the number and not to an operation."""
    if text[start - 1 : start] != "-" or text[end : end + 2].lstrip()[:1] in {"^", "!"}:
        return start, value
    if text[end : end + 2] == "**":
        return start, value
    before = text[: start - 1]
    last = before.rstrip(" ")[-1:]
    glued = before[-1:] not in {
        "",
        " ",
        "(",
        ",",
        "[",
        "=",
        ":",
        "*",
        "/",
        "+",
        "\t",
        "\n",
        "|",
        "<",
        ">",
    }
    if glued or last.isdigit() or last in {")", "%", "]", "!"}:
        return start, value
    return start - 1, -value


def _english_spans(text: str) -> list[tuple[int, int, Fraction]]:
    words = [(m.start(), m.end(), m.group().lower()) for m in _WORD.finditer(text)]
    found: list[tuple[int, int, Fraction]] = []
    index = 0
    while index < len(words):
        taken, value = _english_at(text, words, index)
        if taken:
            found.append((words[index][0], words[index + taken - 1][1], value))
        index += taken or 1
    return found


def _english_at(text: str, words: list[tuple[int, int, str]], at: int) -> tuple[int, Fraction]:  # noqa: PLR0911 - one return for each form
    """Return how many words from ``at`` make a number, and its value."""
    word = words[at][2]
    following = words[at + 1][2] if at + 1 < len(words) else ""
    if word in {"a", "an"}:
        return _after_article(text, words, at, following)
    if word == "half" and following == "of":
        return 1, Fraction(1, 2)
    if word == "half" and following in {"a", "an"}:
        dozen = at + 2 < len(words) and words[at + 2][2] == "dozen"
        return (3, Fraction(6)) if dozen else (2, Fraction(1, 2))
    if word not in _UNITS and word not in _TENS:
        return 0, Fraction(0)
    if word == "one" and _is_pronoun(words, at, following):
        return 0, Fraction(0)
    taken, value = _cardinal(text, words, at)
    end = at + taken
    if end < len(words) and words[end][2] in _PARTS and _joined(text, words, end):
        return taken + 1, Fraction(value, _PARTS[words[end][2]])
    if end < len(words) and words[end][2] == "dozen":
        return taken + 1, Fraction(value * 12)
    rest = [entry[2] for entry in words[end : end + 3]]
    if rest[:3] == ["and", "a", "half"]:
        return taken + 3, Fraction(value) + Fraction(1, 2)
    return taken, Fraction(value)


def _after_article(
    text: str, words: list[tuple[int, int, str]], at: int, following: str
) -> tuple[int, Fraction]:
    after = words[at + 2][2] if at + 2 < len(words) else ""
    if following in _PARTS and after == "of":
        return 2, Fraction(1, _PARTS[following])
    if following == "dozen":
        return 2, Fraction(12)
    if following in _SCALES or following == "hundred":
        taken, value = _cardinal(text, words, at)
        return taken, Fraction(value)
    return 0, Fraction(0)


def _is_pronoun(words: list[tuple[int, int, str]], at: int, following: str) -> bool:
    before = words[at - 1][2] if at else ""
    return before in _NOT_BEFORE_ONE or not following or following in _NOT_AFTER_ONE


def _joined(text: str, words: list[tuple[int, int, str]], index: int) -> bool:
    """Tell whether a word follows the one before it as part of one number."""
    return _GAP.fullmatch(text, words[index - 1][1], words[index][0]) is not None


def _cardinal(text: str, words: list[tuple[int, int, str]], at: int) -> tuple[int, int]:
    total = section = 0
    last = 10**3  # the size of the word before; a number's words fall in size
    index, end = at, at
    while index < len(words):
        word = words[index][2]
        if word == "and" and section >= 100 and index > at:
            index += 1
            continue
        if index > at and words[index - 1][2] != "and" and not _joined(text, words, index):
            break
        if word in {"a", "an"} and index == at:
            section, last = 1, 10
        elif word in _UNITS and (index == at or last > _UNITS[word]) and last not in {1, 11}:
            section, last = section + _UNITS[word], 1
        elif word in _TENS and last > 10:
            section, last = section + _TENS[word], 10
        elif word == "hundred" and 0 < section < 100:
            section, last = section * 100, 100
        elif word in _SCALES and section:
            total, section, last = total + section * _SCALES[word], 0, 10**3
        else:
            break
        index += 1
        end = index
    return end - at, total + section
