"""Splitting text into sentences and paragraphs, English and Korean."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re

_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "sr",
        "jr",
        "st",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "eg",
        "ie",
        "no",
        "fig",
        "vol",
        "approx",
        "dept",
        "inc",
        "ltd",
        "co",
        "corp",
        "u.s",
        "u.k",
        "a.m",
        "p.m",
        "al",
        "cf",
        "op",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "ca",
        "resp",
    ]
)
_END = re.compile(r"[.!?…。！？]{1,6}[\"'”’)\]»」』]{0,3}(?=\s|$|[가-힣])")
_WORD_BEFORE = re.compile(r"([A-Za-z.]{1,12})$")
_ITEM = re.compile(r"^\s*(?:[-*•·▪◦]\s+|\d{1,3}[.)]\s+|[가-하][.)]\s+|[①-⑳]\s*)")
_HEADING = re.compile(r"^\s*#{1,6}\s+")
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_SPACES = re.compile(r"\s+")
_LONG_WORD = 4
_LONGEST = 1_200  # characters; a longer run without an end is cut at a space


def paragraphs(text: str) -> list[str]:
    """Return the blocks of a text that blank lines set apart."""
    return [block.strip("\n") for block in _BLANK_LINES.split(text.strip()) if block.strip()]


def split(text: str) -> list[str]:
    """Return the sentences of a text in order, blanks tidied. Linear in the text.

    A list item or a heading is a sentence of its own; a line that only wraps is joined.
    """
    return [sentence for block in paragraphs(text) for sentence in of_paragraph(block)]


def of_paragraph(block: str) -> list[str]:
    """Return the sentences of one paragraph."""
    found: list[str] = []
    joined: list[str] = []
    for line in block.splitlines():
        if _ITEM.match(line) or _HEADING.match(line):
            found += _of_line(" ".join(joined))
            joined = []
            if _HEADING.match(line):
                found.append(_SPACES.sub(" ", _HEADING.sub("", line)).strip())
                continue
            joined = [_ITEM.sub("", line)]
        else:
            if joined and _stands_alone(joined[-1], line):
                found += _of_line(" ".join(joined))
                joined = []
            joined.append(line)
    return [one for one in [*found, *_of_line(" ".join(joined))] if one]


def _stands_alone(before: str, line: str) -> bool:
    """Tell whether a short line without an end is a line of its own, not a wrapped one."""
    tail = before.rstrip()
    return (
        len(tail) < 60
        and not tail.endswith((",", ";"))
        and line[:1].isupper()
        and tail[-1:].isalnum()
    )


def _of_line(line: str) -> list[str]:
    line = _SPACES.sub(" ", line).strip()
    found: list[str] = []
    start = 0
    for match in _END.finditer(line):
        if not _ends_here(line, match):
            continue
        found += _cut(line[start : match.end()].strip())
        start = match.end()
    return found + _cut(line[start:].strip())


def _ends_here(line: str, match: re.Match[str]) -> bool:
    before, after = line[max(0, match.start() - 12) : match.start()], line[match.end() :].lstrip()
    if match.group()[0] != ".":
        return True
    if line[match.end() : match.end() + 1] and not line[match.end()].isspace():
        # 했다.그리고 has no blank; 3.가 and a.나 are not ends
        return len(before) > 0 and "가" <= before[-1] <= "힣"
    word = _WORD_BEFORE.search(before)
    bare = word.group(1).lower().strip(".") if word is not None else ""
    if bare in _ABBREVIATIONS or (len(bare) == 1 and bare != "i"):
        return False
    begins_small = after[:1].islower() and after[:1].isascii() and len(match.group()) < 3
    return not begins_small or len(bare) >= _LONG_WORD  # "the end. then" is two sentences


def _cut(sentence: str) -> list[str]:
    if len(sentence) <= _LONGEST:
        return [sentence] if sentence else []
    pieces = []
    while len(sentence) > _LONGEST:
        at = sentence.rfind(" ", _LONGEST // 2, _LONGEST)
        at = at if at > 0 else _LONGEST
        pieces.append(sentence[:at].strip())
        sentence = sentence[at:].strip()
    return [*pieces, sentence] if sentence else pieces
