"""Quoting the sentences of found passages that answer a question, word for word."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from app.kit.tokens import tokens
from app.knowledge.glossary import Glossary
from app.knowledge.query import understand
from app.supervisor.offline import sentences
from app.supervisor.offline.language import detect, is_hangul
from app.supervisor.offline.types import Citation, Language, Passage

_PRODUCT = "colloquy"  # in nearly every passage of its own documents, so it says little
_PRODUCT_WEIGHT = 0.25
_SHORT_NUMBER = 2
_MOST_QUERY = 600  # characters of a question that are looked at
_UNKNOWN_WEIGHT = 0.8
_REQUEST = re.compile(
    r"\b(?:summari[sz]e|explain|describe|outline|tell me|show me|list|give me|please|in short"
    r"|briefly|in detail|(?:a )?summary of|overview of|according to the docs?|in the docs?"
    r"|documentation)\b"
    r"|(?:요약|정리|설명|소개)해?\s?(?:줘|주세요|줄래|해줘)?|알려\s?(?:줘|주세요)|문서(?:에서"
    r"|에\s?따르면)?",
    re.IGNORECASE,
)
_MOST_PASSAGES = 3
_MOST_SENTENCES = 3  # of one passage
_LONGEST_QUOTE = 420  # characters of one sentence
_SHORTEST_SENTENCE = 12
_MOST_NEAREST = 3
_FOUND = 0.6  # share of an idea's tokens that counts as the idea
# a capital inside a sentence, a figure of three digits or more
_NAME = re.compile(r"(?<=[a-z,가-힣] )[A-Z][A-Za-z0-9.-]+|(?<![\w.])[0-9]{3,}(?![\w]*[.,][0-9])")
_SPACED_TERMS = re.compile(r"(종료|닫힘|클로즈) (?=코드)")
_AS_GOOD, _GOOD = 0.7, 0.3  # shares of the best sentence's worth
_NEAR_BEST = 0.7  # later passages must be nearly as good as the first
_STRONG_SCORE = 0.5
_ALONE = 0.35  # coverage a strong score still needs

_FENCED = re.compile(r"(?ms)^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)")
_IMAGE = re.compile(r"!\[[^\]\n]{0,200}\]\([^)\n]{0,500}\)")
_LINK = re.compile(r"\[([^\]\n]{1,300})\]\([^)\n]{0,500}\)")
_REFERENCE = re.compile(r"(?m)^\s*\[[^\]\n]{1,100}\]:\s+\S+.*$")
_EMPHASIS = re.compile(r"(\*\*|__|(?<!\w)[*_](?=\S))(.{1,300}?)(?<=\S)\1")
_TAG = re.compile(
    r"</?(?:a|abbr|b|br|code|details|div|em|h[1-6]|hr|i|img|kbd|li|ol|p|pre|small|span|strong"
    r"|sub|summary|sup"
    r"|table|tbody|td|th|thead|tr|u|ul)(?:\s[^<>\n]{0,200})?/?>|<!--.{0,500}?-->",
    re.IGNORECASE,
)
_CODE_SPAN = re.compile(r"(`[^`\n]{1,300}`)")
_CELL_JOINT = " – "  # between the cells of a quoted table row
_KEY = re.compile(r"(?=.*[\d_./])[\w./-]{3,60}")  # a code or a name in code, not a plain word
_RULE_ROW = re.compile(r"^[\s|:-]+$")
_QUOTE_MARK = re.compile(r"(?m)^\s*>+\s?")
_LEANS_BACK = re.compile(
    r"^(?:It|This|That|They|These|Those|Then|So|Such|Its|Their|Here|Otherwise|If not)\b|^(?:이는"
    r"|이때|그래서|그러면|그때|따라서|이것은|그것은)"
)
_DEFINES = re.compile(
    r"\b(?:what(?:'s| is| are)|define|definition|meaning of|mean by)\b|(?:뭐|무엇|뭔가|뜻|의미"
    r"|이란|란\s)",
    re.IGNORECASE,
)
_DEFINITION = re.compile(r"^.{1,60}?(?:\b(?:is|are|means)\b|이란|란 |은 |는 |:| – | — )")


@dataclass(frozen=True, slots=True)
class _Idea:
    tokens: dict[str, float]
    weight: float
    known: bool  # a concept of the glossary, so a word of the documents' field

    @property
    def only_korean(self) -> bool:
        """Whether no token of it could stand in an English text."""
        return all(not token.isascii() for token in self.tokens)

    def found_in(self, words: frozenset[str]) -> float:
        """Return how much of the idea the words hold, 0 to 1."""
        return min(1.0, sum(weight for token, weight in self.tokens.items() if token in words))


@cache
def _glossary() -> Glossary:
    return Glossary.load()


def _ideas(query: str) -> list[_Idea]:
    """Return what a question asks about; words of another language are included."""
    question = understand(
        _SPACED_TERMS.sub(r"\1", _REQUEST.sub(" ", query[:_MOST_QUERY])), _glossary()
    )
    groups: dict[int, dict[str, float]] = {}
    for token, group, weight in zip(
        question.tokens, question.groups, question.weights, strict=True
    ):
        groups.setdefault(group, {})[token] = weight
    found = []
    for words in groups.values():
        # a translation counts as fully as the word itself when sentences are compared
        full = {
            token: (1.0 if weight >= _STRONG_SCORE else weight) for token, weight in words.items()
        }
        scripts = {token.isascii() for token in words}
        known = len(scripts) == 2
        weight = _PRODUCT_WEIGHT if _PRODUCT in words else (1.0 if known else _UNKNOWN_WEIGHT)
        if all(token.isdigit() and len(token) <= _SHORT_NUMBER for token in words):
            weight = _PRODUCT_WEIGHT  # small numbers are everywhere
        found.append(_Idea(full, weight, known))
    return found


def plain(text: str) -> str:
    """Return Markdown without its markup; code spans stay as they are. Linear in the text."""
    text = _FENCED.sub("\n", text)
    text = _QUOTE_MARK.sub("", _REFERENCE.sub("", _LINK.sub(r"\1", _IMAGE.sub("", text))))
    pieces = _CODE_SPAN.split(text)
    return "".join(
        piece if place % 2 else _EMPHASIS.sub(r"\2", _TAG.sub("", piece))
        for place, piece in enumerate(pieces)
    )


def units(text: str) -> list[str]:
    """Return the sentences and table rows of a passage, in order, ready to be quoted."""
    found: list[str] = []
    prose: list[str] = []
    head: list[str] = []
    for line in plain(text).splitlines():
        if line.count("|") >= 2:
            if _RULE_ROW.match(line):
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            found += sentences.split("\n".join(prose))
            prose = []
            if not head:
                head = cells
                continue
            found.append(_CELL_JOINT.join(cell for cell in cells if cell))
            continue
        head = []
        if line.lstrip().startswith("#"):
            found += sentences.split("\n".join(prose))
            prose = []
            continue
        prose.append(line)
    return [
        one
        for one in [*found, *sentences.split("\n".join(prose))]
        if len(one) >= _SHORTEST_SENTENCE
    ]


def _coverage(ideas: list[_Idea], words: frozenset[str]) -> float:
    total = sum(idea.weight for idea in ideas)
    return sum(idea.weight * idea.found_in(words) for idea in ideas) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a passage must speak of to answer a question."""

    ideas: list[_Idea]
    names: list[frozenset[str]]  # Tokyo, 4004: without them it is another matter

    def fit(self, passage: Passage) -> float:
        """Return how well a passage answers, 0 when it is about something else."""
        words = frozenset(tokens(f"{passage['title']} {passage['text']}"))
        if self.names and not any(name & words for name in self.names):
            return 0.0
        ideas = self.ideas
        foreign = [] if _has_korean(words) else [one for one in ideas if one.only_korean]
        if foreign:  # words of the question that no English text can hold
            ideas = [one for one in ideas if one not in foreign]
        telling = [idea for idea in ideas if idea.weight > _PRODUCT_WEIGHT]
        if (not telling and foreign) or len(foreign) > 2 * len(telling):
            return 0.0
        coverage = _coverage(ideas, words)
        found = [idea for idea in telling if idea.found_in(words) >= _FOUND]
        lost = [idea for idea in telling if not idea.known and idea not in found]
        # one shared word is chance, unless it is a word of the field
        known = any(idea.known for idea in found) and len(lost) <= 1
        enough = len(telling) <= 1 or len(found) >= 2 or known
        needed = {0: 0.5, 1: 0.6, 2: 0.5}.get(len(telling), 0.55)
        strong = passage["score"] >= _STRONG_SCORE and coverage >= _ALONE
        return coverage if enough and (coverage >= needed or strong) else 0.0


