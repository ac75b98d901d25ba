"""Reading an arithmetic expression: tokens, then a tree. Bounded in length and depth."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from app.supervisor.teams.analysis.clause import Atom
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.working import too_complex

_MOST_TOKENS = 400
_MOST_DEPTH = 40

FUNCTIONS = frozenset(
    [
        "sqrt",
        "cbrt",
        "root",
        "abs",
        "ln",
        "log",
        "log10",
        "log2",
        "exp",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "round",
        "floor",
        "ceil",
        "gcd",
        "lcm",
        "min",
        "max",
        "ncr",
        "npr",
        "fact",
        "mod",
        "pow",
    ]
)
CONSTANTS = frozenset({"pi", "π", "e", "tau"})
_TOKEN = re.compile(
    r"(?P<blank>\s+)|(?P<atom>[\U000f0000-\U000fbfff])|(?P<power>\*\*|\^)|(?P<of>of\b)"
    r"|(?P<small>[0-9]{1,3})"
    r"|(?P<times>[*×✕·⋅]|[xX](?=[\s(]?[\s(]?[\U000f0000-\U000fbfff]))|(?P<whole>//)|(?P<over>[/÷])"
    r"|(?P<plus>\+)|(?P<minus>-)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<bang>!)|(?P<comma>,)"
    r"|(?P<percent>%)"
    r"|(?P<root>√)|(?P<degree>°|degrees?\b|deg\b)|(?P<name>[A-Za-zπ][A-Za-z]*[0-9]{0,2})"
)


class NotAnExpression(Exception):
    """The text is not arithmetic."""


@dataclass(frozen=True, slots=True)
class Num:
    """A number of the question."""

    number: Number


@dataclass(frozen=True, slots=True)
class Const:
    """A named constant."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign before, or a factorial, percent or degree mark after."""

    mark: str  # "-", "!", "%", "°"
    inner: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands: + - * / // ^ mod of."""

    mark: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one or more operands."""

    name: str
    inner: tuple["Node", ...]


Node = Num | Const | Unary | Binary | Call


def parse(shape: str, atoms: Mapping[str, Atom]) -> Node:
    """Read the shape of an expression into a tree.

    Raises NotAnExpression when any part is not arithmetic, and Refused when the
    expression has more than 400 tokens or 40 levels.
    """
    return _Parser(_tokens(shape), atoms).whole()


def is_trivial(node: Node) -> bool:
    """Tell whether there is nothing to work out: one number or a signed number."""
    if isinstance(node, Unary) and node.mark == "-":
        return is_trivial(node.inner)
    return isinstance(node, Num) and (
        node.number.value.denominator == 1 or "/" not in node.number.text
    )


def _tokens(shape: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(shape):
        match = _TOKEN.match(shape, position)
        if match is None:
            raise NotAnExpression
        kind = str(match.lastgroup)
        if kind != "blank":
            found.append((kind, match.group()))
        if len(found) > _MOST_TOKENS:
            raise too_complex()
        position = match.end()
    return found


class _Parser:
    """A Pratt parser over one token list."""

    def __init__(self, tokens: list[tuple[str, str]], atoms: Mapping[str, Atom]) -> None:
        self._tokens = tokens
        self._atoms = atoms
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._sum()
        if self._at != len(self._tokens):
            raise NotAnExpression
        return node

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else "end"

    def _word(self) -> str:
        return self._tokens[self._at][1].lower() if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise NotAnExpression
        self._at += 1
        return self._tokens[self._at - 1]

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise too_complex()

    def _sum(self) -> Node:
        self._deeper()
        node = self._product()
        while self._peek() in {"plus", "minus"}:
            mark = "+" if self._next()[0] == "plus" else "-"
            node = Binary(mark, node, self._product())
        self._depth -= 1
        return node

    def _product(self) -> Node:
        node = self._signed()
        while True:
            kind = self._peek()
            if kind in {"times", "over", "whole"}:
                self._next()
                node = Binary(
                    {"times": "*", "over": "/", "whole": "//"}[kind], node, self._signed()
                )
            elif kind == "name" and self._word() == "mod":
                self._next()
                node = Binary("mod", node, self._signed())
            elif kind == "percent" and self._starts_operand(self._at + 1):
                self._next()  # 17 % 5 in a programmer's hand
                node = Binary("mod", node, self._signed())
            elif kind in {"open", "root"} or (
                kind == "name" and self._word() in FUNCTIONS | CONSTANTS
            ):
                node = Binary("*", node, self._power())
            else:
                return node

    def _starts_operand(self, at: int) -> bool:
        return at < len(self._tokens) and self._tokens[at][0] in {"atom", "open"}

    def _signed(self) -> Node:
        if self._peek() in {"minus", "plus"}:
            self._deeper()
            negative = self._next()[0] == "minus"
            node = self._signed()
            self._depth -= 1
            return Unary("-", node) if negative else node
        return self._share()

    def _share(self) -> Node:
        node = self._power()
        if self._peek() == "of":
            self._deeper()
            self._next()
            node = Binary("of", node, self._signed())
            self._depth -= 1
        return node

    def _power(self) -> Node:
        node = self._postfix()
        if self._peek() == "power":
            self._deeper()
            self._next()
            node = Binary("^", node, self._power_right())
            self._depth -= 1
        return node

    def _power_right(self) -> Node:
        if self._peek() == "minus":
            self._deeper()
            self._next()
            node: Node = Unary("-", self._power_right())
            self._depth -= 1
            return node
        return self._power()

    def _postfix(self) -> Node:
        node = self._primary()
        while True:
            kind = self._peek()
            if kind == "bang":
                self._next()
                node = Unary("!", node)
            elif kind == "degree":
                self._next()
                node = Unary("°", node)
            elif kind == "percent" and not self._starts_operand(self._at + 1):
                self._next()
                node = Unary("%", node)
            else:
                return node
            self._deeper()

    def _primary(self) -> Node:
        kind, text = self._next()
        if kind == "atom":
            atom = self._atoms[text]
            if not isinstance(atom, Number):
                raise NotAnExpression
            return Num(atom)
        if kind == "small":  # put there by a rewritten phrase
            return number(int(text))
        if kind == "open":
            node = self._sum()
            if self._next()[0] != "close":
                raise NotAnExpression
            return node
        if kind == "root":
            return Call("sqrt", (self._deep(self._postfix),))
        if kind == "name":
            return self._named(text.lower())
        raise NotAnExpression

    def _named(self, name: str) -> Node:
        if name in CONSTANTS:
            return Const("pi" if name == "π" else name)
        if name not in FUNCTIONS or name == "mod":
            raise NotAnExpression
        if self._peek() != "open":
            return Call(name, (self._deep(self._power),))
        self._next()
        inner = [self._deep(self._sum)]
        while self._peek() == "comma":
            self._next()
            inner.append(self._deep(self._sum))
        if self._next()[0] != "close":
            raise NotAnExpression
        return Call(name, tuple(inner))

    def _deep(self, read: Callable[[], Node]) -> Node:
        self._deeper()
        node = read()
        self._depth -= 1
        return node


def is_of_fractions(node: Node) -> bool:
    """Tell whether a tree works with fractions: 1/3 + 1/4, but not 100/4 and not 2 + 5/2."""
    if isinstance(node, Binary) and node.mark == "/":
        return isinstance(node.right, Binary) and is_of_fractions(node.right)
    pairs = _divisions(node)
    return bool(pairs) and (len(pairs) > 1 or pairs[0][0] < pairs[0][1])


def _divisions(node: Node) -> list[tuple[Fraction, Fraction]]:
    match node:
        case Binary("/", Num(top), Num(below)) if _is_small(top) and _is_small(below):
            return [(top.value, below.value)]
        case Binary(_, left, right):
            return _divisions(left) + _divisions(right)
        case Unary(_, inner):
            return _divisions(inner)
        case Call(_, several):
            return [pair for one in several for pair in _divisions(one)]
        case _:
            return []


def with_fractions(node: Node) -> Node:
    """Return the tree with each 1/3 of two small whole numbers as one fraction."""
    match node:
        case Binary("/", Num(top), Num(below)) if _is_small(top) and _is_small(below):
            return Num(Number(top.value / below.value, text=f"{top.value}/{below.value}"))
        case Binary(mark, left, right):
            return Binary(mark, with_fractions(left), with_fractions(right))
        case Unary(mark, inner):
            return Unary(mark, with_fractions(inner))
        case Call(name, inner):
            return Call(name, tuple(with_fractions(one) for one in inner))
        case _:
            return node


def _is_small(number: Number) -> bool:
    plain = not number.currency and not number.percent and number.value.denominator == 1
    return plain and 0 < number.value < 1000


def number(value: int | Fraction) -> Num:
    """Make a tree leaf of a plain value."""
    return Num(Number(Fraction(value)))
