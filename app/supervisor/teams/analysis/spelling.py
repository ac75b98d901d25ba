"""Numbers in words, English and Korean."""

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_KOREAN = "영일이삼사오육칠팔구"
_HUNDRED = 100


def english(value: int) -> str:
    """Return a whole number below 10**15 in English words."""
    if value < 0:
        return f"minus {english(-value)}"
    for size, name in _SCALES:
        if value >= size:
            head, rest = divmod(value, size)
            return f"{english(head)} {name}" + (f" {english(rest)}" if rest else "")
    if value >= _HUNDRED:
        head, rest = divmod(value, _HUNDRED)
        return f"{ONES[head]} hundred" + (f" {english(rest)}" if rest else "")
    if value < len(ONES):
        return ONES[value]
    tens, rest = divmod(value, 10)
    return TENS[tens - 2] + (f"-{ONES[rest]}" if rest else "")


def korean(value: int) -> str:
    """Return a whole number below 10**16 in Korean words."""
    if value < 0:
        return f"마이너스 {korean(-value)}"
    if value == 0:
        return "영"
    pieces: list[str] = []
    for size, name in ((10**12, "조"), (10**8, "억"), (10**4, "만"), (1, "")):
        section, value = divmod(value, size)
        if section:
            spoken = _section(section)
            pieces.append("만" if spoken == "일" and name == "만" and not pieces else spoken + name)
    return " ".join(pieces)


def _section(value: int) -> str:
    spoken = ""
    for size, name in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        digit, value = divmod(value, size)
        if digit:
            spoken += ("" if digit == 1 and name else _KOREAN[digit]) + name
    return spoken
