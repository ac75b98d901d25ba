"""Summaries made of a text's own sentences, outlines, keywords and titles."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections import Counter

from app.kit.tokens import tokens
from app.supervisor.offline import sentences
from app.supervisor.offline.types import Language
from app.supervisor.teams.document import scoring

_MOST_SENTENCES = 12
_LONGEST_TITLE = 80
_LONGEST_SHOWN = 420  # characters of one quoted sentence
_HEADING = re.compile(
    r"^(?P<marks>#{1,6})\s+(?P<name>\S.*)$"
    r"|^(?P<number>\d{1,2}(?:\.\d{1,2}){0,3})[.)]?\s+(?P<name2>[A-Z가-힣][^.!?]{1,80})$"
    r"|^(?P<name3>[A-Z][A-Z0-9 ,&/-]{3,60})$|^\*\*(?P<name4>[^*]{2,80})\*\*:?$"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]{2,}|[가-힣]{2,}")
_PARTICLES = re.compile(
    r"(?:에서는|에게서|으로는|이라고|에서|에게|으로|까지|부터|이라|처럼|보다|하고|이며|라고|은"
    r"|는|이|가|을|를|의|에|로|와|과|도|만)$"
)
_ENDINGS = re.compile(
    r"(?:습니다|입니다|합니다|했다|한다|된다|됐다|이다|였다|있다|없다|하는|되는|있는|하고|해서"
    r"|하며|이고|했습니다|됩니다|있습니다|그리고|하지만|그러나|또한|우리|것이|것은|대한|위해"
    r"|통해)$"
)
_MARKDOWN = re.compile(r"[*_`#]+")


def summarise(body: str, count: int | None, *, as_points: bool, language: Language) -> str:
    """Return the sentences that carry most, ``count`` of them when given, as Markdown."""
    found = [one for one in sentences.split(body) if _MARKDOWN.sub("", one).strip()]
    wanted = min(count or _usual(len(found), as_points=as_points), _MOST_SENTENCES)
    if len(found) <= wanted:
        chosen = found
        head = _say(
            language,
            f"The text has only {len(found)} sentence{'s' if len(found) != 1 else ''}, so this "
            f"is all of it",
            f"문장이 {len(found)}개뿐이라 그대로 보여 드려요",
        )
    else:
        chosen = [one.text for one in scoring.choose(found, wanted)]
        kind = _say(
            language, "Key points" if as_points else "Summary", "핵심" if as_points else "요약"
        )
        head = _say(
            language,
            f"{kind}: {len(chosen)} of {len(found)} sentences",
            f"{kind}: {len(found)}문장 중 {len(chosen)}문장",
        )
    lines = (
        [f"- {clipped(one)}" for one in chosen]
        if as_points or len(chosen) > 1
        else [clipped(chosen[0])]
        if chosen
        else []
    )
    note = _say(
        language, "*The text's own sentences, chosen by rules.*", "*원문 문장을 규칙으로 골랐어요.*"
    )
    return f"**{head}**\n\n" + "\n".join(lines) + f"\n\n{note}"


def within_words(body: str, limit: int, language: Language) -> str:
    """Return a summary of at most ``limit`` words, whole sentences only when one fits."""
    found = sentences.split(body)
    ordered = sorted(scoring.score(found), key=lambda one: -one.score)
    chosen, used = [], 0
    for one in ordered:
        length = len(one.text.split())
        if used + length <= limit:
            chosen.append(one)
            used += length
    if not chosen and ordered:
        text = " ".join(ordered[0].text.split()[:limit]) + " …"
        return f"**{_say(language, 'Summary', '요약')}**\n\n{text}"
    lines = "\n".join(f"- {clipped(one.text)}" for one in sorted(chosen, key=lambda one: one.index))
    head = _say(language, f"Summary: {used} words", f"요약: {used}단어")
    return f"**{head}**\n\n{lines}"


def _usual(total: int, *, as_points: bool) -> int:
    return max(2, min(7 if as_points else 5, -(-total // 4)))


def clipped(sentence: str) -> str:
    """Return a sentence cut at a word when it is very long, its markup made harmless."""
    sentence = sentence.replace("\n", " ").strip()
    if len(sentence) > _LONGEST_SHOWN:
        at = sentence.rfind(" ", 0, _LONGEST_SHOWN)
        sentence = f"{sentence[: at if at > 0 else _LONGEST_SHOWN]}…"
    return re.sub(r"^([#>+-]|\d+\.)(\s)", r"\\\1\2", sentence)


def outline(body: str, language: Language) -> str:
    """Return the headings of a text with what stands under them, or one line a paragraph."""
    headings = _headings(body)
    if len(headings) >= 2:
        top = min(level for level, _, _ in headings)
        lines = []
        for level, name, under in headings[:60]:
            first = sentences.split(under)[:1]
            tail = f" – {clipped(first[0])[:140]}" if first else ""
            lines.append(f"{'  ' * (level - top)}- **{_MARKDOWN.sub('', name).strip()}**{tail}")
        return f"**{_say(language, 'Outline', '개요')}**\n\n" + "\n".join(lines)
    blocks = [block for block in sentences.paragraphs(body) if block.strip()]
    if len(blocks) < 2:
        blocks = _grouped(sentences.split(body))
    lines = []
    for number, block in enumerate(blocks[:30], start=1):
        best = scoring.choose(sentences.split(block), 1)
        if best:
            lines.append(f"{number}. {clipped(best[0].text)}")
    return f"**{_say(language, 'Outline', '개요')}**\n\n" + "\n".join(lines)


def _headings(body: str) -> list[tuple[int, str, str]]:
    """Return (level, name, text below) of each heading."""
    found: list[tuple[int, str, list[str]]] = []
    for line in body.splitlines():
        match = _HEADING.match(line.strip()) if len(line) < 120 else None
        if match is not None:
            name = match["name"] or match["name2"] or match["name3"] or match["name4"]
            level = (
                len(match["marks"]) if match["marks"] else (match["number"] or "").count(".") + 1
            )
            label = f"{match['number']} {name}" if match["number"] else name
            found.append((level, label, []))
        elif found:
            found[-1][2].append(line)
    return [(level, name, "\n".join(lines)) for level, name, lines in found]


def _grouped(found: list[str]) -> list[str]:
    size = max(1, -(-len(found) // 5))
    return [" ".join(found[i : i + size]) for i in range(0, len(found), size)]


def keywords(body: str, count: int | None, language: Language) -> str:
    """Return the words a text is about, as they stand in it."""
    shown = keyword_list(body, count or 8)
    head = _say(language, "Keywords", "키워드")
    return (
        f"**{head}**: {', '.join(shown)}"
        if shown
        else _say(language, "No words recur in this text.", "반복되는 단어가 없어요.")
    )


def keyword_list(body: str, count: int) -> list[str]:
    """Return the most frequent telling words, the most frequent first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for place, match in enumerate(_WORD.finditer(body)):
        word = match.group()
        if "가" <= word[0] <= "힣":
            if _ENDINGS.search(word):
                continue
            key = _PARTICLES.sub("", word) if len(word) > 2 else word
            if len(key) < 2:
                continue
            first.setdefault(key, key)
        else:
            stems = tokens(word)
            if not stems:
                continue
            key = stems[0]
            first.setdefault(key, word)
        counts[key] += 1
        if place > 20_000:
            break
    order = {key: number for number, key in enumerate(first)}
    ranked = sorted(
        counts, key=lambda key: (-counts[key] * (1 + 0.05 * min(len(first[key]), 10)), order[key])
    )
    return [first[key] for key in ranked[:count]]


def title(body: str, language: Language) -> str:
    """Return a title taken from the text: its first heading, or its best short sentence."""
    headings = _headings(body)
    if headings:
        return f"**{_MARKDOWN.sub('', headings[0][1]).strip()}**"
    first = sentences.split(body)[:1]
    if first and len(first[0]) <= _LONGEST_TITLE and first[0][-1:].isalnum():
        return f"**{_MARKDOWN.sub('', first[0]).strip()}**"
    found = [one for one in scoring.choose(sentences.split(body), 6) if len(one.text) <= 90]
    words = keyword_list(body, 3)
    if found:
        best = max(found, key=lambda one: one.score)
        return f"**{best.text.rstrip('.。!')}**"
    note = _say(language, "*Made of the text's key words.*", "*글의 핵심 단어로 만들었어요.*")
    return f"**{' · '.join(words)}**\n\n{note}"


def _say(language: Language, english: str, korean: str) -> str:
    return korean if language == "ko" else english
