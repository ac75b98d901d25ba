"""Solving small everyday questions: pay per month and year, hands and days, shares of a day."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.offline.particles import topic
from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.quantities import factor, quantities, unit_at
from app.supervisor.teams.analysis.working import Setting, Working

_PERIODS = {"hour": 2080, "day": 365, "week": 52, "month": 12, "year": 1, "quarter": 4}
_KOREAN_PERIODS = {
    "시간": "hour",
    "시급": "hour",
    "하루": "day",
    "일당": "day",
    "일": "day",
    "주급": "week",
    "주": "week",
    "월급": "month",
    "월": "month",
    "한 달": "month",
    "달": "month",
    "연봉": "year",
    "년": "year",
    "연": "year",
    "1년": "year",
    "일년": "year",
}
_PAY = pattern(
    r"<N:money> ?(?:an|a|per|each|every|/) ?(?P<first>hour|day|week|month|year|quarter)\b<W>"
    r"(?:\b(?:an|a|per|each|every|in a|/) ?(?P<second>hour|day|week|month|year|quarter)\b"
    r"|\b(?P<adverb>hourly|daily|weekly|monthly|annual|yearly|annually)\b)"
)
_PAY_ADVERB = pattern(
    r"(?P<adverb>hourly|daily|weekly|monthly|annual|yearly) (?:salary|pay|wage|income|rent|cost"
    r"|subscription|fee)?<W><N:money><W>"
    r"(?:\b(?:an|a|per|each|every|in a|/) ?(?P<second>hour|day|week|month|year|quarter)\b"
    r"|\b(?P<adverb2>hourly|daily|weekly|monthly|annual|yearly|annually)\b)"
)
_SALARY = pattern(r"(?:salary|연봉)<W><N:money><W>(?:per|an|a) (?P<second>hour|day|week|month)\b")
_NEEDED = (
    pattern(r"(?:average|mean)(?: score)?(?: of| to be| is|:)? ?(?:at least )?<N:target>"),
    pattern(r"(?:to )?average <N:target>"),
    pattern(r"평균(?:이)? ?<N:target> ?점?(?:이|을|를)? ?(?:되|넘|맞|만들|받)"),
)
_ASKS_NEEDED = re.compile(
    r"\bneed\b|\bmust\b|\bhave to\b|\bshould\b|몇 ?점|필요|받아야", re.IGNORECASE
)
_KOREAN_PAY = pattern(
    r"(?P<first>월급|연봉|주급|시급|일당|월|매달|한 달에|하루에|일주일에)(?:이|은|에|가"
    r"|는)? ?<N:money><W>(?P<second>월급|연봉|주급|시급|일당|1년|일년|한 달|하루|1개월|월|년)"
)
_ADVERBS = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "annual": "year",
    "yearly": "year",
    "annually": "year",
}
_WORK = (
    pattern(
        r"<N:a> ?(?:workers?|people|men|women|painters?|machines?|builders?|pumps?|taps?|cooks?"
        r"|cats|hens|printers?|robots?|developers?|students?)<W><N:p> ?(?P<unit>days?|hours?"
        r"|minutes?|weeks?|months?)<W><N:b> ?(?:workers?|people|men|women|painters?|machines?"
        r"|builders?|pumps?|taps?|cooks?|cats|hens|printers?|robots?|developers?|students?)"
    ),
    pattern(r"<N:a> ?(?:명|사람|대)<W><N:p> ?(?P<unit>일|시간|분|주|개월)<W><N:b> ?(?:명|사람|대)"),
)
_SAVING = re.compile(r"savings? rate|저축[률율]|엥겔지수", re.IGNORECASE)
_ASKS_SHARE = re.compile(
    r"(?:what|which|how many)? ?(?:percent|percentage|%|fraction|proportion)\b|몇 ?(?:퍼센트|%"
    r"|프로|분의)",
    re.IGNORECASE,
)
_WHOLE_OF = re.compile(r"\bof (?:a|an|one|the)\s|의")
_POLYGONS = {
    "triangle": 3,
    "quadrilateral": 4,
    "pentagon": 5,
    "hexagon": 6,
    "heptagon": 7,
    "octagon": 8,
    "nonagon": 9,
    "decagon": 10,
    "dodecagon": 12,
    "삼각형": 3,
    "사각형": 4,
    "오각형": 5,
    "육각형": 6,
    "칠각형": 7,
    "팔각형": 8,
    "구각형": 9,
    "십각형": 10,
}
_ANGLES = re.compile(r"angles?|내각", re.IGNORECASE)


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve pay over another period, shared work, a share of a quantity, polygon angles."""
    for solver in (_needed, _pay, _work, _share, _saving, _angles):
        if (working := solver(clause, setting)) is not None:
            return working
    return None


