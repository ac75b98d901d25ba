"""Solving interest: simple, compound, savings, loan payments, growth rates, doubling."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_TOPIC = re.compile(
    r"interest|compound|invest|deposit|\bsav(?:e|ing)|loan|mortgage|borrow|\bapr\b|\bapy\b"
    r"|per annum|annual(?:ly)?|yearly|a year|each year|per year|every year|double|cagr|이자|이율"
    r"|금리|복리|단리|대출|예금|적금|투자|연이율|연간|매년|연평균|두 배|원리금|상환"
    r"|연 [\U000f8000-\U000fbfff]",
    re.IGNORECASE,
)
_YEARS = pattern(r"<N:n>[- ]?(?:years?|yrs?|년)(?: ?(?:간|동안|후|뒤|만기))?")
_MONTHS = pattern(r"<N:n>[- ]?(?:months?|mos?\b|개월)(?: ?(?:간|동안|후|뒤|만기))?")
_SIMPLE = re.compile(r"\bsimple\b|단리", re.IGNORECASE)
_COMPOUND = re.compile(r"compound|복리", re.IGNORECASE)
_TIMES = (
    (re.compile(r"\bdaily\b|every day|일\s?복리|매일", re.IGNORECASE), 365, "daily", "매일"),
    (re.compile(r"\bweekly\b|매주", re.IGNORECASE), 52, "weekly", "매주"),
    (
        re.compile(r"\bmonthly\b|every month|월\s?복리|매월|매달|월\s?단위", re.IGNORECASE),
        12,
        "monthly",
        "매월",
    ),
    (re.compile(r"\bquarterly\b|every quarter|분기", re.IGNORECASE), 4, "quarterly", "분기마다"),
    (
        re.compile(r"semi-?annual|half-?year|twice a year|반기", re.IGNORECASE),
        2,
        "half-yearly",
        "반년마다",
    ),
)
_INTEREST_ASKED = re.compile(
    r"how much (?:\w+ )?interest\b|^\W*(?:\S+ )?interest on\b|what(?:'s| is) the (?:\w+ )?interest"
    r"\b(?! rate)|이자(?:(?:는|가|만|액은)(?:\s\S+){0,5}?"
    r"|(?:를|액)?(?:\s(?!\S*로(?:\s|$))\S+){0,2}?)\s?(?:얼마|몇|계산|알려|구해|\?|$)",
    re.IGNORECASE,
)
_LOAN = re.compile(
    r"\bloan\b|mortgage|borrow|monthly payment|repay|installment|대출|원리금|상환|할부",
    re.IGNORECASE,
)
_PAYMENT = re.compile(
    r"payment|pay\b|installment|repay|instal|상환|원리금|매달|매월|월\s?납|한 달에", re.IGNORECASE
)
_REGULAR = pattern(
    r"(?:save|saving|deposit|invest|put|contribute|add)(?:ing|s)?(?: away)? <N:n> ?(?:a|per|each"
    r"|every|/) ?(?P<period>month|year)|(?:매달|매월|월) ?<N:m>(?:씩)?"
)
_DOUBLE = re.compile(r"\bdouble\b|doubling|두 배|2배", re.IGNORECASE)
_GROWTH = re.compile(
    r"cagr|annual(?:ized)? (?:growth|return|rate)|growth rate|per year|average (?:yearly|annual)"
    r"|연평균|연간\s?성장",
    re.IGNORECASE,
)
_FROM_TO = pattern(r"<N:old><W>(?:to|into|->|→|에서)<W><N:new>")
_MOST_YEARS = 1000


@dataclass(frozen=True, slots=True)
class _Terms:
    money: list[Number]
    rate: Fraction | None  # percent a year
    years: Fraction | None
    months: Fraction | None


def solve(clause: Clause, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    """Solve a clause about interest. Raises Refused for terms out of range."""
    if not _TOPIC.search(clause.shape):
        return None
    terms = _terms(clause)
    if terms is None:
        return None
    if terms.years is not None and not 0 < terms.years <= _MOST_YEARS:
        raise Refused(
            "out_of_range",
            "I work out at most 1,000 years.",
            "최대 1,000년까지만 계산할 수 있어요.",
        )
    if terms.rate is None and clause.has(_REGULAR) and len(terms.money) == 1 and terms.years:
        return _savings(clause, terms, setting)
    if terms.rate is None:
        return _growth_rate(clause, terms, setting)
    if abs(terms.rate) > 10_000:
        raise Refused("out_of_range", "That rate is too high.", "이율이 너무 커요.")
    if not terms.money and _DOUBLE.search(clause.shape):
        return _doubling(terms.rate, setting)
    if len(terms.money) != 1 or terms.years is None:
        return None
    if _LOAN.search(clause.shape) and _PAYMENT.search(clause.shape):
        return _payment(terms.money[0], terms.rate, terms.years, setting)
    if clause.has(_REGULAR):
        return _savings(clause, terms, setting)
    if _SIMPLE.search(clause.shape):
        return _simple(terms.money[0], terms.rate, terms.years, setting)
    return _compound(clause, terms.money[0], terms.rate, terms.years, setting)


def _terms(clause: Clause) -> _Terms | None:
    shape = clause.shape
    years = _YEARS.search(shape)
    months = _MONTHS.search(shape)
    spent = {match["n"] for match in (years, months) if match}
    rates: list[Fraction] = []
    money: list[Number] = []
    for character, atom in clause.atoms.items():
        if not isinstance(atom, Number) or character in spent:
            continue
        if atom.percent:
            rates.append(atom.value)
        else:
            money.append(atom)
    if len(rates) > 1:
        return None
    span = clause.value(years["n"]) if years else None
    month_count = clause.value(months["n"]) if months else None
    if month_count is not None:
        span = (span or Fraction(0)) + month_count / 12
    return _Terms(money, rates[0] if rates else None, span, month_count)


def _times(clause: Clause) -> tuple[int, str, str]:
    for words, times, english, korean in _TIMES:
        if words.search(clause.shape):
            return times, english, korean
    return 1, "yearly", "매년"


def _simple(money: Number, rate: Fraction, years: Fraction, setting: Setting) -> Working:
    interest = money.value * rate * years / 100
    total = money.value + interest
    start, gained, end = (
        display.money(value, money.currency) for value in (money.value, interest, total)
    )
    steps = (
        f"{start} × {display.figure(rate)}% × {display.figure(years)} "
        f"{display.money_sign(interest, money.currency)} {gained}",
        f"{start} + {gained} = {end}",
    )
    lead = setting.say(f"Interest {gained}, total {end}", f"이자 {gained}, 합계 {end}")
    return Working(lead, steps, setting.say("Simple interest.", "단리로 계산했어요."), value=total)


def _compound(
    clause: Clause, money: Number, rate: Fraction, years: Fraction, setting: Setting
) -> Working:
    times, english, korean = _times(clause)
    factor = 1 + rate / 100 / times
    if factor < 0:
        raise Refused("out_of_range", "That rate is below −100%.", "이율이 -100%보다 작아요.")
    grown, exactly = exact.power(factor, years * times)
    total = money.value * grown
    start, end = display.money(money.value, money.currency), display.money(total, money.currency)
    gained = display.money(total - money.value, money.currency)
    base = f"1 + {display.figure(rate)}%" + (f" ÷ {times}" if times > 1 else "")
    sign = display.money_sign(total, money.currency) if exactly else "≈"
    steps = (
        f"{start} × ({base})^{display.figure(years * times)} {sign} {end}",
        setting.say("Interest: ", "이자: ") + f"{end} − {start} = {gained}",
    )
    about = sign.replace("=", "").strip()
    unit = "year" if years == 1 else "years"
    lead = setting.say(
        f"{about} {end} after {display.figure(years)} {unit}".strip(),
        f"{display.figure(years)}년 뒤 {about} {end}".replace("  ", " "),
    )
    if _INTEREST_ASKED.search(clause.shape):
        # the total is the second thing: the question is what is gained
        lead = setting.say(f"Interest {about} {gained}, {lead}", f"이자 {about} {gained}, {lead}")
        lead = lead.replace("  ", " ")
    return Working(
        lead,
        steps,
        setting.say(f"Compounded {english}.", f"복리({korean})로 계산했어요."),
        value=total,
    )


def _payment(money: Number, rate: Fraction, years: Fraction, setting: Setting) -> Working:
    count = years * 12
    if count.denominator != 1:
        count = Fraction(round(count))
    if count < 1 or rate < 0:
        raise Refused(
            "out_of_range", "A loan needs at least one month.", "대출은 한 달 이상이어야 해요."
        )
    monthly = rate / 1200
    if monthly:
        grown, _ = exact.power(1 + monthly, count)
        payment = money.value * monthly * grown / (grown - 1)
    else:
        payment = money.value / count
    shown = display.money(payment, money.currency)
    paid = display.money(payment * count, money.currency)
    interest = display.money(payment * count - money.value, money.currency)
    steps = (
        setting.say("Monthly rate: ", "월 이율: ")
        + (
            f"{display.figure(rate)}% ÷ 12 {display.sign_of(monthly * 100)} "
            f"{display.figure(monthly * 100)}%"
        ),
        setting.say(
            f"{display.figure(count)} equal payments: P × r ÷ (1 − (1 + r)^−n) ≈ {shown}",
            f"{display.figure(count)}회 원리금 균등: P × r ÷ (1 − (1 + r)^−n) ≈ {shown}",
        ),
        setting.say(
            f"Paid in all ≈ {paid}, of which interest ≈ {interest}",
            f"총 상환액 ≈ {paid}, 그중 이자 ≈ {interest}",
        ),
    )
    return Working(setting.say(f"≈ {shown} a month", f"매달 ≈ {shown}"), steps, value=payment)


def _savings(clause: Clause, terms: _Terms, setting: Setting) -> Working:
    money = terms.money[0]
    match = _REGULAR.search(clause.shape)
    yearly = match is not None and match["period"] == "year"
    times = 1 if yearly else 12
    count = (terms.years or Fraction(0)) * times
    rate = (terms.rate or Fraction(0)) / 100 / times
    grown, _ = exact.power(1 + rate, Fraction(round(count)))
    total = money.value * ((grown - 1) / rate if rate else count)
    start, end = display.money(money.value, money.currency), display.money(total, money.currency)
    paid = display.money(money.value * count, money.currency)
    steps = (
        f"{start} × {display.figure(count)} = {paid}",
        f"{start} × ((1 + r)^{display.figure(count)} − 1) ÷ r ≈ {end}  (r = "
        f"{display.figure(terms.rate or Fraction(0))}% ÷ {times})",
    )
    if not rate:
        return Working(setting.say(f"{end} in total", f"모두 {end}"), steps[:1], value=total)
    note = setting.say(
        "Paid at the end of each period, compounded.", "매 기간 말에 넣고 복리로 불어난다고 봤어요."
    )
    return Working(setting.say(f"≈ {end}", f"≈ {end}"), steps, note, value=total)


def _doubling(rate: Fraction, setting: Setting) -> Working | None:
    if rate <= 0:
        return None
    grown = 1 + rate / 100
    years = Fraction(Decimal(2).ln()) / exact.logarithm(grown, None)[0]
    shown = display.rounded(years, 2)
    steps = (f"ln 2 ÷ ln(1 + {display.figure(rate)}%) ≈ {shown}",)
    return Working(setting.say(f"≈ {shown} years", f"≈ {shown}년"), steps, value=years)


def _growth_rate(clause: Clause, terms: _Terms, setting: Setting) -> Working | None:
    if terms.years is None or len(terms.money) != 2 or not _GROWTH.search(clause.shape):
        return None
    old, new = terms.money
    if old.value <= 0 or new.value <= 0:
        raise exact.not_real()
    grown, _ = exact.power(new.value / old.value, 1 / terms.years)
    rate = (grown - 1) * 100
    shown = display.rounded(rate, 2)
    first, second = display.money(old.value, old.currency), display.money(new.value, new.currency)
    steps = (f"({second} ÷ {first})^(1/{display.figure(terms.years)}) − 1 ≈ {shown}%",)
    return Working(setting.say(f"≈ {shown}% a year", f"연평균 ≈ {shown}%"), steps, value=rate)
