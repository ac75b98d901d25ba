"""Solving things counted and priced: items at a price, wages, proportion, ratios, recipes."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from fractions import Fraction

from app.supervisor.offline.particles import subject
from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_WORDS = r"(?P<what>[^\d,.;?\U000f0000-\U000fffff]{0,40}?)"
_ENGLISH_ITEM = (
    pattern(
        rf"<N:count> ?(?:x |× )?{_WORDS}(?:,? (?:at|@|priced at|(?:that|which|each) costs?"
        rf"|costing|costs?|for|worth) ?(?:about )?)<N:price>(?P<each> ?(?:each|apiece|a piece"
        rf"|per \w+|a \w+|an \w+|every \w+|/ ?\w+))?"
    ),
    pattern(
        rf"(?:<N:count> ?(?:x |× )?{_WORDS} (?:at|@|costing|priced at|worth) <N:price>(?: each"
        rf"| apiece| per \w+)?"
        r"|\b(?:a|an|one)\s(?P<single>[^\d,.;?\U000f0000-\U000fffff]{1,40}?) (?:at|for|costing"
        r"|that costs|which costs|worth) <N:only>"
        r"|\b(?:plus|and|with) (?:a |an |another )<N:fee> ?(?P<fee_name>[a-z]+(?: fee| charge)?))"
    ),
    pattern(rf"<N:price>[- ]?(?:each )?(?:for|x|×|times) <N:count> {_WORDS}(?=$|[,.;?]| and\b)"),
)
_HOURLY = pattern(
    r"<N:price> ?(?:an|a|per|/) ?(?P<unit>hour|hr|h|day|week|month|piece|item|kg|lb|pound|person"
    r"|night|mile|km|liter|litre|gallon|unit|head|ticket)\b<W><N:count>"
)
_HOURLY_AFTER = pattern(
    r"<N:count>[- ]?(?P<unit>hour|hr|day|week|month|night|kg|mile|km|liter|litre"
    r"|gallon)s?\b<W><N:price> ?(?:an|a|per|/|each)"
)
_KOREAN_ITEM = (
    pattern(
        r"<N:price> ?(?:짜리|하는|인|의) ?(?P<what>[가-힣 ]{0,16}?) ?<N:count> ?(?:개|병|권|자루"
        r"|장|잔|마리|명|인분|박스|상자|봉지|캔|켤레|벌|대|그릇|줄|판|조각|송이|팩|포기|통)"
    ),
    pattern(
        r"(?P<what>[가-힣]{1,12})? ?<N:count> ?(?:개|병|권|자루|장|잔|마리|명|인분|kg|킬로|그램"
        r"|g|박스|상자|봉지|캔|켤레|벌|대|시간|일|그릇|줄|판|조각|송이|팩|포기|통)?(?:를|을|에"
        r"|가|이|은|는|,|당)?<W><N:price> ?(?P<each>씩|짜리|에|이고|이면|,)?"
    ),
    pattern(
        r"(?:시급|일당|한 ?개|하나|개당|한 ?병|한 ?권|한 ?장|장당|권당|병당|인당|시간당) ?(?:에"
        r"|이|은|가)? ?<N:price><W><N:count> ?(?:개|병|권|장|시간|일|명|잔)"
    ),
)
_PROPORTION = (
    pattern(
        r"(?:if |when )?<N:a> ?(?P<what>[a-z ]{0,30}?)(?:costs?|are|is|for|on|using|with|per"
        r"|every|takes?|makes?|weighs?|needs?|uses?|produces?|goes?|serves?|equals?|=|earns?"
        r"|gives?|travels?|drives?|runs?|walks?|covers?|prints?|can \w+|in"
        r"|=) <W><N:p>(?P<unit>[^\d\U000f0000-\U000fffff]{0,40}?)(?:how (?:much|many|far|long)"
        r"|what)<W><N:b>"
    ),
    pattern(
        r"<N:a> ?(?P<what>[가-힣a-z]{0,8}?)(?:에|을|를|가|이|은|는|당|로"
        r"|으로)?<W><N:p>(?P<unit>[^\d\U000f0000-\U000fffff]{0,16}?)(?:이면|라면|면|일 ?때"
        r"|이라면|이고|인데|이야\.?|다\.?"
        r"|,)<W><N:b>(?P<rest>[^\U000f0000-\U000fffff]{0,30})(?:얼마|몇|필요|\?|$)"
    ),
)
_SERVES = pattern(
    r"(?:recipe|serves?|for|makes) <W><N:a>(?P<what><W>)(?:serves?|uses?|needs?|calls for"
    r"|requires?|takes|has)<W><N:p>(?P<unit>[^\U000f0000-\U000fffff]{0,40}?)(?:for|to serve|if"
    r"|scale)<W><N:b>"
)
_WORKERS = re.compile(
    r"workers?|painters?|men\b|machines?|people|pumps?|taps?|일꾼|인부", re.IGNORECASE
)
_RATIO = pattern(
    r"(?:divide|split|share|distribute)<W><N:whole><W>\b(?:ratio"
    r"|proportion)\b[^\U000f0000-\U000fffff]{0,12}<N:p1> ?(?::|to) ?<N:p2>(?: ?(?::|to) ?<N:p3>)?"
)
_KOREAN_RATIO = pattern(
    r"<N:whole>[^\U000f0000-\U000fffff]{0,6}(?:<N> ?(?:명|사람)(?:이|에게|이서)? )?<N:p1> ?(?::"
    r"|대) ?<N:p2>(?: ?(?::|대) ?<N:p3>)?[^\U000f0000-\U000fffff]{0,6}(?:나누|나눠|배분|분배)"
)
_SIMPLIFY_RATIO = pattern(r"(?:simplify|reduce|약분|간단히)<W><N:p1> ?: ?<N:p2>")
_UNKNOWN_RATIO = pattern(r"<N:a> ?: ?<N:b> ?(?:=|::|is to|as) ?(?:<N:c> ?: ?[x?□]|[x?□] ?: ?<N:d>)")
_CHANGE = pattern(r"(?:pay|paid|with|from|give|gave|hand)<W><N:paid>")
_ASKS_CHANGE = re.compile(r"\bchange\b|거스름", re.IGNORECASE)
_EACH_OF = pattern(
    r"<N:total> ?(?P<what>[^\d\U000f0000-\U000fffff]{0,30}?)(?:\b(?:shared|divided|split"
    r"|distributed)\b|나누|나눠)<W><N:count>"
)


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a purchase, a wage, a proportion or a ratio. Raises Refused for a zero."""
    for solver in (_ratio, _proportion, _change_back, _rate, _items):
        if (working := solver(clause, setting)) is not None:
            return working
    return None


