"""Chooses how a file is read."""

from collections.abc import Callable
from pathlib import PurePath

from bs4.dammit import EncodingDetector

from app.knowledge import kinds
from app.knowledge.decoding import decode
from app.knowledge.document import Document
from app.knowledge.errors import Unreadable
from app.knowledge.html import read_html
from app.knowledge.markdown import read_markdown
from app.knowledge.pdf import read_pdf
from app.knowledge.plain import read_plain

_PDF_MARK = b"%PDF-"
_PDF_MARK_WITHIN = 1_024  # bytes; some programs write a few of their own first
_READERS: dict[str, Callable[[str, str], Document]] = {
    **dict.fromkeys(kinds.MARKDOWN, read_markdown),
    **dict.fromkeys(kinds.PLAIN, read_plain),
    **dict.fromkeys(kinds.HTML, read_html),
}


def read_document(data: bytes, name: str) -> Document:
    """Read a file's ``data``; ``name`` is the file's, its suffix chooses the reader.

    Blocking, and slow for long PDFs: call it off the event loop.

    Raises:
        Unreadable: nothing can be made of it; the message says why.
    """
    path = PurePath(name)
    suffix = path.suffix.lower()
    if not data.strip():
        raise Unreadable("is empty")
    if _PDF_MARK in data[:_PDF_MARK_WITHIN]:
        return read_pdf(data, path.stem)
    if suffix == kinds.PDF:
        raise Unreadable("is not a PDF, in spite of its name")
    declared = None
    if suffix in kinds.HTML:
        declared = EncodingDetector.find_declared_encoding(data, is_html=True)
    text = decode(data, declared)
    document = _READERS.get(suffix, read_plain)(text, path.stem)
    if not any(section.blocks for section in document.sections):
        raise Unreadable("holds no text")
    return document
