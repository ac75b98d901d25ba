"""Korean numbers in text: 1억 2천만, 3만5천, 이십오, 네 명."""

import re
from fractions import Fraction

_DIGITS = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6}
_DIGITS |= {"칠": 7, "팔": 8, "구": 9}
_SMALL = {"십": 10, "백": 100, "천": 1000}
_LARGE = {"만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
_ONES = {"한": 1, "하나": 1, "두": 2, "둘": 2, "세": 3, "셋": 3, "석": 3, "네": 4, "넷": 4}
_ONES |= {"넉": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9}
_TENS = {"열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60}
_TENS |= {"일흔": 70, "여든": 80, "아흔": 90}
NATIVE = {**_ONES, **_TENS}
NATIVE |= {ten + one: _TENS[ten] + _ONES[one] for ten in _TENS for one in _ONES if ten != "스무"}

COUNTERS = (
    "명|개월|개|사람|배|시간|살|달|마리|권|병|잔|장|대|가지|주일|주|그릇|자루|켤레|판|줄|문장"
    "|문단|군데|곳"
    "|근|되|말|돈|냥|관|컵|큰술|작은술|숟갈|스푼|번째|단어|쪽|조각|상자|박스|봉지|팩|송이|포기"
    "|해|평|줄로"
)
# "이 만 원" reads as 이(this)+만; only joined runs count
_SINO = re.compile(r"(?<![가-힣\w])[일이삼사오육륙칠팔구십백천만억조]{2,20}")
_SINO_AFTER = re.compile(
    r"\s?(?:$|[^\w\s]|원|개|명|퍼센트|프로|더하|빼|곱하|나누|의|에|에서|을|를|은|는|과|와|년|월"
    r"|일|시간|분|초|도"
    r"|킬로|미터|센티|그램|리터|평|달러|살|번|배|이랑|하고)"
)
_NOT_NUMBERS = {
    "만일",
    "천만",
    "백일",
    "일일",
    "이일",
    "오만",
    "이만",
    "사이",
    "이사",
    "구이",
    "오이",
}
_COUNTED = re.compile(r"\s?(?:원(?!형|주|소)|명|개(?!월)|달러|배|퍼센트|%)")
_OPERATION = re.compile(r"더하|빼|곱하|나누|나눈|더한|뺀|곱한|제곱")
_LONE_SINO = re.compile(
    r"(?<![가-힣\w])([영일이삼사오육칠팔구])(?=\s?(?:더하기|빼기|곱하기|나누기))"
    r"|(?:더하기|빼기|곱하기|나누기)\s?([영일이삼사오육칠팔구])(?=\s*(?:$|[^가-힣]|은\s?[?얼]"
    r"|는\s?[?얼]))"
)
_NATIVE = re.compile(
    rf"(?<![가-힣\w])({'|'.join(sorted(NATIVE, key=len, reverse=True))})(?=\s?(?:{COUNTERS}))"
)
_LONE_UNIT = re.compile(r"(?<![가-힣\w.,])(?<!\d )[백천만억](?=\s?원(?!형|주|소|칙))")
_MIXED = re.compile(
    r"(\d[\d,]{0,24}(?:\.\d{1,12})?)\s?([십백천]?[만억조경]|[십백천])(?![가-힣]*[가-힣]?인분)"
)

_JOIN = re.compile(r"\s?(?=\d)")
_REST = re.compile(r"\s?(\d[\d,]{0,8})(?![\d.만억조천백십/:%월일년시분]|\s?[만억조천백])")


def sino(word: str) -> int | None:
    """Return the value of a Sino-Korean number word, or None when it is not one."""
    total = section = digit = 0
    last_small, last_large = 10**5, 10**20
    for letter in word:
        if letter in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[letter]
        elif letter in _SMALL:
            size = _SMALL[letter]
            if size >= last_small:
                return None
            section += (digit or 1) * size
            digit, last_small = 0, size
        elif letter in _LARGE:
            size = _LARGE[letter]
            if size >= last_large:
                return None
            total += ((section + digit) or 1) * size
            section = digit = 0
            last_small, last_large = 10**5, size
        else:
            return None
    return total + section + digit


def word_spans(text: str) -> list[tuple[int, int, Fraction]]:
    """Return (start, end, value) of the number words in the text, in order."""
    found: list[tuple[int, int, Fraction]] = []
    for match in _SINO.finditer(text):
        word = match.group()
        # a particle may look like a digit: 십이 is twelve, but 백이 may be 백 + 이
        has_unit = any(letter in "십백천만억조" for letter in word)
        counted = _COUNTED.match(text, match.end()) is not None
        if not has_unit or (word in _NOT_NUMBERS and not counted):
            continue
        if not _SINO_AFTER.match(text, match.end()):
            continue
        value = sino(word)
        if value is not None:
            found.append((match.start(), match.end(), Fraction(value)))
    if _OPERATION.search(text):
        for match in _LONE_SINO.finditer(text):
            group = 1 if match.group(1) else 2
            found.append((*match.span(group), Fraction(_DIGITS[match.group(group)])))
    sizes = _SMALL | _LARGE
    found += [(*match.span(), Fraction(sizes[match[0]])) for match in _LONE_UNIT.finditer(text)]
    found += [(*match.span(), Fraction(NATIVE[match[1]])) for match in _NATIVE.finditer(text)]
    return sorted(found)


def mixed_value(text: str, start: int) -> tuple[int, Fraction] | None:
    """Read digits with Korean units (3만 5천, 2억 3,500만) at ``start``.

    Returns the end and the value, or None when no unit follows the digits.
    """
    total = Fraction(0)
    section = Fraction(0)
    last_large, last_small = 10**20, 10**5
    end = start
    position = start
    while match := _MIXED.match(text, position):
        number = Fraction(match.group(1).replace(",", ""))
        units = match.group(2)
        if _follows_word(text, match.end(), units):
            break
        large = _LARGE.get(units[-1], 1)
        small = _SMALL.get(units[0], 1)
        if large > 1:
            if large >= last_large:
                break
            total += (section + number * small) * large
            section, last_large, last_small = Fraction(0), large, 10**5
        else:
            if small >= last_small:
                break
            section += number * small
            last_small = small
        end = match.end()
        space = _JOIN.match(text, end)
        if space is None:
            break
        position = space.end()
    if end == start:
        return None
    rest = _REST.match(text, end)
    floor = min(last_large if last_large < 10**20 else 10**5, last_small)
    if rest and (tail := int(rest.group(1).replace(",", ""))) < floor and tail >= 1:
        return rest.end(), total + section + tail
    return end, total + section


def _follows_word(text: str, end: int, units: str) -> bool:
    """Tell whether the unit letter starts an ordinary word (5만족, 3조각, 2천사)."""
    after = text[end : end + 1]
    return (units[-1] == "조" and after == "각") or (
        units[-1] == "만" and after in {"족", "큼", "나"}
    )
