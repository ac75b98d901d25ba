"""Solving percentages: a share of a number, what share it is, change, the whole."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import replace
from fractions import Fraction

from app.supervisor.offline.particles import topic
from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_PC = r"(?:%|percent(?:age)?|per cent|퍼센트|프로|퍼센티지|백분율|비율)"
_SHARE_OF = (
    pattern(
        rf"(?:what|which|how many) {_PC} of <W><N:whole><W>\b(?:is|are|was|were|makes?|does|do"
        rf"|would|equals?)\b<W><N:part>"
    ),
    pattern(
        rf"(?:what|which) {_PC} (?:is|are|of) <W><N:part><W>\b(?:out of|of|in|from"
        rf"|to)\b<W><N:whole>"
    ),
    pattern(
        rf"<N:part><W>\b(?:is|are|as|was|were|makes?"
        rf"|make up)\b (?:equal to )?what (?:{_PC}) of <W><N:whole>"
    ),
    pattern(rf"{_PC} (?:is|are|of|does) <N:part> (?:out )?(?:of|in|from|to) <W><N:whole>"),
    pattern(rf"<N:part><W>(?:out of|of|over|/|from)<W><N:whole>(?=<W>{_PC})"),
    pattern(rf"{_PC}<W><N:part><W>\b(?:out of|of)\b<W><N:whole>"),
    pattern(
        r"<N:whole>[^\d]{0,12}?(?:의|에서|중에서|중에|중)<W><N:part><W>(?:몇|얼마|백분율|비율"
        r"|퍼센트|%|비중)"
    ),
    pattern(
        r"<N:part>[^\d]{0,8}?(?:은|는|이|가|면)<W><N:whole>[^\d]{0,8}?(?:의|에서|중) ?(?:몇|얼마)"
    ),
)
_SHARE_FROM_WHOLE = (
    pattern(
        rf"\b(?:had|of|out of|total of|there (?:are|were)|from)\b <N:whole><W><N:part><W>(?:what"
        rf"|which) {_PC}(?!<W>(?:increase|decrease|change))"
    ),
)
_CHANGE_WORDS = re.compile(
    r"increas|decreas|chang|growth|grew|grow|rise|rose|risen|drop|fell|fall|declin|more|less"
    r"|higher|lower|difference|jump|raise|went (?:up|down)|go(?:es|ne)? (?:up|down)|증가|감소"
    r"|상승|하락|인상|인하|올랐|오른|오르|올라|내렸|내린|떨어|늘|줄|변화|차이|변동|성장",
    re.IGNORECASE,
)
_ASKS_SHARE = re.compile(
    rf"(?:what|which|how many|how much|calculate|find|the|as an?|in)?\s?{_PC}|몇\s?{_PC}|얼마나",
    re.IGNORECASE,
)
_CHANGE = (
    pattern(r"(?:from|between)\b<W><N:old><W>\b(?:to|and|->|into)\b<W><N:new>"),
    pattern(
        r"<N:old><W>(?:\bto\b|->|→|\bvs\.?\b|\bthen\b|\bnow\b|\bbecame\b|\bbecomes\b)<W><N:new>"
    ),
    pattern(r"<N:new><W>(?:up|down) from <W><N:old>"),
    pattern(r"<N:old>[^\d]{0,6}?(?:에서|이었는데|였는데|이었다가|였다가|이던|던)<W><N:new>"),
)
_MORE_THAN = pattern(
    r"(?:what|how many) (?:%|percent(?:age)?) (?:more|less|higher|lower|larger|smaller|greater"
    r"|bigger) is <W><N:new><W>than<W><N:old>"
)
_WHOLE = (
    pattern(
        r"<N:part><W>\b(?:is|are|represents?|equals?|was)\b <W><P:share> of (?:what|which|a|some"
        r"|how)"
    ),
    pattern(
        r"<P:share> of (?:what|which|a)(?: number| amount| value)? (?:is|equals?|=|makes?|gives?"
        r"|gets?(?: me| you)?|are|was) ?<W><N:part>"
    ),
    pattern(r"(?:what|which) (?:number|amount|value)<W><P:share><W>(?:is|equals?|=) <W><N:part>"),
    pattern(
        r"(?:if |suppose )?<P:share> (?:of (?:a|the|my|some|what)\b<W>) ?(?:is|equals?|=|are"
        r"|was)\b <W><N:part>"
    ),
    pattern(r"<N:part><W>(?:은|는|이|가)<W>(?:어떤|무슨|몇|무엇|얼마)<W>의? ?<P:share>"),
    pattern(r"(?:어떤|무슨)<W>의? ?<P:share><W>(?:이|가|은|는)<W><N:part>"),
    pattern(r"<P:share>(?:이|가|는|은)<W><N:part><W>(?:전체|원래|총|어떤)"),
    pattern(r"전체의? ?<P:share>(?:이|가|는|은)<W><N:part>"),
)
_BY_RULE = (
    pattern(
        r"<P:share><W>(?:is|=|equals?|이|가|는)<W><N:part><W>(?:what|how|몇|얼마)?<W><P:other>"
    ),
)
_OF = (
    pattern(r"<P:share>(?: \w+)? of (?:the |a |an |my |our )?(?:\w+ ){0,2}?<N:whole>"),
    pattern(
        r"<N:whole>(?: ?(?:명|개|원|점|건|kg|g|km|m|달러|시간|분|일))?(?:의|에서|중에서|중에|중"
        r"|에 대한|에)? <P:share>"
    ),
)
_AS_PERCENT = pattern(rf"<N:x> (?:as|in|into|to|를|을)? ?(?:an? )?(?:{_PC})")
_PERCENT_AS = pattern(
    r"<P:x> ?(?:as|in|into|to|를|을) ?(?:an? )?(?P<form>decimal|fraction|소수|분수)"
)
_FRACTION_AND_PERCENT = re.compile(
    r"(?:fraction|분수).{0,20}(?:percent|퍼센트|백분율)|(?:percent|퍼센트"
    r"|백분율).{0,20}(?:fraction|분수)",
    re.IGNORECASE,
)
_MARGIN = re.compile(
    r"profit|margin|markup|mark-up|gain|loss|roi|return|이익률|수익률|마진|손익|손실률|이윤",
    re.IGNORECASE,
)
_BOUGHT_SOLD_ENGLISH = pattern(
    r"(?:bought|buy|cost|costs|invest(?:ed)?|paid|purchased|매입|원가)<W><N:cost><W>(?:sold|sell"
    r"|selling|sells|worth|became|returned|판매|매도|팔)<W><N:price>"
)
_BOUGHT_SOLD = (
    _BOUGHT_SOLD_ENGLISH,
    pattern(
        r"<N:cost><W>(?:에|을|를|주고|으로)? ?(?:사서|사고|구입|매수|산"
        r"|투자)<W><N:price><W>(?:팔|판매|매도|되|됐)"
    ),
    pattern(r"(?:원가|매입가)(?:가|는|이)? ?<N:cost><W><N:price><W>(?:팔|판매|매도)"),
    pattern(r"(?:원가|매입가)(?:가|는|이)? ?<N:cost><W>(?:판매가|정가|가격)<W><N:price>"),
)


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause about one percentage. Raises Refused when the base is zero."""
    for solver in (_margin, _change, _share, _whole, _by_rule, _forms, _of):
        if (working := solver(clause, setting)) is not None:
            return working
    return None


