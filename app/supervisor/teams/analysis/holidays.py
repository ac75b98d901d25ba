"""Days people call by name: Christmas, 추석, Thanksgiving."""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from dateutil.easter import easter

# lunar days as the Korean calendar sets them; beyond these years we say we do not know
_SEOLLAL = {2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 7), 2028: (1, 27)}
_SEOLLAL |= {2029: (2, 13), 2030: (2, 3)}
_CHUSEOK = {2024: (9, 17), 2025: (10, 6), 2026: (9, 25), 2027: (9, 15), 2028: (10, 3)}
_CHUSEOK |= {2029: (9, 22), 2030: (9, 12)}


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _fixed(month: int, day: int) -> Callable[[int], date | None]:
    return lambda year: date(year, month, day)


def _lunar(table: dict[int, tuple[int, int]]) -> Callable[[int], date | None]:
    return lambda year: date(year, *table[year]) if year in table else None


_NAMED: tuple[tuple[str, Callable[[int], date | None]], ...] = (
    (r"christmas eve|크리스마스\s?이브", _fixed(12, 24)),
    (r"christmas(?: day)?|xmas|크리스마스|성탄절", _fixed(12, 25)),
    (r"new year'?s? eve", _fixed(12, 31)),
    (r"new year(?:'?s)?(?: day)?\b|새해(?:\s?첫날)?|신정", _fixed(1, 1)),
    (r"valentine'?s?(?: day)?|발렌타인\s?데이|밸런타인\s?데이", _fixed(2, 14)),
    (r"화이트\s?데이", _fixed(3, 14)),
    (r"halloween|핼러윈|할로윈", _fixed(10, 31)),
    (r"independence day|(?:the )?(?:4th|fourth) of july", _fixed(7, 4)),
    (r"st\.? patrick'?s day", _fixed(3, 17)),
    (r"april fools'?(?: day)?|만우절", _fixed(4, 1)),
    (r"thanksgiving(?: day)?|추수감사절", lambda year: _nth_weekday(year, 11, 3, 4)),
    (r"labor day", lambda year: _nth_weekday(year, 9, 0, 1)),
    (r"easter(?: sunday)?|부활절", easter),
    (r"삼일절|3\.1절", _fixed(3, 1)),
    (r"어린이날", _fixed(5, 5)),
    (r"어버이날", _fixed(5, 8)),
    (r"스승의\s?날", _fixed(5, 15)),
    (r"현충일", _fixed(6, 6)),
    (r"제헌절", _fixed(7, 17)),
    (r"광복절", _fixed(8, 15)),
    (r"개천절", _fixed(10, 3)),
    (r"한글날", _fixed(10, 9)),
    (r"빼빼로\s?데이", _fixed(11, 11)),
    (r"근로자의\s?날|노동절", _fixed(5, 1)),
    (r"seollal|lunar new year|설날|구정", _lunar(_SEOLLAL)),
    (r"chuseok|추석|한가위", _lunar(_CHUSEOK)),
)
_ANY = re.compile(
    "|".join(f"(?P<h{i}>{names})" for i, (names, _) in enumerate(_NAMED)), re.IGNORECASE
)
_YEAR_AFTER = re.compile(r",? (?:of |in )?(1[5-9]\d\d|2[01]\d\d)(?!\d)")
_YEAR_BEFORE = re.compile(r"(1[5-9]\d\d|2[01]\d\d)년?\s?$")
_RELATIVE_BEFORE = re.compile(r"(next|this|last|올해|내년|작년)\s?$", re.IGNORECASE)


def spans(text: str, today: date) -> Iterator[tuple[int, int, date | None, bool]]:
    """Yield (start, end, day, whether the year was given) for each named day.

    Without a year it is the next one to come, today included. The day is None when the
    calendar of that year is not known here.
    """
    for match in _ANY.finditer(text):
        rule = _NAMED[int(str(match.lastgroup)[1:])][1]
        start, end = match.span()
        if after := _YEAR_AFTER.match(text, end):
            yield start, after.end(), rule(int(after.group(1))), True
        elif before := _YEAR_BEFORE.search(text, max(0, start - 7), start):
            yield before.start(), end, rule(int(before.group(1))), True
        elif near := _RELATIVE_BEFORE.search(text, max(0, start - 6), start):
            word = near.group(1).lower()
            year = today.year + {"내년": 1, "작년": -1, "last": -1}.get(word, 0)
            coming = rule(year)
            if word == "next" and coming is not None and coming <= today:
                coming = rule(year + 1)
            yield near.start(), end, coming, True
        else:
            coming = rule(today.year)
            if coming is not None and coming < today:
                coming = rule(today.year + 1)
            yield start, end, coming, True
