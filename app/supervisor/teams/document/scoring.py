"""How much a sentence says about its text: words that recur, place, cues; without a model."""
# ruff: noqa: PLR2004 - "two numbers", "three words": a name would say no more

import re
from collections import Counter
from dataclasses import dataclass

from app.kit.tokens import tokens

_CUES = re.compile(
    r"\b(?:in (?:conclusion|summary|short)|to (?:conclude|summari[sz]e)|overall|therefore"
    r"|as a result|importantly|most important|the (?:main|key) (?:point|reason|finding|result)"
    r"|we (?:decided|agreed|found|conclude|propose|will)|must|decided|decision|deadline|total"
    r"|however)\b"
    r"|결론|결국|따라서|그러므로|요약하|중요|핵심|무엇보다|결정|합의|해야|마감|목표|결과적으로|즉,",
    re.IGNORECASE,
)
_WEAK = re.compile(
    r"^(?:for example|e\.g\.|for instance|by the way|incidentally|also,|예를 들|참고로|한편"
    r"|그런데)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
_ENDED = re.compile(r"[.!?…。！？][\"'”’)\]」』]*\s*$")
_MOST_SENTENCES = 600
_HEADING_TOKENS = 10
_FEWEST_TOKENS = 3
_USUAL_TOKENS = 18
_USUAL_FEW = 5  # a shorter sentence gains nothing by being short


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence with its place and worth."""

    index: int
    text: str
    words: frozenset[str]
    score: float


def score(sentences: list[str]) -> list[Scored]:
    """Return the sentences, in order, with their worth. Linear in the text.

    The worth is the mean weight of a sentence's words (how many sentences share them),
    raised for the first and last, for cue words and figures, lowered for very short or
    very long ones and for questions and asides.
    """
    sentences = sentences[:_MOST_SENTENCES]
    worded = [tokens(sentence) for sentence in sentences]
    spread = Counter(word for words in worded for word in set(words))
    total = max(1, len(sentences))
    open_ended = [_ENDED.search(sentence) is None for sentence in sentences]
    prose = 2 * sum(open_ended) < total  # in notes no line ends with a stop
    found = []
    for index, (sentence, words) in enumerate(zip(sentences, worded, strict=True)):
        distinct = frozenset(words)
        weight = sum(min(spread[word], 1 + total // 3) for word in distinct if spread[word] > 1)
        worth = (1 + weight) / (max(len(distinct), _USUAL_FEW) ** 0.5)
        worth *= _place(index, total) * _shape(sentence, len(words))
        if prose and open_ended[index] and len(words) < _HEADING_TOKENS:
            worth *= 0.15  # a heading names the subject and says nothing about it
        found.append(Scored(index, sentence, distinct, worth))
    return found


def _place(index: int, total: int) -> float:
    if index == 0:
        return 1.6
    if index == total - 1 and total > 3:
        return 1.15
    return 1.2 if index < max(1, total // 5) else 1.0


def _shape(sentence: str, length: int) -> float:
    factor = 1.0
    if length < _FEWEST_TOKENS:
        factor *= 0.4
    elif length > 3 * _USUAL_TOKENS:
        factor *= 0.8
    if _CUES.search(sentence):
        factor *= 1.35
    if _NUMBER.search(sentence):
        factor *= 1.1
    if _WEAK.match(sentence):
        factor *= 0.7
    if sentence.rstrip().endswith(("?", "？")):
        factor *= 0.5
    return factor


def choose(sentences: list[str], count: int) -> list[Scored]:
    """Return the ``count`` sentences that together say most, in the order of the text.

    Each further one is worth less by the share of its words already said.
    """
    rest = score(sentences)
    chosen: list[Scored] = []
    said: set[str] = set()
    pool = sorted(rest, key=lambda one: -one.score)[: max(40, 4 * count)]
    while pool and len(chosen) < count:
        best = max(pool, key=lambda one: (one.score + 0.01) * (1 - 0.75 * _overlap(one, said)))
        pool.remove(best)
        if chosen and _overlap(best, said) > 0.9:
            continue
        chosen.append(best)
        said |= best.words
    return sorted(chosen, key=lambda one: one.index)


def _overlap(one: Scored, said: set[str]) -> float:
    return len(one.words & said) / len(one.words) if one.words else 1.0
