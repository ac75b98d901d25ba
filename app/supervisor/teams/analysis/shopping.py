"""Solving prices: discounts, taxes, tips and splits applied one after another, and back."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_LESS = (
    r"off\b|discount|decreas|reduc|cut\b|cuts\b|lower|less\b|fewer|drop|fell\b|falls?\b|down\b"
    r"|markdown|\bsale\b|coupon|rebate|depreciat|shrink|shrank|los[es]|subtract|minus|cheaper"
    r"|withh|deduct"
    r"|할인|감소|인하|하락|빼|뺀|줄|떨어|내리|내렸|내린|깎|세일|적은|적게|덜|손실|공제|떼|뗀"
    r"|감면|쿠폰|저렴|싸"
)
_MORE = (
    r"(?:sales )?tax\b|taxes\b|\bvat\b|\bgst\b|\btip\b|tips\b|tipping|gratuity|service|increas"
    r"|rise|rises|rose\b|raise|\bup\b|grow|grew|more\b|higher|markup|mark-up|surcharge|\badd"
    r"|plus\b|\bfee\b|commission|bonus|gain|appreciat"
    r"|팁|세금|부가세|부가가치세|봉사료|서비스료|증가|인상|상승|늘|오르|오른|올라|올랐|올리|올린"
    r"|더하|추가|가산|많은|많으|수수료|보너스|커|높"
)
_ROLES = re.compile(rf"(?P<less>{_LESS})|(?P<more>{_MORE})", re.IGNORECASE)
_ENDS_WITH_BY = re.compile(
    r"(?:\bby|\bof|\bat|만큼|율|률|\bis|세금|부가세|팁|tax|vat|tip|discount|할인|:)\s?(?:an? "
    r"|about )?\(?\s?$",
    re.IGNORECASE,
)
_NAMES = (
    (re.compile(r"tip|gratuity|팁", re.IGNORECASE), "tip", "팁"),
    (re.compile(r"tax|vat|gst|세금|부가세|부가가치세", re.IGNORECASE), "tax", "세금"),
    (
        re.compile(r"off|discount|sale|coupon|할인|세일|쿠폰|깎|cheaper|markdown", re.IGNORECASE),
        "discount",
        "할인",
    ),
    (re.compile(r"service|봉사료|서비스료|fee|commission|수수료", re.IGNORECASE), "fee", "수수료"),
)
_BACK = re.compile(
    r"\boriginal|\bbefore\b|\bpre-?(?:tax|discount|vat)|\blist price|\binitial|\bregular price"
    r"|\bexclud|\bwithout\b|\bnet\b|\bused to\b|정가|원가|원래|할인\s?전|세전|인상\s?전|공급가"
    r"|제외|처음\s?가격|빼고\s?얼마|포함(?:된|한|해서)?\s?(?:가격|금액)",
    re.IGNORECASE,
)
_BACK_GIVEN = re.compile(
    r"\bincluding\b|\bincludes?\b|\binclusive\b|\bafter\b|\bwith\b|\bpaid\b|\bcosts? now\b"
    r"|\bnow\b|포함|할인(?:된|해서|받|한|받아서)|후\b|뒤\b|했더니|결제|올라서|올랐",
    re.IGNORECASE,
)
_SPLIT = (
    pattern(
        r"(?:split|divided?|shared?|dividing|splitting|sharing)<W>\b(?:between|among(?:st)?|by"
        r"|with|into|across|for)\b<W><N:people>"
    ),
    pattern(
        r"(?:split|divided?|shared?|dividing|splitting|sharing)<W><N:people>[- ](?:ways?|people"
        r"|persons?|friends?)"
    ),
    pattern(
        r"(?:for|between|among) <N:people> (?:people|persons|friends|diners|guests|of us"
        r"|roommates|ways)"
    ),
    pattern(
        r"<N:people> (?:people|persons|friends|diners|guests|of us|roommates)<W>(?:split|share"
        r"|divide|each)"
    ),
    pattern(
        r"<N:people> ?(?:명|사람|인)(?:이서|이|으로|에게|끼리|씩)?<W>(?:나누|나눠|나눌|나눈|내면"
        r"|내야|분배|부담|더치|똑같|1/n|각)"
    ),
    pattern(r"(?:나누|나눠|더치)<W><N:people> ?(?:명|사람|인)"),
    pattern(r"split<W>(?P<word>three|four|five|six)[- ]ways?"),
)
_FEES = (
    pattern(
        r"(?:plus|add|adding|and|with) (?:a |an |the )?<N:fee> ?(?:for |of )?(?:shipping"
        r"|delivery|handling|service|fee|postage|coupon|voucher|booking)"
    ),
    pattern(
        r"(?:shipping|delivery|handling|postage|coupon|voucher)(?: fee| cost| charge"
        r"| costs)?(?: is| of| costs?|:)? ?<N:fee>"
    ),
    pattern(r"<N:fee> ?(?:shipping|delivery|handling fee|postage|coupon|voucher)"),
    pattern(
        r"(?:배송비|배달비|택배비|수수료|쿠폰|할인권|적립금|포장비)(?:는|은|가|이|로)? ?<N:fee>"
    ),
    pattern(r"<N:fee> ?(?:짜리 )?(?:배송비|배달비|택배비|쿠폰|할인권|적립금)"),
)
_TIP_ONLY = re.compile(
    r"^\W*(?:what(?:'s| is| would be)?|how much (?:is|should|do|would)|calculate"
    r"|팁).{0,24}\b(?:tip|gratuity|tax|vat|discount|savings?|save)\b",
    re.IGNORECASE,
)
_CONNECT = re.compile(
    r"\b(?:then|and|also|followed by|plus)\b|,|다음|후|뒤|하고|다시|또|추가로", re.IGNORECASE
)
_TAKEN = re.compile(
    r"빼|떼|제하|공제|deduct|withh|take[- ]home|net pay|세후|실수령|\bafter\b[^,.?]{0,12}\btax\b",
    re.IGNORECASE,
)
_BEFORE_THIS = pattern(r"\bbefore <W><P>|<P>[^,.?]{0,12}? 전(?:에|의|이|은|엔)")
_COMPARES = re.compile(r"\bwhat (?:percent|%)|몇\s?(?:%|퍼센트|프로)", re.IGNORECASE)
_POINTS = re.compile(
    r"interest|compound|per (?:year|annum)|annual|apr\b|loan|mortgage|이자|이율|금리|복리|단리"
    r"|대출|예금|적금|연\s?[\U000f8000-\U000fbfff]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Change:
    share: Fraction  # in percent, or an amount of money when ``fixed``
    up: bool
    name: str
    korean: str
    fixed: bool = False


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a price with its changes; the price is the one plain number but for the people.

    Raises Refused when a discount leaves nothing to go back from.
    """
    if _POINTS.search(clause.shape) or _COMPARES.search(clause.shape):
        return None
    people, used = _people(clause)
    fees = _fees(clause)
    plain = [
        number
        for character, number in _plain(clause)
        if character not in used and character not in fees
    ]
    changes = _changes(clause, fees)
    if len(plain) != 1 or changes is None or not (changes or people):
        return None
    if not changes and not (
        plain[0].currency
        or re.search(
            r"bill|cost|dinner|check|lunch|pizza|식사|계산|비용|더치|나눠|나누",
            clause.shape,
            re.IGNORECASE,
        )
    ):
        return None
    base = plain[0]
    if len(changes) == 1 and not fees and people is None and _goes_back(clause):
        return _backwards(base, changes[0], setting)
    return _forwards(clause, base, changes, people, setting)