def _has_korean(words: frozenset[str]) -> bool:
    return any(is_hangul(word[0]) for word in words if word)


def _wanted(query: str, ideas: list[_Idea]) -> _Wanted:
    """Return the ideas of a question and the names it insists on."""
    known = {token for idea in ideas if idea.known for token in idea.tokens}
    names = []
    query = query[:_MOST_QUERY]
    words = query.split()
    if 2 * sum(word[:1].isupper() for word in words) > len(words) + 1:
        query = query.lower()  # Written Like A Title: capitals name nothing
    for match in _NAME.finditer(query):
        named = frozenset(tokens(match.group()))
        if named and not named & known:
            names.append(named)
    return _Wanted(ideas, names)


def _is_near(ideas: list[_Idea], passage: Passage) -> bool:
    words = frozenset(tokens(f"{passage['title']} {passage['text']}"))
    return any(idea.weight > _PRODUCT_WEIGHT and idea.found_in(words) >= _FOUND for idea in ideas)


def best_sentences(question: str, body: str, *, limit: int) -> list[str]:
    """Return the sentences of a text that come nearest to a question, in order; maybe none."""
    ideas = _ideas(question)
    found = units(body)
    scored = _scored(ideas, found, defines=bool(_DEFINES.search(question)))
    kept = sorted((one for one in scored if one[0] > 0), reverse=True)[:limit]
    if not kept:
        return []
    floor = kept[0][0] * 0.5
    return [
        found[index] for index in sorted(-negative for value, negative in kept if value >= floor)
    ]


