"""Finding a small table in a message: Markdown, CSV, TSV, aligned columns, name and number."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

_MOST_ROWS = 2_000
_MOST_COLUMNS = 50
_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_CELL_NUMBER = re.compile(
    r"^\s*(?:[A-Z]{2,3}\s?)?([$€£¥₩]?)\s?(-?)([$€£¥₩]?)((?:[0-9]{1,3}(?:,[0-9]{3})+"
    r"|[0-9]{1,30})(?:\.[0-9]{1,20})?|\.[0-9]{1,20})\s?(만|억|천)?\s?(%"
    r"|[A-Za-z가-힣°㎡/]{0,8})\s*$"
)
_PAIR = re.compile(
    r"^\s*(?:[-*•]\s*)?([A-Za-z가-힣][^\d:=,|\t]{0,40}?)\s*(?:[:=]"
    r"|\s)\s*(-?[$€£¥₩]?-?[0-9][0-9,]*(?:\.[0-9]+)?\s?(?:%|[A-Za-z가-힣]{0,6}))\s*$"
)
_SIZES = {"만": 10**4, "억": 10**8, "천": 1000}
_MOST_WORDS_IN_CELL = 8


@dataclass(frozen=True, slots=True)
class Table:
    """A head and rows of equal length."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, index: int) -> list[str]:
        """Return the cells of one column."""
        return [row[index] for row in self.rows]

    def is_numeric(self, index: int) -> bool:
        """Tell whether most cells of a column are numbers."""
        filled = [cell for cell in self.column(index) if cell.strip()]
        return bool(filled) and 2 * sum(number(cell) is not None for cell in filled) > len(filled)


def number(cell: str) -> Fraction | None:
    """Return the number in a cell, its currency or unit left out, or None."""
    match = _CELL_NUMBER.match(cell)
    if match is None:
        return None
    value = Fraction(match.group(4).replace(",", "")) * _SIZES.get(match.group(5) or "", 1)
    return -value if match.group(2) else value


def unit_of(cells: list[str]) -> str:
    """Return the currency or unit that all numbers of a column share, or ""."""
    units = set()
    for cell in cells:
        if (match := _CELL_NUMBER.match(cell)) is not None:
            units.add(match.group(1) or match.group(3) or match.group(6) or "")
    return units.pop() if len(units) == 1 else ""


def find(text: str) -> tuple[Table, str] | None:
    """Return the table of a text and the words around it, or None. Linear in the text."""
    lines = [line for line in text.splitlines() if not _FENCE.match(line)]
    for split in (_markdown, _tabbed, _commas, _semicolons, _aligned):
        found = _block(lines, split)
        if found is not None:
            table, rest = found
            return table, rest
    return _pairs(lines)


def _block(lines: list[str], split: Callable[[str], list[str] | None]) -> tuple[Table, str] | None:
    best: tuple[int, int] | None = None
    start = 0
    cells: list[list[str] | None] = [split(line) for line in lines]
    while start < len(lines):
        first = cells[start]
        if first is None:
            start += 1
            continue
        end = start + 1
        while end < len(lines) and (
            cells[end] is not None
            and (len(cells[end] or []) == len(first) or _RULE.match(lines[end]))
        ):
            end += 1
        if end - start >= 2 and (best is None or end - start > best[1] - best[0]):
            best = (start, end)
        start = end
    if best is None:
        return None
    rows = [cells[i] or [] for i in range(*best) if not _RULE.match(lines[i])]
    table = _made(rows)
    rest = "\n".join(lines[: best[0]] + lines[best[1] :])
    return (table, rest) if table is not None else None


def _made(rows: list[list[str]]) -> Table | None:
    width = len(rows[0]) if rows else 0
    rows = [row for row in rows if len(row) == width][:_MOST_ROWS]
    if len(rows) < 2 or not 2 <= width <= _MOST_COLUMNS:
        return None
    first_is_head = not any(number(cell) is not None for cell in rows[0])
    has_numbers = any(number(cell) is not None for row in rows[1:] for cell in row)
    if not has_numbers and not first_is_head:
        return None
    if not has_numbers and all(
        len(cell.split()) > _MOST_WORDS_IN_CELL for row in rows for cell in row
    ):
        return None
    if first_is_head:
        return Table(
            tuple(cell.strip() for cell in rows[0]),
            tuple(tuple(c.strip() for c in row) for row in rows[1:]),
        )
    head = tuple(f"column {i + 1}" for i in range(width))
    return Table(head, tuple(tuple(c.strip() for c in row) for row in rows))


def _markdown(line: str) -> list[str] | None:
    if line.count("|") < 1 or (line.count("|") < 2 and " | " not in line):
        return None
    inner = line.strip()
    inner = inner.removeprefix("|").removesuffix("|")
    return [cell.strip().strip("*`") for cell in inner.split("|")]


def _tabbed(line: str) -> list[str] | None:
    return line.split("\t") if "\t" in line.strip() else None


def _commas(line: str) -> list[str] | None:
    return _separated(line, ",")


def _semicolons(line: str) -> list[str] | None:
    return _separated(line, ";")


def _separated(line: str, mark: str) -> list[str] | None:
    if mark not in line or len(line) > 1_000 or line.rstrip().endswith(("?", "!")):
        return None
    try:
        cells = next(csv.reader([line], delimiter=mark, skipinitialspace=True))
    except (csv.Error, StopIteration):
        return None
    if len(cells) < 2 or any(len(cell.split()) > _MOST_WORDS_IN_CELL for cell in cells):
        return None
    return cells


_WIDE_GAP = re.compile(r"\s{2,}")


def _aligned(line: str) -> list[str] | None:
    cells = _WIDE_GAP.split(line.strip())
    return cells if len(cells) >= 2 and line.strip() else None


def _pairs(lines: list[str]) -> tuple[Table, str] | None:
    """Read lines of a name and a number as a table of two columns."""
    found, rest = [], []
    for line in lines:
        match = _PAIR.match(line) if len(line) < 100 else None
        if match is not None:
            found.append((match.group(1).strip(" -:"), match.group(2).strip()))
        else:
            rest.append(line)
    if len(found) < 2:
        return None
    return Table(("item", "value"), tuple(found)), "\n".join(rest)
