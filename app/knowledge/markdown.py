"""Markdown: headings give each section its path and its anchor."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.knowledge.document import Block, BlockKind, Document, Section
from app.knowledge.html import visible_text

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")

_KINDS: dict[str, BlockKind] = {
    "paragraph_open": "prose",
    "blockquote_open": "prose",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "html_block": "prose",
}


def read_markdown(text: str, name: str) -> Document:
    """Read ``text``; the title is the front matter's, the first heading's or ``name``.

    Blocks keep their source text, so a passage can be shown as Markdown again. Anchors
    are made as GitHub makes them.
    """
    # Only the outline is wanted: parsing what is inside paragraphs is most of the work.
    outline = MarkdownIt("commonmark").enable("table")
    outline.core.ruler.disable("inline")
    inline = MarkdownIt("commonmark")

    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    title = _front_title(front.group()) if front else None
    lines = body.split("\n")

    sections: list[Section] = []
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []  # those above this place, with their levels
    anchor: str | None = None
    slugs: dict[str, int] = {}

    def close_section() -> None:
        if blocks:
            path = tuple(heading for _, heading in headings)
            sections.append(Section(path, anchor, tuple(blocks)))
            blocks.clear()

    for token, content in _top_level(outline.parse(body)):
        if token.type != "heading_open":
            if block := _block(token, lines):
                blocks.append(block)
            continue
        heading = _plain(inline, content)
        if not heading:
            continue
        close_section()
        level = int(token.tag[1:])
        anchor = _slug(heading, slugs)
        if title is None:
            title = heading
        while headings and headings[-1][0] >= level:
            headings.pop()
        headings.append((level, heading))
    close_section()

    title = title or name
    return Document(title, None, tuple(_under(title, section) for section in sections))


def _top_level(stream: list[Token]) -> Iterator[tuple[Token, str]]:
    """Yield each token that begins a block at the margin, with the text of a heading."""
    for place, token in enumerate(stream):
        if token.level == 0 and token.nesting >= 0:
            heading = token.type == "heading_open"
            yield token, stream[place + 1].content if heading else ""


def _block(token: Token, lines: list[str]) -> Block | None:
    kind = _KINDS.get(token.type)
    if kind is None or token.map is None:
        return None
    first, last = token.map
    text = "\n".join(lines[first:last]).strip("\n").rstrip()
    if token.type == "html_block":
        text = visible_text(text)
    elif token.type == "code_block":
        text = f"```\n{token.content.rstrip()}\n```"
    return Block(kind, text) if text else None


def _under(title: str, section: Section) -> Section:
    path = section.path if section.path[:1] == (title,) else (title, *section.path)
    return Section(path, section.anchor, section.blocks)


def _plain(inline: MarkdownIt, content: str) -> str:
    parts = inline.parseInline(content)[0].children or []
    text = "".join(
        " " if part.type in {"softbreak", "hardbreak"} else part.content
        for part in parts
        if part.type != "html_inline"
    )
    return " ".join(text.split())


def _slug(heading: str, taken: dict[str, int]) -> str:
    slug = _NOT_IN_SLUG.sub("", heading.lower()).replace(" ", "-")
    count = taken.get(slug, 0)
    taken[slug] = count + 1
    return f"{slug}-{count}" if count else slug


def _front_title(front: str) -> str | None:
    found = _FRONT_TITLE.search(front)
    return found.group(1).strip("\"'") or None if found else None