def _scored(ideas: list[_Idea], found: list[str], *, defines: bool) -> list[tuple[float, int]]:
    """Return (worth, -index) of each sentence; rare ideas weigh more."""
    worded = [frozenset(tokens(one)) for one in found]
    spread = [1 + sum(idea.found_in(words) >= _FOUND for words in worded) for idea in ideas]
    total = len(found) + 1
    result = []
    for index, (sentence, words) in enumerate(zip(found, worded, strict=True)):
        worth = sum(
            idea.weight * idea.found_in(words) * math.log(1 + total / count)
            for idea, count in zip(ideas, spread, strict=True)
        )
        worth /= 1 + len(sentence) / 900
        if sentence.endswith("?"):
            worth *= 0.5  # a question of the document answers nothing
        if defines and index < 4 and _DEFINITION.match(sentence):
            worth *= 1.3
        result.append((worth, -index))
    return result


def quote(
    query: str, passages: Sequence[Passage], language: Language
) -> tuple[str, list[Citation]]:
    """Return the answer to a question as quoted sentences with [n] marks, and the citations.

    At most three passages with at most three sentences each, the best first. When no passage
    fits, the text says so and names the nearest titles, and there are no citations.
    """
    ideas = _ideas(query)
    wanted = _wanted(query, ideas)
    fitting = [(fit, passage) for passage in passages if (fit := wanted.fit(passage)) > 0]
    fitting.sort(key=lambda pair: -(pair[0] + pair[1]["score"]))
    defines = bool(_DEFINES.search(query))
    blocks: list[str] = []
    citations: list[Citation] = []
    said: set[str] = set()
    best_worth = 0.0
    best_fit = fitting[0][0] + fitting[0][1]["score"] if fitting else 0.0
    for fit, passage in fitting:
        if len(citations) == _MOST_PASSAGES or fit + passage["score"] < _NEAR_BEST * best_fit:
            break
        chosen, worth = _chosen(query, ideas, passage, said, defines=defines)
        if not chosen or worth < _NEAR_BEST * best_worth:
            continue
        best_worth = max(best_worth, worth)
        said |= set(chosen)
        number = len(citations) + 1
        text = " ".join(_clipped(one) for one in chosen)
        blocks.append(f"> {_unmarked(text)} [{number}]")
        citations.append(
            {
                "n": number,
                "title": passage["title"],
                "source": passage["source"],
                "url": passage["url"] or "",
                "quote": text,
            }
        )
    if not citations:
        near = [one for one in passages if _is_near(ideas, one)]
        return _nothing(near, language), []
    return "\n\n".join([_opening(language, citations), *blocks]), citations