def _needed(clause: Clause, setting: Setting) -> Working | None:
    """Work out the score that brings an average to a target."""
    if not _ASKS_NEEDED.search(clause.shape) or len(clause.numbers) < 2:
        return None
    match = next((found for form in _NEEDED if (found := form.search(clause.shape))), None)
    if match is None or any(number.percent or number.ordinal for number in clause.numbers):
        return None
    target = clause.value(match["target"])
    scores = [
        atom.value
        for character, atom in clause.atoms.items()
        if isinstance(atom, Number) and character != match["target"]
    ]
    value = target * (len(scores) + 1) - sum(scores, Fraction(0))
    shown = [display.figure(score) for score in scores]
    step = (
        f"{display.figure(target)} × {len(scores) + 1} − ({' + '.join(shown)}) = "
        f"{display.figure(value)}"
    )
    note = setting.say("For one more score.", "한 번 더 받는 점수 기준이에요.")
    return Working(
        setting.say(display.figure(value), f"{display.figure(value)}점"), (step,), note, value=value
    )


def _pay(clause: Clause, setting: Setting) -> Working | None:
    for form in (_PAY, _PAY_ADVERB, _SALARY, _KOREAN_PAY):
        match = clause.match(form)
        if match is None:
            continue
        groups = match.groupdict()
        money = clause.number(match["money"])
        named = groups.get("first") or groups.get("adverb") or ("year" if form is _SALARY else "")
        first = _period(named)
        second = _period(
            groups.get("second") or groups.get("adverb2") or groups.get("adverb") or ""
        )
        if first == second or not first or not second or (not money.currency and money.value < 1):
            return None
        value = money.value * _PERIODS[first] / _PERIODS[second]
        shown = display.money(value, money.currency)
        start = display.money(money.value, money.currency)
        sign = display.money_sign(value, money.currency)
        ratio = Fraction(_PERIODS[first], _PERIODS[second])
        step = (
            f"{start} × {display.figure(ratio)} {sign} {shown}"
            if ratio.denominator == 1
            else (
                f"{start}{f' × {_PERIODS[first]}' if _PERIODS[first] > 1 else ''} ÷ "
                f"{_PERIODS[second]} {sign} {shown}"
            )
        )
        note = ""
        if "hour" in {first, second}:
            note = setting.say(
                "At 40 hours a week, 52 weeks a year.", "주 40시간, 연 52주 기준이에요."
            )
        about = "" if sign == "=" else "≈ "
        names = {
            "hour": "시간",
            "day": "하루",
            "week": "1주",
            "month": "한 달",
            "year": "1년",
            "quarter": "분기",
        }
        lead = setting.say(f"{about}{shown} a {second}", f"{names[second]}에 {about}{shown}")
        return Working(lead, (step,), note, value=value)
    return None


def _period(word: str) -> str:
    lowered = word.lower()
    if lowered in _PERIODS:
        return lowered
    if lowered in _ADVERBS:
        return _ADVERBS[lowered]
    spoken = {
        "매달": "month",
        "한 달에": "month",
        "하루에": "day",
        "일주일에": "week",
        "1개월": "month",
    }
    return spoken.get(word) or _KOREAN_PERIODS.get(word, "")