def _items(clause: Clause, setting: Setting) -> Working | None:
    if any(number.percent for number in clause.numbers):
        return None
    found = _found_items(clause)
    if not found or not _worth_a_total(clause, len(found)):
        return None
    total = Fraction(0)
    steps: list[str] = []
    currency = ""
    for count, price, name in found:
        amount = count.value * price.value
        currency = price.currency or currency
        label = f"{name}: " if name else ""
        steps.append(
            f"{label}{display.figure(count.value)} × "
            f"{display.money(price.value, price.currency)} = "
            f"{display.money(amount, price.currency)}"
        )
        total += amount
    if len(found) > 1:
        parts = " + ".join(
            display.money(count.value * price.value, currency) for count, price, _ in found
        )
        steps.append(f"{parts} = {display.money(total, currency)}")
    shown = display.money(total, currency)
    return Working(setting.say(f"{shown} in total", f"모두 {shown}"), tuple(steps), value=total)


def _found_items(clause: Clause) -> list[tuple[Number, Number, str]]:
    """Return (count, price, name) of each item when they use every number."""
    korean = re.search(r"[가-힣]", clause.shape) is not None
    for form in _KOREAN_ITEM if korean else _ENGLISH_ITEM:
        found: list[tuple[Number, Number, str]] = []
        for match in form.finditer(clause.shape):
            if match.groupdict().get("count") is None:
                found.append(_single(clause, match))
                continue
            count, price = clause.number(match["count"]), clause.number(match["price"])
            if count.currency and not price.currency:
                count, price = price, count
            total_price = " for " in match.group().lower() and "each" not in match.group().lower()
            if total_price and match.groupdict().get("each") is None and form is _ENGLISH_ITEM[0]:
                count = Number(Fraction(1), text="1") if count.value != 1 else count
            name = (match.groupdict().get("what") or "").strip(" ,")
            found.append((count, price, name))
        if (
            found
            and sum(2 if count.text else 1 for count, _, _ in found) == len(clause.numbers)
            and (_priced(clause) or all(price.currency for _, price, _ in found))
        ):
            return found
    return []


