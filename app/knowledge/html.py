"""HTML pages: what a reader sees of them, without scripts and navigation."""

import re
from collections.abc import Iterator
from typing import Literal

from bs4 import BeautifulSoup
from bs4.element import PageElement, PreformattedString, Tag

from app.knowledge.document import Block, BlockKind, Document, Section

_UNSEEN = (
    "script, style, template, noscript, svg, iframe, head, nav, footer, [hidden], "
    "[role=navigation], [aria-hidden=true], a.headerlink"
)
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_BLOCK_NAMES = """
    address article aside blockquote body center dd details dialog div dl dt fieldset
    figcaption figure form header hr html legend li main ol option p section summary table
    tbody td tfoot th thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_WHOLE = frozenset({"pre", *_HEADINGS})
_ARRANGED = frozenset({"table", "ul", "ol", *_WHOLE})  # a table with these holds no data
_FENCE = re.compile(r"`{3,}")

_Moment = Literal["opens", "closes", "whole"]


def read_html(text: str, name: str) -> Document:
    """Read a page; its title is ``<title>``, the first heading or ``name``.

    Anchors are the headings' ids, or those of the elements around them. ``<link
    rel=canonical>`` gives the document's address.
    """
    page = _parsed(text)
    title = _words(page.title.get_text()) if page.title else ""
    url = _canonical(page)
    for element in page.select(_UNSEEN):
        element.extract()
    mains = page.select("main, [role=main]")
    reader = _Reader()
    reader.read(mains[0] if len(mains) == 1 else page)
    title = title or reader.first_heading or name
    sections = (
        Section(path if path[:1] == (title,) else (title, *path), anchor, blocks)
        for path, anchor, blocks in reader.sections
    )
    return Document(title, url, tuple(sections))


def visible_text(fragment: str) -> str:
    """Return what is to be read in a piece of HTML, its words apart by single spaces."""
    soup = _parsed(fragment)
    for element in soup.select(_UNSEEN):
        element.extract()
    return _words(soup.get_text(" "))


def _parsed(text: str) -> BeautifulSoup:
    # Python's parser takes the square of the length on a comment or tags that never end.
    comment = text.find("<!--", text.rfind("-->") + 1)
    if comment >= 0:
        text = text[:comment]
    tags = text.rfind(">") + 1
    return BeautifulSoup(text[:tags] + text[tags:].replace("<", "&lt;"), "html.parser")


class _Reader:
    """Walks a page once, without recursion: nesting has no limit."""

    def __init__(self) -> None:
        self.sections: list[tuple[tuple[str, ...], str | None, tuple[Block, ...]]] = []
        self.first_heading: str | None = None
        self._headings: list[tuple[int, str]] = []
        self._anchor: str | None = None
        self._blocks: list[Block] = []
        self._text: list[str] = []
        self._kind: BlockKind = "prose"

    def read(self, root: Tag) -> None:
        for element, moment in _walk(root):
            if isinstance(element, Tag):
                self._tag(element, moment)
            elif not isinstance(element, PreformattedString):  # comments, declarations
                self._text.append(str(element))
        self._close_section()

    def _tag(self, tag: Tag, moment: _Moment) -> None:
        if moment == "whole":
            if tag.name in _HEADINGS:
                self._heading(tag)
            elif tag.name == "pre":
                self._add("code", _fenced(tag.get_text()))
            else:
                self._add("table", _rows(tag))
        elif tag.name == "br":
            self._text.append(" ")
        elif tag.name in _BLOCKS:
            self._end_of_text()
            if tag.name == "li":
                self._kind = "list" if moment == "opens" else "prose"

    def _heading(self, tag: Tag) -> None:
        heading = _words(tag.get_text())
        if not heading:
            return
        self._close_section()
        level = _HEADINGS[tag.name]
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, heading))
        self.first_heading = self.first_heading or heading
        self._anchor = _identity(tag)

    def _add(self, kind: BlockKind, text: str) -> None:
        self._end_of_text()
        if text:
            self._blocks.append(Block(kind, text))

    def _end_of_text(self) -> None:
        text = _words("".join(self._text))
        self._text.clear()
        if not text:
            return
        if self._kind == "list":
            text = f"- {text}"
            if self._blocks and self._blocks[-1].kind == "list":
                text = f"{self._blocks.pop().text}\n{text}"
        self._blocks.append(Block(self._kind, text))

    def _close_section(self) -> None:
        self._end_of_text()
        if self._blocks:
            path = tuple(heading for _, heading in self._headings)
            self.sections.append((path, self._anchor, tuple(self._blocks)))
            self._blocks = []


def _walk(root: Tag) -> Iterator[tuple[PageElement, _Moment]]:
    """Yield elements in order, blocks when they open and when they close.

    What is taken whole (headings, code, tables of data) is not entered.
    """
    waiting: list[tuple[PageElement, _Moment]] = [(root, "opens")]
    while waiting:
        element, moment = waiting.pop()
        if not isinstance(element, Tag) or moment == "closes":
            yield element, moment
        elif element.name in _WHOLE or (element.name == "table" and _is_data(element)):
            yield element, "whole"
        else:
            yield element, moment
            if element.name in _BLOCKS:
                waiting.append((element, "closes"))
            waiting.extend((child, "opens") for child in reversed(element.contents))


def _is_data(table: Tag) -> bool:
    """Tell a table of data from one that arranges a page."""
    waiting = list(table.contents)
    while waiting:
        element = waiting.pop()
        if isinstance(element, Tag):
            if element.name in _ARRANGED:
                return False
            waiting.extend(element.contents)
    return True


def _rows(table: Tag) -> str:
    rows = []
    for row in table.find_all("tr"):
        cells = [_words(cell.get_text()).replace("|", "\\|") for cell in row.find_all(["td", "th"])]
        if any(cells):
            rows.append(f"| {' | '.join(cells)} |")
            if len(rows) == 1:
                rows.append("|" + " --- |" * len(cells))
    return "\n".join(rows)


def _fenced(code: str) -> str:
    code = code.strip("\n").rstrip()
    if not code:
        return ""
    longest = max((len(run) for run in _FENCE.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{code}\n{fence}"


def _identity(heading: Tag) -> str | None:
    for tag in (heading, heading.find(id=True), heading.parent):
        if isinstance(tag, Tag) and tag.name not in {"body", "main", "html"} and tag.get("id"):
            return str(tag["id"])
    return None


def _canonical(page: BeautifulSoup) -> str | None:
    link = page.find("link", rel="canonical", href=True)
    href = str(link["href"]).strip() if isinstance(link, Tag) else ""
    return href if href.startswith(("https://", "http://")) else None


def _words(text: str) -> str:
    return " ".join(text.split())