def _plain(clause: Clause) -> list[tuple[str, Number]]:
    return [
        (character, atom)
        for character, atom in clause.atoms.items()
        if isinstance(atom, Number) and not atom.percent
    ]


def _people(clause: Clause) -> tuple[Fraction | None, set[str]]:
    for form in _SPLIT:
        match = form.search(clause.shape)
        if match is None or "people" not in match.groupdict():
            continue
        number = clause.number(match["people"])
        if number.value.denominator == 1 and number.value > 1 and not number.currency:
            return number.value, {match["people"]}
    return None, set()


def _fees(clause: Clause) -> dict[str, _Change]:
    """Return the fixed amounts that are added or taken off, by their character."""
    if sum(1 for _, number in _plain(clause) if number.currency) < 2:
        return {}
    found: dict[str, _Change] = {}
    for form in _FEES:
        for match in form.finditer(clause.shape):
            less = (
                re.search(r"coupon|voucher|off|쿠폰|빼|할인권|적립금", match.group(), re.IGNORECASE)
                is not None
            )
            number = clause.number(match["fee"])
            if number.currency and match["fee"] not in found:
                names = ("coupon", "쿠폰") if less else ("fee", "추가 금액")
                found[match["fee"]] = _Change(number.value, not less, *names, fixed=True)
    return found if len(found) < len(_plain(clause)) else {}


def _changes(clause: Clause, fees: dict[str, _Change]) -> list[_Change] | None:
    """Return the changes in order, or None when a percentage has no direction."""
    found: list[_Change] = []
    shape = clause.shape
    places = [index for index, character in enumerate(shape) if character in clause.atoms]
    bounds = [-1, *places, len(shape)]
    for order, index in enumerate(places, start=1):
        if shape[index] in fees:
            found.append(fees[shape[index]])
        number = clause.atoms[shape[index]]
        if not isinstance(number, Number) or not number.percent:
            continue
        before, after = shape[bounds[order - 1] + 1 : index], shape[index + 1 : bounds[order + 1]]
        role = _role(shape[:index], before, after)
        if role is None:
            return None
        change = _named(number.value, role)
        if change.name == "tax" and _TAKEN.search(shape) and not _BACK.search(shape):
            change = _Change(change.share, False, change.name, change.korean)
        found.append(change)
    return found


