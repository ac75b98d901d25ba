"""A question made ready for solvers: each number, date and time is one character of its shape.

Solvers match patterns against the shape. A private-use character stands for each atom, so
"17% of 2,340", "seventeen percent of 2.34k" and "3만 5천원의 20%" have simple shapes, and a
pattern cannot split a number or run over one.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache

from app.supervisor.teams.analysis import figures, moments
from app.supervisor.teams.analysis.figures import Number
from app.supervisor.teams.analysis.moments import Day, TimeOfDay

Atom = Number | Day | TimeOfDay

# plane 15; a text has at most 16,000 characters, so no range can run over
_NUMBER, _PERCENT, _DAY, _TIME, _END = 0xF0000, 0xF8000, 0xFC000, 0xFE000, 0xFFFFE
_CLASSES = {
    "N": f"[{chr(_NUMBER)}-{chr(_PERCENT - 1)}]",
    "P": f"[{chr(_PERCENT)}-{chr(_DAY - 1)}]",
    "D": f"[{chr(_DAY)}-{chr(_TIME - 1)}]",
    "T": f"[{chr(_TIME)}-{chr(_END - 1)}]",
    "A": f"[{chr(_NUMBER)}-{chr(_PERCENT - 1)}{chr(_PERCENT)}-{chr(_DAY - 1)}]",
}
# words between two atoms; never runs over an atom
_GAP = f"[^{chr(_NUMBER)}-{chr(_END - 1)}\n]"
_PRIVATE = re.compile(
    "[\ue000-\uf8ff\U000f0000-\U0010ffff\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2060\ufeff]"
)
_SUPER = {
    "⁰": "0",
    "¹": "1",
    "²": "2",
    "³": "3",
    "⁴": "4",
    "⁵": "5",
    "⁶": "6",
    "⁷": "7",
    "⁸": "8",
    "⁹": "9",
}
_SUPERSCRIPT = re.compile("⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_VULGAR = re.compile("[¼½¾⅐-⅞]")
_DAYS_MEANT = {
    "하루": "1일",
    "이틀": "2일",
    "사흘": "3일",
    "나흘": "4일",
    "닷새": "5일",
    "엿새": "6일",
    "이레": "7일",
    "여드레": "8일",
    "아흐레": "9일",
    "열흘": "10일",
    "보름": "15일",
    "일주일": "1주일",
}
_DAY_WORDS = re.compile(
    r"(?<![가-힣])(?:일주일|하루|이틀|사흘|나흘|닷새|엿새|이레|여드레|아흐레|열흘|보름)(?=\s|$"
    r"|[^가-힣]|은|는|이|가|을|를|에|의|동안|간|뒤|후|전|만|마다|면)(?!마다)"
)
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_MARKS = str.maketrans(
    {
        "−": "-",
        "‐": "-",
        "‑": "-",
        "–": "-",
        "⁄": "/",
        "∕": "/",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "∗": "*",
        "…": "...",
        "～": "~",
        "〜": "~",
    }
)
_BLANK = re.compile(r" \??")
_CROSS = re.compile(r"(?:(?<=[1-9])|(?<=[0-9]0))[xX](?=[0-9])")  # 12x12, but not 0x12
_FEET = re.compile(r"(?<![\w'])(\d)' ?(\d{1,2})(?![\w\"'])")  # 5'4 without its last mark
_TEMPLATE = re.compile(r"<([NPDTAW])(?::(\w+))?>")


@dataclass(frozen=True, slots=True)
class Clause:
    """One part of a message: its cleaned text and its shape with the atoms of that shape."""

    text: str
    shape: str
    atoms: dict[str, Atom]

    @property
    def numbers(self) -> list[Number]:
        """Every number in order, percentages included."""
        return [atom for atom in self.atoms.values() if isinstance(atom, Number)]

    @property
    def days(self) -> list[Day]:
        """Every date in order."""
        return [atom for atom in self.atoms.values() if isinstance(atom, Day)]

    @property
    def times(self) -> list[TimeOfDay]:
        """Every time of day in order."""
        return [atom for atom in self.atoms.values() if isinstance(atom, TimeOfDay)]

    def number(self, character: str) -> Number:
        """Return the number that a character of the shape stands for."""
        atom = self.atoms[character]
        if not isinstance(atom, Number):
            raise TypeError(f"not a number: {atom!r}")
        return atom

    def value(self, character: str) -> Fraction:
        """Return the value of the number that a character of the shape stands for."""
        return self.number(character).value

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether a pattern occurs in the shape."""
        return pattern.search(self.shape) is not None

    def match(self, pattern: re.Pattern[str], *, spare: int = 0) -> re.Match[str] | None:
        """Find a pattern that uses every number of the clause, but for ``spare`` of them."""
        match = pattern.search(self.shape)
        if match is None:
            return None
        used = sum(1 for character in match.group() if character in self.atoms)
        total = sum(1 for atom in self.atoms.values() if isinstance(atom, Number))
        used -= sum(
            1
            for character in match.group()
            if not isinstance(self.atoms.get(character, ""), Number | str)
        )
        return match if used + spare >= total else None

    def restore(self, shape: str) -> str:
        """Return a piece of the shape with the atoms written out again."""
        return "".join(self.atoms[c].text if c in self.atoms else c for c in shape)


