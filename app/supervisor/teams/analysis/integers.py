"""Solving whole numbers: primes, factors, gcd and lcm, counting, sequences."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import math
import re
from fractions import Fraction

from app.supervisor.offline.particles import topic
from app.supervisor.teams.analysis import display, evaluate, exact, expression
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.counting import MOST_LISTED, choose, fibonacci, wholes
from app.supervisor.teams.analysis.primes import (
    MOST_FACTORED,
    MOST_TESTED,
    factors_of,
    is_prime,
    nth_prime,
    primes_between,
)
from app.supervisor.teams.analysis.working import Refused, Setting, Working, too_large

_GCD = re.compile(
    r"(?<![a-z])(?:gcd|gcf|hcf)(?![a-z])|greatest common (?:divisor|factor)|highest common"
    r"|largest common"
    r"|최대\s?공약수",
    re.IGNORECASE,
)


_LCM = re.compile(
    r"(?<![a-z])lcm(?![a-z])|(?:least|lowest|smallest) common (?:multiple|denominator)"
    r"|최소\s?공배수",
    re.IGNORECASE,
)


_PRIME = re.compile(r"\bprimes?\b|소수(?!점|로\s?(?:나타|표현|바꿔|변환))", re.IGNORECASE)


_FACTORS = re.compile(r"prime factor|factori[sz]|소인수\s?분해|인수\s?분해", re.IGNORECASE)


_DIVISORS = re.compile(r"(?:all )?(?:the )?(?:divisors|factors) of|약수", re.IGNORECASE)


_NTH_PRIME = pattern(r"<N:n>(?: ?번째)? (?:prime|소수)")


_FIRST_PRIMES = pattern(r"first <N:n> primes?|처음 ?<N:m>개의? ?소수|소수 ?<N:k>개")


_PRIMES_UP_TO = pattern(
    r"primes?<W>(?:up to|below|under|less than|smaller than|until) <N:top>|<N:top2>(?: ?이하"
    r"| ?미만| ?보다 작은|까지)의?<W>소수"
)


_PRIMES_BETWEEN = pattern(
    r"(?:between|from) <N:low3> (?:and|to) <N:high3><W>primes?|"
    r"primes?<W>(?:between|from) <N:low> (?:and|to) <N:high>|<N:low2>(?:부터|에서|과"
    r"|와)<W><N:high2><W>소수"
)


_IS_PRIME = re.compile(
    r"^\W*is (.{1,80}?) (?:an? )?prime(?: number)?\W*$|^(.{1,80}?)(?:은|는|이|가) 소수",
    re.IGNORECASE,
)
_EVEN_ODD = re.compile(r"\b(?:even|odd)\b|짝수|홀수", re.IGNORECASE)


_DIVISIBLE = pattern(
    r"<N:a><W>(?:divisible|divide evenly|evenly divisible|multiple)<W><N:b>|<N:a2>(?:은|는|이"
    r"|가)? ?<N:b2>(?:으로|로) ?나누어 ?떨어|<N:a3>(?:은|는|이|가) ?<N:b3>의 배수"
)


_DIGITS = re.compile(
    r"(?:sum of (?:the )?digits|digit sum)|자릿?수의?\s?합|각\s?자리", re.IGNORECASE
)


_HOW_MANY_DIGITS = re.compile(r"how many digits|몇\s?자리", re.IGNORECASE)


_SQUARE = re.compile(r"perfect square|제곱수|완전제곱", re.IGNORECASE)


_SIMPLIFY = re.compile(r"simplif|reduce|lowest terms|약분|기약", re.IGNORECASE)


def solve(clause: Clause, setting: Setting) -> Working | None:
    """Solve a clause about whole numbers. Raises Refused beyond the limits."""
    for solver in (_common, choose, fibonacci, _primes, _factors, _yes_no, _digits, _simplified):
        if (working := solver(clause, setting)) is not None:
            return working
    return None


def _common(clause: Clause, setting: Setting) -> Working | None:
    wants_gcd, wants_lcm = bool(_GCD.search(clause.shape)), bool(_LCM.search(clause.shape))
    values = wholes(clause)
    if not (wants_gcd or wants_lcm) or values is None or len(values) < 2 or not all(values):
        return None
    if wants_gcd and wants_lcm and _asked_apart(clause):
        return None
    if len(values) > 50 or any(abs(v) > MOST_FACTORED for v in values):
        raise too_large()
    leads = []
    steps = [f"{one:,} = {_product(abs(one))}" for one in values[:4]]
    if wants_gcd:
        leads.append(f"{setting.say('GCD', '최대공약수')} = {math.gcd(*values):,}")
    if wants_lcm:
        leads.append(
            f"{setting.say('LCM', '최소공배수')} = "
            f"{exact.bounded(Fraction(math.lcm(*values))).numerator:,}"
        )
    value = Fraction(math.gcd(*values) if wants_gcd else math.lcm(*values))
    return Working(", ".join(leads), tuple(steps), value=value)


def _asked_apart(clause: Clause) -> bool:
    """Tell whether the gcd is asked of some numbers and the lcm of others."""
    words = sorted(found.start() for form in (_GCD, _LCM) if (found := form.search(clause.shape)))
    places = [i for i, c in enumerate(clause.shape) if c in clause.atoms]
    between = [place for place in places if words[0] < place < words[1]]
    return bool(between) and places[-1] > words[1]


def _product(value: int) -> str:
    """Write a whole number as a product of powers of primes."""
    if value < 4:
        return f"{value}"
    parts = [
        f"{prime:,}{display.superscript(power) if power > 1 else ''}"
        for prime, power in factors_of(value)
    ]
    return " × ".join(parts)


def _primes(clause: Clause, setting: Setting) -> Working | None:  # noqa: PLR0911 - one return for each form
    if not _PRIME.search(clause.shape) or _FACTORS.search(clause.shape):
        return None
    values = wholes(clause)
    if values is None:
        return None
    for form, kind in (
        (_PRIMES_BETWEEN, "between"),
        (_PRIMES_UP_TO, "up"),
        (_FIRST_PRIMES, "first"),
        (_NTH_PRIME, "nth"),
    ):
        match = clause.match(form)
        if match is None:
            continue
        groups = [clause.value(g).numerator for g in match.groupdict().values() if g]
        if kind == "nth" and not (clause.numbers[0].ordinal or "번째" in match.group()):
            continue
        return _listed_primes(kind, groups, setting)
    value = values[0] if len(values) == 1 else _worked_out(clause)
    if value is None:
        return None
    if value > MOST_TESTED:
        raise Refused(
            "too_large", "I test whole numbers up to 10²⁴.", "10²⁴까지의 정수만 판별해요."
        )
    if value < 2:
        return Working(
            setting.say(f"{value} is not a prime", f"{topic(str(value))} 소수가 아니에요")
        )
    if is_prime(value):
        return Working(
            setting.say(f"{value:,} is prime", f"{topic(f'{value:,}')} 소수예요"),
            (setting.say("Its only divisors are 1 and itself.", "약수가 1과 자기 자신뿐이에요."),),
        )
    steps = (f"{value:,} = {_product(value)}",) if value <= MOST_FACTORED else ()
    return Working(
        setting.say(f"{value:,} is not prime", f"{topic(f'{value:,}')} 소수가 아니에요"), steps
    )


def _worked_out(clause: Clause) -> int | None:
    """Return the value of the sum in "is 2^61 - 1 prime?", or None."""
    match = _IS_PRIME.match(clause.shape)
    if match is None:
        return None
    try:
        value = evaluate.Evaluation().of(expression.parse(match.group(1), clause.atoms)).value
    except expression.NotAnExpression:
        return None
    return value.numerator if value.denominator == 1 else None


def _listed_primes(kind: str, groups: list[int], setting: Setting) -> Working | None:
    if kind == "nth":
        found = nth_prime(groups[0])
        return Working(
            f"{found:,}",
            (setting.say(f"Prime number {groups[0]:,}", f"{groups[0]:,}번째 소수"),),
            value=Fraction(found),
        )
    if kind == "first":
        if not 1 <= groups[0] <= MOST_LISTED:
            raise Refused("too_large", "I list at most 60 primes.", "소수는 60개까지 보여 드려요.")
        primes = primes_between(2, nth_prime(groups[0]))
    else:
        low, high = (2, groups[0]) if kind == "up" else (groups[0], groups[1])
        primes = primes_between(low, high)
    shown = ", ".join(f"{prime:,}" for prime in primes[:MOST_LISTED])
    count = setting.say(f"{len(primes):,} primes", f"소수 {len(primes):,}개")
    more = " …" if len(primes) > MOST_LISTED else ""
    return Working(f"{count}: {shown}{more}" if primes else count, value=Fraction(len(primes)))


def _factors(clause: Clause, setting: Setting) -> Working | None:
    values = wholes(clause)
    if values is None or len(values) != 1:
        return None
    value = values[0]
    if not (_FACTORS.search(clause.shape) or _DIVISORS.search(clause.shape)) or "x" in re.sub(
        r"[a-w]x|x[a-z]", "", clause.shape.lower()
    ):
        return None
    if not 1 <= value <= MOST_FACTORED:
        raise Refused(
            "too_large",
            "I factorise whole numbers from 1 to 10¹⁵.",
            "1부터 10¹⁵까지의 정수를 분해할 수 있어요.",
        )
    if _FACTORS.search(clause.shape):
        if is_prime(value):
            return Working(setting.say(f"{value:,} is prime", f"{topic(f'{value:,}')} 소수예요"))
        return Working(f"{value:,} = {_product(value)}")
    divisors = [1]
    for prime, power in factors_of(value) if value > 1 else []:
        divisors = [d * prime**k for d in divisors for k in range(power + 1)]
    divisors.sort()
    shown = ", ".join(f"{d:,}" for d in divisors[:MOST_LISTED]) + (
        " …" if len(divisors) > MOST_LISTED else ""
    )
    lead = setting.say(f"{len(divisors)} divisors: {shown}", f"약수 {len(divisors)}개: {shown}")
    return Working(
        lead,
        (f"{value:,} = {_product(value)}",) if value > 1 else (),
        value=Fraction(len(divisors)),
    )


def _yes_no(clause: Clause, setting: Setting) -> Working | None:
    values = wholes(clause)
    if values is None:
        return None
    if (match := clause.match(_DIVISIBLE)) is not None and re.search(
        r"\bis\b|\bcan\b|인가|나요|떨어|배수", clause.shape, re.IGNORECASE
    ):
        groups = [clause.value(g).numerator for g in match.groupdict().values() if g]
        quotient, rest = divmod(groups[0], groups[1]) if groups[1] else (0, groups[0])
        yes = not rest and groups[1]
        lead = setting.say(
            f"{'Yes' if yes else 'No'}, {groups[0]:,} is {'' if yes else 'not '}divisible by "
            f"{groups[1]:,}",
            f"{'네' if yes else '아니요'}, {topic(f'{groups[0]:,}')} "
            f"{groups[1]:,}{'의 배수예요' if yes else '의 배수가 아니에요'}",
        )
        return Working(lead, (f"{groups[0]:,} = {groups[1]:,} × {quotient:,} + {rest:,}",))
    if len(values) != 1:
        return None
    value = values[0]
    if _EVEN_ODD.search(clause.shape) and re.search(
        r"\bis\b|\bor\b|인가|일까|이야|인지|까\?|예요|니", clause.shape, re.IGNORECASE
    ):
        return Working(
            setting.say(
                f"{value:,} is {'odd' if value % 2 else 'even'}",
                f"{topic(f'{value:,}')} {'홀수' if value % 2 else '짝수'}예요",
            ),
            (f"{value:,} = 2 × {value // 2:,}" + (" + 1" if value % 2 else ""),),
        )
    if _SQUARE.search(clause.shape) and value >= 0:
        root = math.isqrt(value)
        yes = root * root == value
        step = (
            f"{root:,}² = {root * root:,}"
            if yes
            else f"{root:,}² = {root * root:,}, {root + 1:,}² = {(root + 1) ** 2:,}"
        )
        return Working(
            setting.say(
                f"{value:,} is {'' if yes else 'not '}a perfect square",
                f"{topic(f'{value:,}')} 제곱수{'예요' if yes else '가 아니에요'}",
            ),
            (step,),
        )
    return None


def _digits(clause: Clause, setting: Setting) -> Working | None:
    values = wholes(clause)
    if values is None or len(values) != 1:
        return None
    digits = str(abs(values[0]))
    if _DIGITS.search(clause.shape):
        total = sum(map(int, digits))
        return Working(f"{total}", (f"{' + '.join(digits)} = {total}",), value=Fraction(total))
    if _HOW_MANY_DIGITS.search(clause.shape) and re.fullmatch(
        r"[^\U000f0000-\U000fffff]*[\U000f0000-\U000f7fff]\W*[a-z가-힣? .]*",
        clause.shape,
        re.IGNORECASE,
    ):
        if re.search(r"[\^!*/+]|제곱|팩토리얼|power", clause.shape):
            return None
        return Working(
            setting.say(f"{len(digits)} digits", f"{len(digits)}자리"), value=Fraction(len(digits))
        )
    return None


def _simplified(clause: Clause, setting: Setting) -> Working | None:
    if not _SIMPLIFY.search(clause.shape):
        return None
    numbers = clause.numbers
    if len(numbers) == 1 and "/" in numbers[0].text:
        written, value = numbers[0].text.strip(), numbers[0].value
    elif (match := clause.match(pattern(r"<N:a> ?/ ?<N:b>"))) is not None:
        value = exact.divide(clause.value(match["a"]), clause.value(match["b"]))
        written = (
            f"{display.figure(clause.value(match['a']))}/{display.figure(clause.value(match['b']))}"
        )
    else:
        return None
    shown = (
        f"{value.numerator}/{value.denominator}" if value.denominator != 1 else f"{value.numerator}"
    )
    parts = [int(part) for part in re.findall(r"\d+", written.replace(",", ""))]
    common = math.gcd(*parts) if len(parts) == 2 else 1
    step = (
        (
            f"{setting.say('Divide both by', '분자와 분모를')} "
            f"{common}{'' if setting.language == 'en' else '로 나눠요'}",
        )
        if common > 1
        else ()
    )
    return Working(f"{written} = {shown}", step, value=value)
