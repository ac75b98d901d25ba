"""Solving lists of numbers: mean, median, mode, sum, extremes, spread, order."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.list_figures import Data, describe
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_MOST_NUMBERS = 5_000


_ASKS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(words, re.IGNORECASE))
    for name, words in (
        ("median", r"\bmedian\b|중앙값|중간값|중위수"),
        ("mode", r"\bmode\b|most (?:common|frequent)|최빈값"),
        ("variance", r"\bvariance\b|분산"),
        ("deviation", r"standard deviation|\bstd\b|\bstdev\b|\bsd\b|표준\s?편차"),
        (
            "range",
            r"\brange\b|범위|(?:가장|제일) (?:큰|높은|작은|낮은) (?:수|값|것)[와과] (?:(?:가장"
            r"|제일) )?(?:작은|낮은|큰|높은) (?:수|값|것)의 (?:차이|차)"
            r"|difference between (?:the )?(?:largest|highest|biggest|max\w*|smallest|lowest"
            r"|min\w*) and (?:the )?(?:smallest|lowest|min\w*|largest|highest|biggest|max\w*)",
        ),
        ("geometric", r"geometric mean|기하\s?평균"),
        ("harmonic", r"harmonic mean|조화\s?평균"),
        ("mean", r"\bmean\b|\baverage\b|\bavg\b|(?<!기하)(?<!기하 )(?<!조화)(?<!조화 )(?<!연)평균"),
        (
            "sum",
            r"\bsum\b|\btotal\b|\badd(?:ed)? (?:up|together|these|all)\b|\badd\b|합계|총합|총액"
            r"|합(?=은|을|이|$|\s|\?)|모두 더|더하면|더해|다 더",
        ),
        ("product", r"\bproduct\b|multiply (?:these|all)|곱(?=은|을|이|$|\s|\?)|모두 곱"),
        (
            "min",
            r"\bmin(?:imum)?\b|\bsmallest\b|\blowest\b|\bleast\b|\b(?:smaller|lower|lesser)\b"
            r"|최솟값|최소값|가장 (?:작|낮|적)|제일 (?:작|낮|적)",
        ),
        (
            "max",
            r"\bmax(?:imum)?\b|\blargest\b|\bhighest\b|\bbiggest\b|\bgreatest\b|\b(?:bigger"
            r"|larger|greater|higher)\b|더 (?:큰|커|높)|최댓값|최대값|가장 (?:크|큰|높|많)"
            r"|제일 (?:크|큰|높|많)",
        ),
        (
            "sort",
            r"\bsort(?:ed)?\b|\border(?:ed)? (?:these|from|by|the|ascending|descending)"
            r"|\barrange\b|\brank\b|정렬|오름차순|내림차순|크기\s?순|순서대로|작은 순|큰 순",
        ),
        ("count", r"\bcount\b|how many (?:numbers|values|items|entries)|개수|갯수"),
        ("quartile", r"\bquartiles?\b|\biqr\b|사분위"),
    )
)


_EVERYTHING = re.compile(
    r"\bstat(?:istic)?s\b|\bsummar(?:y|ise|ize)\b.{0,24}\bnumbers?|통계|요약 통계|기술 통계",
    re.IGNORECASE,
)


_DESCENDING = re.compile(
    r"descend|largest (?:to|first)|highest (?:to|first)|biggest|desc\b|내림차순|큰 (?:것부터|순)",
    re.IGNORECASE,
)


_PERCENTILE = pattern(r"<N:p> ?(?:percentile|백분위)")


_SAMPLE = re.compile(r"\bsample\b|표본", re.IGNORECASE)


_BETWEEN_TWO = re.compile(r"\bbetween\b", re.IGNORECASE)


_SHORT_GAP = 4


_SEPARATOR = re.compile(
    r"[,;/·、|]|\band\b|\bor\b|&|\+|[가-힣](?:와|과|랑|하고)\s|^(?:와|과|랑|하고)", re.IGNORECASE
)


_RANGE_OF_EXTREMES = re.compile(r"의 (?:차이|차)|difference between", re.IGNORECASE)


_WEIGHTED = re.compile(r"weighted|가중", re.IGNORECASE)


_OTHERWISE = re.compile(
    r"%|\bfrom\b.{0,12}\bto\b|부터|multiples?|even\b|odd\b|primes?|배수|짝수|홀수|소수"
    r"|common (?:factor|divisor|multiple)|공약수|공배수|each\b|\bspeed|속력|interest|이자"
    r"|difference|차이|제곱|squared?\b|cubed?\b|\broots?\b|\^|루트|팩토리얼|factorial|나누|나눠"
    r"|소수점|ratio|digits|자릿수",
    re.IGNORECASE,
)


_NEEDED = pattern(r"(?:need|should|must|have to|score|필요|받아야|몇 점)")


def asked(text: str) -> list[str]:
    """Return the figures a text asks for, in the order of the words."""
    found = []
    for name, words in _ASKS:
        if match := words.search(text):
            found.append((match.start(), name))
    names = [name for _, name in sorted(found)]
    if names and _RANGE_OF_EXTREMES.search(text):
        return ["range"]
    if "sort" in names or "geometric" in names or "harmonic" in names:
        names = [n for n in names if n not in {"mean", "max", "min"} or n == "sort"]
    return names


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause that names a figure and gives at least two numbers.

    Raises Refused when the list is too long, or a figure does not exist for it.
    """
    numbers = _listed(clause)
    words = _instruction(clause)
    if len(numbers) < 2:
        return None
    apart = asked(words)[:1] == ["range"] or asked(words) == ["sort"]
    if _OTHERWISE.search(words) and not apart:
        return None
    if not clause.has(_PERCENTILE) and (not _is_list(clause, numbers) or _asked_apart(clause)):
        return None
    percentile = _PERCENTILE.search(clause.shape)
    names = asked(_instruction(clause))
    if percentile is not None:
        numbers = [number for number in numbers if number is not clause.number(percentile["p"])]
        names = ["percentile"]
    if _EVERYTHING.search(clause.shape):
        names = ["count", "sum", "mean", "median", "min", "max", "deviation"]
    if not names:
        return None
    if len(numbers) > _MOST_NUMBERS:
        raise Refused("too_large", "That is more than 5,000 numbers.", "숫자가 5,000개를 넘어요.")
    data = _data(numbers)
    point = clause.value(percentile["p"]) if percentile else Fraction(0)
    descending = bool(_DESCENDING.search(clause.shape))
    rows = [
        describe(
            name,
            data,
            setting,
            point=point,
            descending=descending,
            sample=bool(_SAMPLE.search(clause.shape)),
        )
        for name in names
    ]
    return _working(rows)


