"""PDF files: one section for each page."""

import io
import re

from pypdf import PdfReader
from pypdf.errors import DependencyError

from app.knowledge.decoding import clean
from app.knowledge.document import Document, Section
from app.knowledge.errors import Unreadable
from app.knowledge.plain import paragraphs

MAX_PAGES = 5_000
MAX_CHARS = 20_000_000  # a small file can hold any amount of text
_HYPHENATED = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_FULL_LINE = 0.7  # of the page's longest line; a shorter one may end its paragraph
_ENDS = tuple('.!?:;。！？”"')


def read_pdf(data: bytes, name: str) -> Document:
    """Read the text of each page; the anchor is ``page=3``, as browsers understand it.

    The title is the one in the file's properties, or ``name``. Scanned pages have no text.

    Raises:
        Unreadable: broken, locked with a password, too long, or without any text.
    """
    try:
        reader = _open(data)
        title = _title(reader) or name
        count = len(reader.pages)
    except Unreadable:
        raise
    except Exception as error:  # on a broken file pypdf may raise anything
        raise Unreadable("is not a PDF that can be read; it may be damaged") from error
    if count > MAX_PAGES:
        raise Unreadable(f"has {count} pages; more than {MAX_PAGES} are not read")

    sections: list[Section] = []
    gaps: list[str] = []
    chars = 0
    for number in range(1, count + 1):
        try:
            text = clean(reader.pages[number - 1].extract_text())
        except Exception:  # noqa: BLE001 - as above; the other pages may be well
            gaps.append(f"page {number} is damaged")
            continue
        chars += len(text)
        if chars > MAX_CHARS:
            raise Unreadable(f"holds more than {MAX_CHARS} characters of text")
        if blocks := paragraphs(_joined(text)):
            sections.append(Section((title,), f"page={number}", blocks))
    if not sections:
        raise Unreadable(
            "is damaged: no page can be read" if gaps else "holds no text; it may be a scan"
        )
    return Document(title, None, tuple(sections), tuple(gaps))


def _open(data: bytes) -> PdfReader:
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")  # many are locked against changes only
        except (DependencyError, NotImplementedError) as error:
            raise Unreadable("is encrypted in a way that cannot be opened here") from error
        if not opened:
            raise Unreadable("is encrypted with a password")
    return reader


def _title(reader: PdfReader) -> str:
    title = reader.metadata.title if reader.metadata else None
    return " ".join(clean(title).split()) if title else ""


def _joined(text: str) -> str:
    """Put the lines of a paragraph back together; a page only knows where lines are."""
    lines = _HYPHENATED.sub("", text).split("\n")
    full = _FULL_LINE * max(len(line) for line in lines)
    parts: list[str] = []
    for line in lines:
        stripped = line.strip()
        parts.append(stripped)
        ends = len(stripped) < full or stripped.endswith(_ENDS)
        parts.append("\n" if ends else " ")
    return "".join(parts)