def _single(clause: Clause, match: re.Match[str]) -> tuple[Number, Number, str]:
    """Read "a sandwich at $8" or "plus a $6 fee": one thing, its count not written."""
    groups = match.groupdict()
    character = groups.get("only") or groups.get("fee") or groups["price"]
    name = groups.get("single") or groups.get("fee_name") or ""
    return Number(Fraction(1)), clause.number(str(character)), name.strip(" ,")


def _priced(clause: Clause) -> bool:
    return bool(
        re.search(
            r"\beach\b|apiece|cost|price|씩|짜리|개당|가격|시급|일당", clause.shape, re.IGNORECASE
        )
    )


def _worth_a_total(clause: Clause, count: int) -> bool:
    asks = re.search(
        r"how much|total|cost|what|altogether|pay|sum|price|owe|spend|얼마|합계|총|모두|전부"
        r"|계산|비용|\beach\b|씩|짜리|개당",
        clause.shape,
        re.IGNORECASE,
    )
    return bool(asks) or count > 1


def _rate(clause: Clause, setting: Setting) -> Working | None:
    for form in (_HOURLY, _HOURLY_AFTER):
        match = clause.match(form)
        if match is None:
            continue
        price, count = clause.number(match["price"]), clause.number(match["count"])
        if not price.currency and not re.search(
            r"pay|earn|wage|cost|rate|salary|how much", clause.shape, re.IGNORECASE
        ):
            return None
        total = price.value * count.value
        shown = display.money(total, price.currency)
        step = (
            f"{display.figure(count.value)} × {display.money(price.value, price.currency)} = "
            f"{shown}"
        )
        return Working(setting.say(f"{shown} in total", f"모두 {shown}"), (step,), value=total)
    return None


def _change_back(clause: Clause, setting: Setting) -> Working | None:
    if not _ASKS_CHANGE.search(clause.shape):
        return None
    money = [number for number in clause.numbers if number.currency]
    if len(money) == 2 and len(clause.numbers) == 2:
        paid, price = max(money, key=lambda one: one.value), min(money, key=lambda one: one.value)
        spent = price.value
        step: tuple[str, ...] = ()
    else:
        match = clause.has(_CHANGE)
        pairs = [
            (count, price) for count in clause.numbers if not count.currency for price in money
        ]
        if not match or len(pairs) != 2 or len(clause.numbers) != 3:
            return None
        paid = max(money, key=lambda one: one.value)
        price = min(money, key=lambda one: one.value)
        count = pairs[0][0]
        spent = count.value * price.value
        step = (
            f"{display.figure(count.value)} × {display.money(price.value, price.currency)} = "
            f"{display.money(spent, paid.currency)}",
        )
    left = display.money(paid.value - spent, paid.currency)
    if paid.value < spent:
        return None
    steps = (
        *step,
        f"{display.money(paid.value, paid.currency)} − {display.money(spent, paid.currency)} = "
        f"{left}",
    )
    return Working(
        setting.say(f"{left} change", f"거스름돈 {left}"), steps, value=paid.value - spent
    )


def _proportion(clause: Clause, setting: Setting) -> Working | None:
    if any(number.percent for number in clause.numbers) or len(clause.numbers) != 3:
        return None
    if _WORKERS.search(clause.shape) and re.search(
        r"\b(?:days?|hours?|minutes?|weeks?)\b|일|시간", clause.shape
    ):
        return None  # more hands take less time; which way round needs understanding
    korean = re.search(r"[가-힣]", clause.shape) is not None
    for form in (_PROPORTION[1],) if korean else (_PROPORTION[0], _SERVES):
        match = clause.match(form)
        if match is None:
            continue
        a, p, b = (clause.number(match[name]) for name in ("a", "p", "b"))
        if korean and not _counts_alike(clause, match):
            continue
        if (b.currency and not a.currency and p.currency) or _asks_first(clause, match):
            a, p = p, a  # the question gives the money and asks for the things
        value = exact.divide(p.value * b.value, a.value)
        unit = _unit_word(match)
        shown = display.money(value, p.currency) + (f" {unit}" if unit and not p.currency else "")
        one = exact.divide(p.value, a.value)
        steps = (
            f"{display.money(p.value, p.currency)} ÷ {display.money(a.value, a.currency)} "
            f"{display.money_sign(one, p.currency)} {display.money(one, p.currency)}",
            f"{display.money(b.value, b.currency)} × {display.money(p.value, p.currency)} ÷ "
            f"{display.money(a.value, a.currency)} {display.money_sign(value, p.currency)} "
            f"{display.money(value, p.currency)}",
        )
        note = setting.say("Taken as a direct proportion.", "비례한다고 보고 계산했어요.")
        return Working(shown, steps, note, value=value)
    return None


