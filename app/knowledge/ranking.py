"""Prefers, among passages that match, those that are about what is asked."""

import re
from collections.abc import Iterator
from dataclasses import replace

from app.kit.tokens import tokens
from app.knowledge.query import Question
from app.knowledge.types import TITLE_SEPARATOR, Passage

_SUBJECT_WEIGHT = 0.6
_HEAD_CHARS = 80
# What stands between a thing and what is said of it: "**Session** (text): one client's …",
# "| session | one client's …", "A session is …", "세션은 …".
_ASIDE = re.compile(r"\([^()\n]*\)")
_AFTER_HEAD = re.compile(r"\b(?:is|are|means)\b|[:|–—]|(?<=\*\*) |(?<=[가-힣])(?:이란|란|은|는) ")
_MARKUP = " \t|>*_`#-+"


def rank(passages: list[Passage], question: Question, limit: int) -> list[Passage]:
    """Return the ``limit`` best of ``passages``, each text once.

    The score grows by up to six tenths (and is then brought back into 0 to 1) with the
    share of the question's ideas that are the passage's subject: its own heading, or what
    stands before the colon, the dash or the "is" of one of its lines, with no other words
    beside them. So a definition comes before the many places that use the word.
    """
    ideas: dict[str, set[int]] = {}
    for token, group in zip(question.tokens, question.groups, strict=True):
        ideas.setdefault(token, set()).add(group)
    count = len(set(question.groups))

    ranked: dict[str, Passage] = {}
    for passage in passages:
        subject = max((_ideas_in(head, ideas) for head in _heads(passage)), default=0) / count
        score = passage.score * (1 + _SUBJECT_WEIGHT * subject) / (1 + _SUBJECT_WEIGHT)
        known = ranked.get(passage.text)
        if known is None or known.score < score:
            ranked[passage.text] = replace(passage, score=score)
    return sorted(ranked.values(), key=lambda passage: -passage.score)[:limit]


def _heads(passage: Passage) -> Iterator[str]:
    yield passage.title.rpartition(TITLE_SEPARATOR)[2]
    for line in passage.text.splitlines():
        start = _ASIDE.sub("", line[:_HEAD_CHARS]).lstrip(_MARKUP)
        if found := _AFTER_HEAD.search(start):
            yield start[: found.start()]


def _ideas_in(head: str, ideas: dict[str, set[int]]) -> int:
    """Count the ideas in ``head``; none if it is about something else as well."""
    found: set[int] = set()
    for token in tokens(head):
        groups = ideas.get(token)
        if groups is None:
            return 0
        found |= groups
    return len(found)