@lru_cache(maxsize=1024)
def pattern(template: str) -> re.Pattern[str]:
    """Compile a pattern over shapes.

    ``<N>`` a plain number, ``<P>`` a percentage, ``<A>`` either, ``<D>`` a date, ``<T>`` a time;
    ``<N:name>`` names the group; ``<W>`` any few words without an atom. A blank in the
    template stands for an optional blank. Case is ignored.
    """

    def expand(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind == "W":
            return f"{_GAP}{{0,90}}?"
        return f"(?P<{name}>{_CLASSES[kind]})" if name else _CLASSES[kind]

    return re.compile(_TEMPLATE.sub(expand, _BLANK.sub(" ?", template)), re.IGNORECASE)


def tidy(text: str) -> str:
    """Normalise a text: NFKC without losing powers, plain marks, single blanks, no controls."""
    text = _PRIVATE.sub("", text)
    text = _SUPERSCRIPT.sub(lambda m: "^" + "".join(_SUPER.get(c, "-") for c in m.group()), text)
    text = _VULGAR.sub(lambda m: f" {unicodedata.normalize('NFKC', m.group())} ", text)
    text = unicodedata.normalize("NFKC", text).translate(_MARKS)
    text = _CROSS.sub(" x ", text)
    text = _DAY_WORDS.sub(lambda m: _DAYS_MEANT[m.group()], text)
    return _FEET.sub(lambda m: f"{m[1]}'{m[2]}\"", _BLANKS.sub(" ", text)).strip()


def read(text: str, today: date) -> Clause:
    """Read a part of a message. Linear in its length.

    Raises Refused for a number with too many digits.
    """
    text = tidy(text)
    found: list[tuple[int, int, Atom]] = [*moments.days(text, today), *moments.times(text)]
    found.sort(key=lambda span: (span[0], -span[1]))
    dated = _without_overlaps(found)
    blanked = _blank(text, dated)
    numbered: list[tuple[int, int, Atom]] = [*figures.spans(blanked)]
    return _shaped(text, sorted(dated + numbered, key=lambda span: span[0]))


def _without_overlaps(found: Sequence[tuple[int, int, Atom]]) -> list[tuple[int, int, Atom]]:
    kept: list[tuple[int, int, Atom]] = []
    for span in found:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _blank(text: str, taken: Sequence[tuple[int, int, Atom]]) -> str:
    """Hide the dates from the search for numbers, at the same length."""
    pieces, position = [], 0
    for start, end, _ in taken:
        pieces += [text[position:start], "\x00" * (end - start)]
        position = end
    return "".join([*pieces, text[position:]])


def _shaped(text: str, found: Sequence[tuple[int, int, Atom]]) -> Clause:
    pieces: list[str] = []
    atoms: dict[str, Atom] = {}
    counts = {_NUMBER: 0, _PERCENT: 0, _DAY: 0, _TIME: 0}
    position = 0
    for start, end, atom in found:
        base = _base(atom)
        character = chr(base + counts[base])
        counts[base] += 1
        atoms[character] = atom
        pieces += [text[position:start], character]
        position = end
    return Clause(text, "".join([*pieces, text[position:]]), atoms)


def _base(atom: Atom) -> int:
    if isinstance(atom, Day):
        return _DAY
    if isinstance(atom, TimeOfDay):
        return _TIME
    return _PERCENT if atom.percent else _NUMBER