def _of(clause: Clause, setting: Setting) -> Working | None:
    for form in _OF:
        match = clause.match(form)
        if match is None:
            continue
        after = clause.shape[match.end() :]
        if re.match(
            r"\s?(?:할인|인상|인하|증가|감소|오르|올|내리|떨어|늘|줄|더|추가|빼|깎|off\b|이자"
            r"|의\s?(?:팁|세금)|상승|하락|세일)",
            after,
        ):
            return None
        share, whole = clause.value(match["share"]), clause.number(match["whole"])
        part = share * whole.value / 100
        shown = display.money(part, whole.currency)
        sign = display.money_sign(part, whole.currency)
        percent, base = display.figure(share), display.money(whole.value, whole.currency)
        lead = setting.say(
            f"{percent}% of {base} {sign} {shown}", f"{base}의 {percent}% {sign} {shown}"
        )
        return Working(lead, (f"{base} × {percent} ÷ 100 {sign} {shown}",), value=part)
    return None


def _share(clause: Clause, setting: Setting) -> Working | None:
    if _CHANGE_WORDS.search(clause.shape) and not re.search(r"out of|중", clause.shape):
        return None
    for form in _SHARE_OF + _SHARE_FROM_WHOLE:
        match = clause.match(form)
        if match is None or not _ASKS_SHARE.search(clause.shape):
            continue
        part, whole = clause.number(match["part"]), clause.number(match["whole"])
        share = exact.divide(part.value * 100, whole.value)
        return _share_working(part, whole, share, setting)
    return None