def _keyed(query: str, found: list[str], said: set[str]) -> list[str]:
    """Return the table rows whose key the question names: 4109, `idle_seconds`."""
    lowered = query[:_MOST_QUERY].lower()
    rows = []
    for one in found:
        key = one.split(_CELL_JOINT, 1)[0].strip("`* ").lower() if _CELL_JOINT in one else ""
        if not _KEY.fullmatch(key) or one in said:
            continue
        if re.search(rf"(?<![\w.]){re.escape(key)}(?!\w)", lowered):
            rows.append(one)
    return rows[:_MOST_SENTENCES]


def _chosen(
    query: str, ideas: list[_Idea], passage: Passage, said: set[str], *, defines: bool
) -> tuple[list[str], float]:
    found = units(passage["text"])
    if not found:
        return [], 0.0
    if rows := _keyed(query, found, said):  # the neighbours of a row are about other things
        words = frozenset(tokens(f"{passage['title']} {' '.join(rows)}"))
        return rows, _coverage(ideas, words)
    scored = _scored(ideas, found, defines=defines)
    ranked = sorted((one for one in scored if found[-one[1]] not in said), reverse=True)
    if not ranked:
        return [], 0.0
    places = _places(ideas, found, ranked)
    first = -ranked[0][1]
    if (
        len(places) < _MOST_SENTENCES
        and first + 1 < len(found)
        and _LEANS_BACK.match(found[first + 1])
    ):
        places.append(first + 1)
    if _LEANS_BACK.match(found[min(places)]) and min(places) > 0 and len(places) < _MOST_SENTENCES:
        places.append(min(places) - 1)
    words = frozenset(tokens(f"{passage['title']} " + " ".join(found[place] for place in places)))
    return [found[place] for place in sorted(set(places))], _coverage(ideas, words)


def _places(ideas: list[_Idea], found: list[str], ranked: list[tuple[float, int]]) -> list[int]:
    """Return the best sentences: nearly as good as the first, or about what it leaves out."""
    top = ranked[0][0]
    if top <= 0:  # the heading answers; the text below it is what is asked for
        return [0, 1][: len(found)]
    places: list[int] = []
    said: frozenset[str] = frozenset()
    for worth, negative in ranked:
        words = frozenset(tokens(found[-negative]))
        fresh = any(
            idea.found_in(words) >= _FOUND > idea.found_in(said)
            for idea in ideas
            if idea.weight > _PRODUCT_WEIGHT
        )
        if worth >= _AS_GOOD * top or (fresh and worth >= _GOOD * top):
            places.append(-negative)
            said |= words
        if len(places) == _MOST_SENTENCES:
            break
    return places


def _clipped(sentence: str) -> str:
    if len(sentence) <= _LONGEST_QUOTE:
        return sentence
    at = sentence.rfind(" ", 0, _LONGEST_QUOTE)
    return f"{sentence[: at if at > 0 else _LONGEST_QUOTE]} …"


def _unmarked(text: str) -> str:
    """Keep brackets in a quotation from looking like our own marks."""
    return re.sub(r"\[(\d{1,2})\]", r"(\1)", text)


def _opening(language: Language, citations: Sequence[Citation]) -> str:
    if language == "ko":
        foreign = detect(" ".join(one["quote"] for one in citations)) == "en"
        return "문서에서 찾은 내용이에요" + (" (원문은 영어예요)." if foreign else ".")
    return "The documents say:"


def _nothing(passages: Sequence[Passage], language: Language) -> str:
    titles = list(dict.fromkeys(passage["title"] for passage in passages if passage["title"]))
    nearest = ", ".join(f"*{_plain_title(title)}*" for title in titles[:_MOST_NEAREST])
    if language == "ko":
        line = (
            "제가 가진 문서에는 이 질문의 답이 없어요. 문서 밖의 지식은 모델 없이는 답할 수 없어요."
        )
        return f"{line}\n\n가장 가까운 문서: {nearest}" if nearest else line
    line = "That is not in the documents I have, and without a model I know nothing beyond them."
    return f"{line}\n\nNearest: {nearest}" if nearest else line


def _plain_title(title: str) -> str:
    return re.sub(r"[*_`\[\]]", "", title)