def _work(clause: Clause, setting: Setting) -> Working | None:
    for form in _WORK:
        match = clause.match(form)
        if match is None:
            continue
        a, p, b = (clause.value(match[name]) for name in ("a", "p", "b"))
        value = exact.divide(a * p, b)
        unit = match["unit"]
        unit = (
            unit
            if "가" <= unit[0] <= "힣"
            else f" {unit.removesuffix('s')}{'s' if value != 1 else ''}"
        )
        shown = f"{display.figure(value)}{unit}"
        step = (
            f"{display.figure(a)} × {display.figure(p)} ÷ {display.figure(b)} "
            f"{display.sign_of(value)} {display.figure(value)}"
        )
        note = setting.say(
            "Taken as the same work, everyone equally fast.",
            "전체 일의 양과 한 사람의 속도가 같다고 봤어요.",
        )
        return Working(shown, (step,), note, value=value)
    return None


def _share(clause: Clause, setting: Setting) -> Working | None:
    """Answer what percent of a day twelve hours are."""
    if not _ASKS_SHARE.search(clause.shape):
        return None
    found = quantities(clause)
    if len(clause.numbers) != len(found) or not 1 <= len(found) <= 2:
        return None
    first = found[0]
    if len(found) == 2:
        part, whole = first, found[1]
        if re.match(r"\s?(?:의|에서|중)", clause.shape[first.end :]) and setting.language == "ko":
            part, whole = whole, part
        if re.search(
            r"(?:percent|percentage|%|fraction|proportion) of [^\w]?$", clause.shape[: first.start]
        ):
            part, whole = whole, part
        below, name = whole.value * factor(whole.unit), whole.shown(setting.language)
        kinds = {part.unit.kind, whole.unit.kind}
    else:
        match = _WHOLE_OF.search(clause.shape, first.end)
        named = unit_at(clause.shape, match.end()) if match else None
        if named is None:
            return None
        part, below, name = first, factor(named[1]), f"1 {named[1].label.removesuffix('s')}"
        kinds = {part.unit.kind, named[1].kind}
    if len(kinds) != 1 or "temperature" in kinds:
        return None
    share = exact.divide(part.value * factor(part.unit) * 100, below)
    sign = display.sign_of(share)
    shown = f"{display.figure(share, 2)}%"
    about = "" if sign == "=" else "≈ "
    written = part.shown(setting.language)
    lead = setting.say(
        f"{written} is {about}{shown} of {name}", f"{topic(written)} {name}의 {about}{shown}"
    )
    part_of = share / 100
    is_short = part_of.denominator <= 1000
    result = f"= {display.fraction_text(part_of)}" if is_short else f"{sign} {shown}"
    step = f"{written} ÷ {name} {result}"
    return Working(lead, (step,), value=share)


def _saving(clause: Clause, _: Setting) -> Working | None:
    money = clause.numbers
    if not _SAVING.search(clause.shape) or len(money) != 2 or any(one.percent for one in money):
        return None
    part, whole = sorted(money, key=lambda one: one.value)
    share = exact.divide(part.value * 100, whole.value)
    shown = f"{display.figure(share, 2)}%"
    step = (
        f"{display.money(part.value, part.currency)} ÷ "
        f"{display.money(whole.value, whole.currency)} × 100 {display.sign_of(share)} {shown}"
    )
    return Working(shown if display.is_shown_exactly(share) else f"≈ {shown}", (step,), value=share)


def _angles(clause: Clause, setting: Setting) -> Working | None:
    if not _ANGLES.search(clause.shape) or clause.numbers:
        return None
    sides = next((count for name, count in _POLYGONS.items() if name in clause.shape.lower()), None)
    if sides is None:
        return None
    total = (sides - 2) * 180
    each = display.figure(Fraction(total, sides))
    lead = setting.say(f"{total:,}° in all", f"모두 {total:,}°")
    regular = setting.say(
        f"Each angle of a regular one: {total:,}° ÷ {sides} = {each}°",
        f"정다각형이면 한 내각: {total:,}° ÷ {sides} = {each}°",
    )
    return Working(lead, (f"({sides} − 2) × 180° = {total:,}°", regular), value=Fraction(total))