def _same_money(first: Number, second: Number) -> tuple[Number, Number]:
    """Give both the currency that only one of them was written with."""
    currency = first.currency or second.currency
    return replace(first, currency=first.currency or currency), replace(
        second, currency=second.currency or currency
    )


def _share_working(part: Number, whole: Number, share: Fraction, setting: Setting) -> Working:
    part, whole = _same_money(part, whole)
    first, second = _money(part), _money(whole)
    shown = f"{_percent(share)}%"
    lead = setting.say(
        f"{first} is {_about(share)}{shown} of {second}",
        f"{topic(first)} {second}의 {_about(share)}{shown}",
    )
    return Working(lead, (f"{first} ÷ {second} × 100 {_sign(share)} {shown}",), value=share)


def _change(clause: Clause, setting: Setting) -> Working | None:
    if not _CHANGE_WORDS.search(clause.shape) or not _ASKS_SHARE.search(clause.shape):
        return None
    if any(number.percent for number in clause.numbers):
        return None
    for form in (*_CHANGE, _MORE_THAN):
        if (match := clause.match(form)) is not None:
            return _changed(clause.number(match["old"]), clause.number(match["new"]), setting)
    plain = clause.numbers
    return _changed(plain[0], plain[1], setting) if len(plain) == 2 else None


def _changed(old: Number, new: Number, setting: Setting) -> Working:
    old, new = _same_money(old, new)
    if not old.value:
        raise Refused(
            "division_by_zero",
            "A change from zero has no percentage.",
            "0에서 변한 것은 퍼센트로 나타낼 수 없어요.",
        )
    change = (new.value - old.value) * 100 / abs(old.value)
    shown = f"{_percent(abs(change))}%"
    up = change >= 0
    lead = setting.say(
        f"{_money(old)} → {_money(new)} is {'an increase' if up else 'a decrease'} of "
        f"{_about(change)}{shown}",
        f"{_money(old)} → {_money(new)}: {_about(change)}{shown} {'증가' if up else '감소'}",
    )
    difference = display.money(abs(new.value - old.value), new.currency or old.currency)
    larger, smaller = (new, old) if new.value >= old.value else (old, new)
    steps = (
        f"{_money(larger)} − {_money(smaller)} = {difference}",
        f"{difference} ÷ {_money(old)} × 100 {_sign(change)} {shown}",
    )
    return Working(lead, steps, value=change)


