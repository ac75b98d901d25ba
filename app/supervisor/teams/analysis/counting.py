"""Counting: choosing and arranging, Fibonacci numbers."""

import re
from fractions import Fraction

from app.supervisor.teams.analysis import display, exact
from app.supervisor.teams.analysis.clause import Clause, pattern
from app.supervisor.teams.analysis.evaluate import combinations
from app.supervisor.teams.analysis.working import Refused, Setting, Working

_CHOOSE = pattern(
    r"<N:n> choose <N:k>|choose <N:k2><W>(?:from|out of|of)<W><N:n2>|(?:ways"
    r"|combinations)<W>(?:choose|pick|select|choosing|picking|selecting) <N:k3><W>(?:from|out of"
    r"|of)<W><N:n3>|combinations? of <N:n4><W>(?:taken|choose|by)<W><N:k4>|<N:n5>C<N:k5>"
    r"|<N:n6> ?(?:명|개|가지|장|권)<W>(?:에서|중에서|중|가운데)<W><N:k6> ?(?:명|개|가지|장"
    r"|권)<W>(?:뽑|고르|선택|조합)|combinations? of <N:k7><W>(?:from|out of)<W><N:n7>"
)


_ARRANGE = pattern(
    r"permutations? of <N:n><W>(?:taken|choose|by)<W><N:k>|<N:n2>P<N:k2>"
    r"|arrange <N:k3><W>(?:from|out of)<W><N:n3>|permutations? of <N:k4><W>(?:from"
    r"|out of)<W><N:n4>|<N:n6> ?(?:명|개|가지)<W>(?:에서|중에서|중|가운데)<W><N:k6> ?(?:명|개"
    r"|가지)<W>(?:나열|순열|줄)"
)


_ARRANGE_ALL = pattern(
    r"(?:ways|permutations)<W>(?:arrange|order|line up|seat|permute|of) <N:n><W>|(?:arrange"
    r"|line up|seat) <N:n2> |<N:n3> ?(?:명|개|가지|권)<W>(?:줄 ?세우|일렬|나열|배열|순열)"
)


_FIBONACCI = re.compile(r"fibonacci|피보나치", re.IGNORECASE)


_MOST_FIBONACCI = 5_000


MOST_LISTED = 60


def wholes(clause: Clause) -> list[int] | None:
    numbers = clause.numbers
    if any(n.value.denominator != 1 or n.percent for n in numbers):
        return None
    return [n.value.numerator for n in numbers]


def choose(clause: Clause, setting: Setting) -> Working | None:
    for form, ordered in ((_CHOOSE, False), (_ARRANGE, True)):
        match = clause.match(form)
        if match is None:
            continue
        of = next(
            clause.value(g) for name, g in match.groupdict().items() if g and name.startswith("n")
        )
        chosen = next(
            clause.value(g) for name, g in match.groupdict().items() if g and name.startswith("k")
        )
        if of.denominator != 1 or chosen.denominator != 1:
            raise Refused("not_whole", "That needs whole numbers.", "정수로만 계산할 수 있어요.")
        value = combinations(of.numerator, chosen.numerator, ordered=ordered)
        letter = "P" if ordered else "C"
        name = setting.say("ways" if not ordered else "arrangements", "가지")
        divisor = "" if ordered else f" × {chosen}!"
        step = (
            f"{of}{letter}{chosen} = {of}! ÷ ({of} − {chosen})!"
            if ordered
            else f"{of}{letter}{chosen} = {of}! ÷ (({of} − {chosen})!{divisor})"
        )
        return Working(
            f"{display.figure(value)} {name}"
            if setting.language == "en"
            else f"{display.figure(value)}{name}",
            (step,),
            value=value,
        )
    match = clause.match(_ARRANGE_ALL)
    if match is None or len(clause.numbers) != 1:
        return None
    count = next(clause.value(g) for g in match.groupdict().values() if g)
    value = exact.factorial(count)
    shown = setting.say(f"{display.figure(value)} ways", f"{display.figure(value)}가지")
    return Working(shown, (f"{count}! = {display.figure(value)}",), value=value)


def fibonacci(clause: Clause, setting: Setting) -> Working | None:
    values = wholes(clause)
    if not _FIBONACCI.search(clause.shape) or values is None or len(values) != 1:
        return None
    count = values[0]
    if not 1 <= count <= _MOST_FIBONACCI:
        raise Refused(
            "too_large",
            "I work out Fibonacci numbers from 1 to 5,000.",
            "피보나치 수는 5,000번째까지 계산해요.",
        )
    sequence = [1, 1]
    while len(sequence) < count:
        sequence.append(sequence[-1] + sequence[-2])
    if (
        re.search(r"first|처음|numbers\b(?!.*th)|개", clause.shape, re.IGNORECASE)
        and not clause.numbers[0].ordinal
        and "번째" not in clause.shape
    ):
        if count > MOST_LISTED:
            raise Refused("too_large", "I list at most 60 of them.", "60개까지 보여 드려요.")
        return Working(", ".join(f"{n:,}" for n in sequence[:count]))
    return Working(
        f"F({count}) = {display.figure(Fraction(sequence[count - 1]))}",
        (setting.say("Counting F(1) = F(2) = 1", "F(1) = F(2) = 1 기준"),),
        value=Fraction(sequence[count - 1]),
    )
