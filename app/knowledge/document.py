"""A document as every reader hands it over: sections of blocks."""

from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["prose", "list", "code", "table"]


@dataclass(frozen=True, slots=True)
class Block:
    kind: BlockKind  # decides where it may be split
    text: str  # code is fenced, a table has one row in a line


@dataclass(frozen=True, slots=True)
class Section:
    """The blocks between one heading, or page break, and the next."""

    path: tuple[str, ...]  # titles, from the document's own down to this section's; not empty
    anchor: str | None  # what follows "#" in the section's address
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    url: str | None  # http or https
    sections: tuple[Section, ...]
    gaps: tuple[str, ...] = ()  # parts that could not be read: "page 7 is broken"
