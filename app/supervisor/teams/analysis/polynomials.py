"""Equations as polynomials: reading them from text, bounded in length, depth and degree."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis import exact
from app.supervisor.teams.analysis.working import too_complex

LONGEST = 200
_MOST_DEPTH = 20
MOST_DEGREE = 4
_CANDIDATE = re.compile(
    r"[-+0-9a-zA-Z(.^*/ )²³,]*[a-zA-Z0-9)²³] ?(?:==|=|<=|>=|<|>|≤"
    r"|≥) ?[-+(0-9a-zA-Z][-+0-9a-zA-Z(.^*/ )²³]*"
)
_RELATION = re.compile(r"==|<=|>=|≤|≥|=|<|>")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<letter>[a-zA-Z])|(?P<mark>\*\*|[-+*/^()]))"
)
_WORDS = re.compile(r"[a-zA-Z]{2,}")


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Terms by their letters' powers: {"x": 2} is kept as (("x", 2),)."""

    terms: dict[tuple[tuple[str, int], ...], Fraction]

    def plus(self, other: "Polynomial", factor: int = 1) -> "Polynomial":
        terms = dict(self.terms)
        for key, value in other.terms.items():
            terms[key] = terms.get(key, Fraction(0)) + factor * value
        return Polynomial({key: value for key, value in terms.items() if value})

    def times(self, other: "Polynomial") -> "Polynomial":
        terms: dict[tuple[tuple[str, int], ...], Fraction] = {}
        for key, value in self.terms.items():
            for second, factor in other.terms.items():
                powers = dict(key)
                for letter, power in second:
                    powers[letter] = powers.get(letter, 0) + power
                if sum(powers.values()) > MOST_DEGREE:
                    raise too_complex()
                joined = tuple(sorted(powers.items()))
                terms[joined] = exact.bounded(terms.get(joined, Fraction(0)) + value * factor)
        return Polynomial({key: value for key, value in terms.items() if value})

    @property
    def constant(self) -> Fraction | None:
        """The value when there are no letters."""
        if not self.terms:
            return Fraction(0)
        return self.terms.get(()) if set(self.terms) == {()} else None

    def letters(self) -> set[str]:
        return {letter for key in self.terms for letter, _ in key}


class _NotAlgebra(Exception):
    """The text is not an equation."""


def equations_in(text: str) -> list[tuple[Polynomial, str, Polynomial]]:
    """Return (left, relation, right) of each equation or inequality that a text holds."""
    text = text.replace("×", "*").replace("·", "*").replace("÷", "/").replace("−", "-")
    found = []
    for piece in re.split(r",(?!\d)|;|\band\b|그리고|이고|,\s|\n|일 때|when|where", text):
        match = _CANDIDATE.search(piece)
        if match is None or len(match.group()) > LONGEST:
            continue
        body = _without_words(match.group())
        relation = _RELATION.search(body)
        if relation is None or len(_RELATION.findall(body)) != 1:
            continue
        try:
            left, right = (
                _Parser(side).whole() for side in (body[: relation.start()], body[relation.end() :])
            )
        except _NotAlgebra:
            continue
        found.append(
            (left, relation.group().replace("==", "=").replace("≤", "<=").replace("≥", ">="), right)
        )
    return found


def _without_words(text: str) -> str:
    """Keep what follows the last word on the left and precedes the first on the right."""
    words = list(_WORDS.finditer(text))
    relation = _RELATION.search(text)
    if relation is None:
        return text
    products = {"xy", "ab", "xx"}
    before = [
        w.end() for w in words if w.end() <= relation.start() and w.group().lower() not in products
    ]
    after = [
        w.start()
        for w in words
        if w.start() >= relation.end() and w.group().lower() not in products
    ]
    return text[before[-1] if before else 0 : after[0] if after else len(text)].strip()


class _Parser:
    """Recursive descent over one side of an equation."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip(" .?")
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _NotAlgebra
            self._tokens.append((str(match.lastgroup), match.group().strip()))
            position = match.end()
        self._at = 0
        self._depth = 0

    def whole(self) -> Polynomial:
        if not self._tokens:
            raise _NotAlgebra
        result = self._sum()
        if self._at != len(self._tokens):
            raise _NotAlgebra
        return result

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _sum(self) -> Polynomial:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise too_complex()
        result = self._product()
        while self._peek() in {"+", "-"}:
            mark = self._peek()
            self._at += 1
            result = result.plus(self._product(), 1 if mark == "+" else -1)
        self._depth -= 1
        return result

    def _product(self) -> Polynomial:
        negative = 1
        while self._peek() in {"+", "-"}:
            negative *= -1 if self._peek() == "-" else 1
            self._at += 1
        result = Polynomial({(): Fraction(negative)}).times(self._power())
        while True:
            if self._peek() == "*":
                self._at += 1
                sign = 1
                while self._peek() == "-":
                    sign, self._at = -sign, self._at + 1
                result = result.times(self._power()).times(Polynomial({(): Fraction(sign)}))
            elif self._peek() == "/":
                self._at += 1
                below = self._power().constant
                if below is None:
                    raise _NotAlgebra
                result = result.times(Polynomial({(): exact.divide(Fraction(1), below)}))
            elif self._kind() in {"letter", "number"} or self._peek() == "(":
                result = result.times(self._power())
            else:
                return result

    def _power(self) -> Polynomial:
        base = self._primary()
        if self._peek() in {"^", "**"}:
            self._at += 1
            exponent = self._primary().constant
            if (
                exponent is None
                or exponent.denominator != 1
                or not 0 <= exponent <= MOST_DEGREE * 4
            ):
                raise _NotAlgebra
            result = Polynomial({(): Fraction(1)})
            for _ in range(exponent.numerator):
                result = result.times(base)
            return result
        return base

    def _primary(self) -> Polynomial:
        if self._at >= len(self._tokens):
            raise _NotAlgebra
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            if len(text) > 30:
                raise too_complex()
            return Polynomial({(): Fraction(text)} if Fraction(text) else {})
        if kind == "letter":
            return Polynomial({((text.lower(), 1),): Fraction(1)})
        if text == "(":
            result = self._sum()
            if self._peek() != ")":
                raise _NotAlgebra
            self._at += 1
            return result
        raise _NotAlgebra
