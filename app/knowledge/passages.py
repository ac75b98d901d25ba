"""Cuts a document into passages: at headings, then paragraphs, sentences, words."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.kit.tokens import tokens
from app.knowledge.document import Block, BlockKind, Document, Section
from app.knowledge.types import TITLE_SEPARATOR

TITLE_CHARS = 300  # of a passage's path of headings, as stored
_WHOLE = 2  # code and tables up to this many times the limit are not cut
_SLACK = 1.15  # how far a passage may exceed an even share of its section
_OWN_HEADING_WEIGHT = 3  # a word of the heading counts as much as three in the text
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
# Each run of marks is looked at once, from its beginning: a line of dots costs no square.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+\s+|[。！？]++[”’」』）]*+\s*|\n+")
_ITEM = re.compile(r"^(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])", re.MULTILINE)
_WORD = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """One passage as it is stored."""

    title: str
    anchor: str | None
    text: str
    tokens: tuple[str, ...]  # of headings and text; a heading's count several times


def split_document(document: Document, chars: int) -> Iterator[Piece]:
    """Cut ``document`` into passages of about ``chars`` characters, in order.

    A passage never crosses a heading or a page. Its text has at most ``chars``
    characters; one with a block of code or a table, which stay whole when they can,
    twice as many. Only a word longer than ``chars`` is cut. Nothing is left out; a table's
    head and a code block's fences are repeated in each part. Linear.
    """
    for section in document.sections:
        title = TITLE_SEPARATOR.join(section.path)[:TITLE_CHARS]
        heading = _heading_tokens(section.path)
        for text in split_section(section, chars):
            yield Piece(title, section.anchor, text, (*heading, *tokens(text)))


def split_section(section: Section, chars: int) -> Iterator[str]:
    """Cut one section's blocks into texts, as ``split_document`` describes."""
    units = [unit for block in section.blocks for unit in _units(block, chars)]
    total = sum(len(unit.text) for unit in units)
    # An even share, so that the last passage of a section is not a stray line.
    share = min(chars, int(total / max(1, math.ceil(total / chars)) * _SLACK) + 1)
    text = ""
    for unit in units:
        size = len(text) + len(unit.text.rstrip())
        # A short lead-in stays with the code or table that it introduces.
        leads = unit.is_whole and len(text) <= chars // 2 and size <= _WHOLE * chars
        if text and size > share and not leads:
            yield text.strip("\n").rstrip()
            text = ""
        text += unit.text
    if text:
        yield text.strip("\n").rstrip()


class _Unit(NamedTuple):
    """What is not cut any further, with the space that follows it."""

    text: str
    is_whole: bool  # a block of code or a table, in one


def _units(block: Block, chars: int) -> Iterator[_Unit]:
    text = block.text.strip("\n").rstrip()
    if not text:
        return
    solid = block.kind in {"code", "table"}
    if len(text) <= (_WHOLE * chars if solid else chars):
        yield _Unit(f"{text}\n\n", solid)
        return
    last = ""
    for part in _SPLITTERS[block.kind](text, chars):
        if last:
            yield _Unit(last, is_whole=False)
        last = part
    yield _Unit(f"{last.rstrip()}\n\n", is_whole=False)


def _prose(text: str, chars: int) -> Iterator[str]:
    start = 0
    for end in (*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)):
        sentence = text[start:end]
        start = end
        if len(sentence) > chars:
            yield from _packed((sentence,), chars)
        elif sentence:
            yield sentence


def _list(text: str, chars: int) -> Iterator[str]:
    for item in _ITEM.split(text):
        if len(item) > chars:
            yield from _prose(item, chars)
        elif item:
            yield item


def _code(text: str, chars: int) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    opened = _FENCE.match(lines[0])
    if not opened or len(lines[0]) > chars // 4:
        yield from _packed(lines, chars)
        return
    fence = opened.group(1)
    body = lines[1:-1] if lines[-1].strip() == fence else lines[1:]
    for part in _packed(body, chars - len(lines[0]) - len(fence) - 1):
        end = "" if part.endswith("\n") else "\n"
        yield f"{lines[0]}{part}{end}{fence}\n\n"


def _table(text: str, chars: int) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    head = "".join(lines[:2])
    if len(head) > chars // 3:
        yield from _packed(lines, chars)
        return
    for part in _packed(lines[2:], chars - len(head)):
        yield f"{head}{part.rstrip()}\n\n"


_SPLITTERS: dict[BlockKind, Callable[[str, int], Iterator[str]]] = {
    "prose": _prose,
    "list": _list,
    "code": _code,
    "table": _table,
}


def _packed(parts: Iterable[str], chars: int) -> Iterator[str]:
    """Join ``parts`` up to ``chars``; a longer one is cut at its words, if it has any."""
    text = ""
    for part in _cut(parts, chars):
        if text and len(text) + len(part) > chars:
            yield text
            text = ""
        text += part
    if text:
        yield text


def _cut(parts: Iterable[str], chars: int) -> Iterator[str]:
    for part in parts:
        for word in (part,) if len(part) <= chars else _WORD.findall(part):
            yield from (word[start : start + chars] for start in range(0, len(word), chars))


def _heading_tokens(path: tuple[str, ...]) -> tuple[str, ...]:
    *above, own = (tokens(heading[:TITLE_CHARS]) for heading in path)
    return (*itertools.chain.from_iterable(above), *own * _OWN_HEADING_WEIGHT)