def _whole(clause: Clause, setting: Setting) -> Working | None:
    for form in _WHOLE:
        match = clause.match(form)
        if match is None:
            continue
        share, part = clause.value(match["share"]), clause.number(match["part"])
        whole = exact.divide(part.value * 100, share)
        shown = display.money(whole, part.currency)
        sign = display.money_sign(whole, part.currency)
        percent = display.figure(share)
        lead = setting.say(
            f"{_money(part)} is {percent}% of {shown}",
            f"{topic(_money(part))} {shown}의 {percent}%",
        )
        return Working(lead, (f"{_money(part)} ÷ {percent}% {sign} {shown}",), value=whole)
    return None


def _by_rule(clause: Clause, _: Setting) -> Working | None:
    for form in _BY_RULE:
        match = clause.match(form)
        if match is None:
            continue
        share, other = clause.value(match["share"]), clause.value(match["other"])
        part = clause.number(match["part"])
        value = exact.divide(part.value * other, share)
        shown = display.money(value, part.currency)
        first, second = display.figure(share), display.figure(other)
        return Working(
            f"{second}% = {shown}",
            (
                f"{_money(part)} ÷ {first} × {second} {display.money_sign(value, part.currency)} "
                f"{shown}",
            ),
            value=value,
        )
    return None


def _forms(clause: Clause, _: Setting) -> Working | None:
    if len(clause.numbers) == 1 and _FRACTION_AND_PERCENT.search(clause.shape):
        number = clause.numbers[0]
        value = number.value / 100 if number.percent else number.value
        lead = (
            f"{display.figure(value)} = {display.fraction_text(value)} = {_percent(value * 100)}%"
        )
        return Working(lead, value=value)
    if (match := clause.match(_PERCENT_AS)) is not None:
        value = clause.value(match["x"]) / 100
        is_decimal = match["form"].lower() in {"decimal", "소수"}
        shown = display.figure(value) if is_decimal else display.fraction_text(value)
        return Working(f"{display.figure(value * 100)}% = {shown}", value=value)
    if (match := clause.match(_AS_PERCENT)) is not None and len(clause.numbers) == 1:
        number = clause.number(match["x"])
        share = number.value * 100
        plain = "." in number.text or number.value.denominator == 1
        written = display.figure(number.value) if plain else display.fraction_text(number.value)
        return Working(
            f"{written} {_sign(share)} {_percent(share)}%",
            (f"{written} × 100 {_sign(share)} {_percent(share)}",),
            value=share,
        )
    return None


def _margin(clause: Clause, setting: Setting) -> Working | None:
    if not _MARGIN.search(clause.shape):
        return None
    match = next((found for form in _BOUGHT_SOLD if (found := clause.match(form))), None)
    if match is None:
        return None
    cost, price = clause.number(match["cost"]), clause.number(match["price"])
    profit = price.value - cost.value
    shown = display.money(profit, price.currency)
    rate = exact.divide(profit * 100, cost.value)
    margin = exact.divide(profit * 100, price.value)
    gained = profit >= 0
    lead = setting.say(
        f"{'Profit' if gained else 'Loss'} {shown}, {_about(rate)}{_percent(rate)}% of the cost",
        f"{'이익' if gained else '손실'} {shown}, 원가 대비 {_about(rate)}{_percent(rate)}%",
    )
    steps = (
        f"{_money(price)} − {_money(cost)} = {shown}",
        f"{shown} ÷ {_money(cost)} × 100 {_sign(rate)} {_percent(rate)}%",
        setting.say("Margin on the price: ", "판매가 대비 마진: ")
        + f"{shown} ÷ {_money(price)} × 100 {_sign(margin)} {_percent(margin)}%",
    )
    return Working(lead, steps, value=rate)


def _money(number: Number) -> str:
    return display.money(number.value, number.currency)


def _percent(share: Fraction) -> str:
    return display.figure(share) if display.terminates(share, 4) else display.rounded(share, 2)


def _sign(share: Fraction) -> str:
    return "=" if display.terminates(share, 4) else "≈"


def _about(share: Fraction) -> str:
    return "" if display.terminates(share, 4) else "≈ "