def _counted(clause: Clause, match: re.Match[str]) -> list[str]:
    """Return the word after each of the three numbers, or its currency."""
    names = []
    for group in ("a", "p", "b"):
        word = re.match(r"\s?([A-Za-z]+|[가-힣])", clause.shape[match.end(group) :])
        currency = clause.number(match[group]).currency
        names.append(currency or (word.group(1).lower() if word else ""))
    return names


def _counts_alike(clause: Clause, match: re.Match[str]) -> bool:
    """Tell whether the last number counts what one, and only one, of the others counts."""
    first, second, last = _counted(clause, match)
    return bool(last) and (last == first) != (last == second)


def _asks_first(clause: Clause, match: re.Match[str]) -> bool:
    """Tell whether the last number counts what the second one counts: 240 miles on 8 gallons."""
    first, second, last = _counted(clause, match)
    return bool(last) and last == second != first


def _unit_word(match: re.Match[str]) -> str:
    words = re.findall(r"[a-z]+", match.groupdict().get("unit") or "", re.IGNORECASE)
    known = {
        "g",
        "kg",
        "ml",
        "l",
        "cups",
        "cup",
        "grams",
        "eggs",
        "miles",
        "km",
        "minutes",
        "hours",
        "liters",
        "litres",
        "pages",
        "oz",
    }
    return words[0] if words and words[0].lower() in known else ""


def _ratio(clause: Clause, setting: Setting) -> Working | None:
    if match := clause.match(_UNKNOWN_RATIO):
        a, b = clause.value(match["a"]), clause.value(match["b"])
        given_left = match["c"] is not None
        given = clause.value(match["c"] or match["d"])
        value = exact.divide(b * given, a) if given_left else exact.divide(a * given, b)
        top, below = (b, a) if given_left else (a, b)
        step = (
            f"x = {display.figure(given)} × {display.figure(top)} ÷ {display.figure(below)} "
            f"{display.sign_of(value)} {display.figure(value)}"
        )
        return Working(f"x {display.sign_of(value)} {display.figure(value)}", (step,), value=value)
    if match := clause.match(_SIMPLIFY_RATIO):
        ratio = exact.divide(clause.value(match["p1"]), clause.value(match["p2"]))
        written = (
            f"{display.figure(clause.value(match['p1']))} : "
            f"{display.figure(clause.value(match['p2']))}"
        )
        return Working(f"{written} = {ratio.numerator:,} : {ratio.denominator:,}")
    match = clause.match(_RATIO) or clause.match(_KOREAN_RATIO)
    if match is None:
        return None
    whole = clause.number(match["whole"])
    parts = [clause.value(match[name]) for name in ("p1", "p2", "p3") if match[name]]
    if any(part < 0 for part in parts) or not sum(parts):
        raise Refused("out_of_range", "A ratio needs positive parts.", "비율은 양수여야 해요.")
    shares = [whole.value * part / sum(parts) for part in parts]
    shown = " : ".join(display.money(share, whole.currency) for share in shares)
    total = display.figure(Fraction(sum(parts)))
    steps = tuple(
        f"{display.money(whole.value, whole.currency)} × {display.figure(part)}/{total} "
        f"{display.money_sign(share, whole.currency)} {display.money(share, whole.currency)}"
        for part, share in zip(parts, shares, strict=True)
    )
    amount = display.money(whole.value, whole.currency)
    lead = setting.say(f"{amount} splits into {shown}", f"{subject(amount)} 나뉘는 값: {shown}")
    return Working(lead, steps)
