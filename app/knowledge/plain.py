"""Plain text: paragraphs between blank lines."""

import re

from app.knowledge.document import Block, Document, Section

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def read_plain(text: str, name: str) -> Document:
    """Read ``text`` as one section under the file's ``name``."""
    return Document(name, None, (Section((name,), None, paragraphs(text)),))


def paragraphs(text: str) -> tuple[Block, ...]:
    parts = (part.strip("\n").rstrip() for part in _BLANK_LINES.split(text))
    return tuple(Block("prose", part) for part in parts if part)