def _role(everything: str, before: str, after: str) -> re.Match[str] | None:
    near = _CONNECT.split(after, maxsplit=1)[0]
    ahead = _ROLES.search(near)
    if ahead and not _ENDS_WITH_BY.search(before):
        return ahead
    # the word nearest before wins: "a discount of 20%", "increased by 20%"
    behind = _last_role(before)
    if behind is None and _ENDS_WITH_BY.search(before):
        behind = _last_role(everything)
    return behind or ahead or _ROLES.search(after)


def _last_role(text: str) -> re.Match[str] | None:
    found = list(_ROLES.finditer(text))
    return found[-1] if found else None


def _named(share: Fraction, role: re.Match[str]) -> _Change:
    word = role.group()
    for pattern_, name, korean in _NAMES:
        if pattern_.search(word):
            return _Change(share, role["more"] is not None, name, korean)
    up = role["more"] is not None
    return _Change(share, up, "increase" if up else "decrease", "증가" if up else "감소")


def _goes_back(clause: Clause) -> bool:
    shape = clause.shape
    if clause.has(_BEFORE_THIS):
        return True
    return bool(_BACK.search(shape)) and (
        bool(_BACK_GIVEN.search(shape))
        or bool(re.search(r"original|정가|원래|used to", shape, re.IGNORECASE))
    )


def _backwards(base: Number, change: _Change, setting: Setting) -> Working:
    factor = 1 + (change.share if change.up else -change.share) / 100
    if factor <= 0:
        raise Refused(
            "division_by_zero",
            "After a discount of 100% or more nothing is left to go back from.",
            "100% 이상 할인된 가격에서는 원래 가격을 구할 수 없어요.",
        )
    value = exact.divide(base.value, factor)
    shown, sign = display.money(value, base.currency), display.money_sign(value, base.currency)
    paid = display.money(base.value, base.currency)
    difference = display.money(abs(base.value - value), base.currency)
    mark = "+" if change.up else "−"
    lead = setting.say(
        f"Before the {display.figure(change.share)}% {change.name}: {shown}",
        f"{display.figure(change.share)}% {change.korean} 전 금액: {shown}",
    )
    steps = (
        f"{paid} ÷ (1 {mark} {display.figure(change.share)}%) = {paid} ÷ "
        f"{display.figure(factor)} {sign} {shown}",
        setting.say(f"The {change.name} is {difference}", f"{change.korean} 금액은 {difference}"),
    )
    return Working(lead, steps, value=value)


def _forwards(
    clause: Clause, base: Number, changes: list[_Change], people: Fraction | None, setting: Setting
) -> Working:
    currency = base.currency
    total = base.value
    steps: list[str] = []
    tips: list[tuple[_Change, str]] = []
    for change in changes:
        if change.fixed:
            after = total + change.share if change.up else total - change.share
            part = display.money(change.share, currency)
            steps.append(
                f"{display.money(total, currency)} {'+' if change.up else '−'} {part} = "
                f"{display.money(after, currency)}"
            )
            tips.append((change, part))
            total = exact.bounded(after)
            continue
        amount = total * change.share / 100
        after = total + amount if change.up else total - amount
        mark = "+" if change.up else "−"
        shown = display.money(amount, currency)
        label = setting.say(change.name.capitalize(), change.korean)
        steps.append(
            f"{label} {display.figure(change.share)}%: {display.money(total, currency)} × "
            f"{display.figure(change.share)}%"
            f" {display.money_sign(amount, currency)} {shown}"
        )
        steps.append(
            f"{display.money(total, currency)} {mark} {shown} "
            f"{display.money_sign(after, currency)} {display.money(after, currency)}"
        )
        tips.append((change, shown))
        total = exact.bounded(after)
    if people:
        each = total / people
        count = display.figure(people)
        steps.append(
            f"{display.money(total, currency)} ÷ {count} {display.money_sign(each, currency)} "
            f"{display.money(each, currency)}"
        )
        sign = "" if display.money_sign(each, currency) == "=" else "≈ "
        lead = setting.say(
            f"{sign}{display.money(each, currency)} each ({display.money(total, currency)} in all)",
            f"한 사람당 {sign}{display.money(each, currency)} (모두 "
            f"{display.money(total, currency)})",
        )
        return Working(lead, tuple(steps), value=each)
    sign = "" if display.money_sign(total, currency) == "=" else "≈ "
    if (
        len(tips) == 1
        and (tips[0][0].name in {"tip", "tax"} or _TIP_ONLY.search(clause.shape))
        and tips[0][0].name in {"tip", "tax", "discount"}
    ):
        change, shown = tips[0]
        rest = f"{sign}{display.money(total, currency)}"
        lead = setting.say(
            f"{change.name.capitalize()} {shown}, {'total' if change.up else 'leaving'} {rest}",
            f"{change.korean} {shown}, {'합계' if change.up else '남는 금액'} {rest}",
        )
    else:
        start = display.money(base.value, currency)
        lead = f"{start} → {display.money(total, currency)}"
    return Working(lead, tuple(steps), value=total)