def of_values(
    values: list[Fraction],
    currency: str,
    names: list[str],
    setting: Setting,
    *,
    descending: bool = False,
) -> Working:
    """Return the named figures of a list of values."""
    data = Data(values, currency)
    return _working([describe(name, data, setting, descending=descending) for name in names])


def _working(rows: list[tuple[str, str, tuple[str, ...], Fraction | None]]) -> Working:
    if len(rows) == 1:
        label, shown, steps, value = rows[0]
        return Working(f"{label}: {shown}", steps, value=value)
    lead = ", ".join(f"{label} {shown}" for label, shown, _, _ in rows)
    steps = tuple(step for _, _, several, _ in rows for step in several)
    return Working(lead, tuple(dict.fromkeys(steps)), value=rows[0][3])


def _instruction(clause: Clause) -> str:
    """Return the words of the clause, with the list itself left out."""
    return "".join(c if c not in clause.atoms else " # " for c in clause.shape)


def _listed(clause: Clause) -> list[Number]:
    numbers = []
    for index, character in enumerate(clause.shape):
        number = clause.atoms.get(character)
        if isinstance(number, Number) and not number.ordinal:
            # in a list "9 -2 7" the sign belongs to the number
            below = clause.shape[max(0, index - 2) : index] == " -"
            numbers.append(replace(number, value=-number.value) if below else number)
    if len(numbers) == 1 and "," in numbers[0].text:
        return [
            Number(Fraction(piece), text=piece) for piece in re.findall(r"\d+", numbers[0].text)
        ]
    return numbers


def _is_list(clause: Clause, numbers: list[Number]) -> bool:
    """Tell whether the numbers are alike and set off from each other as a list."""
    if len({number.percent for number in numbers}) > 1:
        return False
    if len({bool(number.currency) for number in numbers}) > 1:
        return False
    places = [i for i, c in enumerate(clause.shape) if c in clause.atoms]
    gaps = [clause.shape[a + 1 : b] for a, b in pairwise(places)]
    return all(len(gap) <= _SHORT_GAP or _SEPARATOR.search(gap) for gap in gaps)


def _asked_apart(clause: Clause) -> bool:
    """Tell whether one figure is asked of some numbers and another of others."""
    words = sorted(found.start() for _, form in _ASKS if (found := form.search(clause.shape)))
    places = [i for i, c in enumerate(clause.shape) if c in clause.atoms]
    return any(
        any(first < place < second for place in places)
        and places[-1] > second
        and places[0] > words[0]
        for first, second in pairwise(words)
    )


def _data(numbers: list[Number]) -> Data:
    currencies = {number.currency for number in numbers if number.currency}
    if len(currencies) > 1:
        raise Refused("mixed_currencies", "Those are several currencies.", "통화가 섞여 있어요.")
    percent = all(number.percent for number in numbers)
    return Data(
        [number.value for number in numbers], "%" if percent else next(iter(currencies), "")
    )
