"""Words of the field in several languages, so that a question finds documents in another.

``glossary.json`` beside this file, or an operator's own file of the same form::

    {
      "concepts": {"connection": {"en": ["connection", "socket"], "ko": ["연결", "접속"]}},
      "fillers": {"en": ["please"], "ko": ["알려"]},
      "endings": {"ko": ["하나요", "는", "을"]}
    }

A **concept** is one thing with the words people use for it, in each language the usual one
first. A word written with spaces is found as those words in a row, in any English
inflection. A word in Hangul, Han or Kana is found anywhere in a run of letters, whatever is
attached to it: so give a verb as its stems (``끊기``, ``끊어``), and nothing so short that
it is part of other words. One word belongs to one concept. **Fillers** are single words
that say nothing about what is asked. **Endings** are what may be attached to a word:
particles, endings of verbs.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.kit.tokens import runs, tokens
from app.knowledge.errors import BadGlossary

_OWN = Path(__file__).with_name("glossary.json")

_Word = Annotated[str, StringConstraints(min_length=1, max_length=40, strip_whitespace=True)]
_Words = Annotated[list[_Word], Field(max_length=16)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    about: str = ""
    concepts: Annotated[dict[str, dict[str, _Words]], Field(max_length=1_000)] = {}
    fillers: dict[str, Annotated[list[_Word], Field(max_length=500)]] = {}
    endings: dict[str, Annotated[list[_Word], Field(max_length=500)]] = {}


@dataclass(frozen=True, slots=True)
class Form:
    """One way to say a concept."""

    language: str
    tokens: tuple[str, ...]
    is_whole: bool  # false when stop-words were lost: "log in" leaves only "log"


@dataclass(frozen=True, slots=True)
class Concept:
    name: str
    forms: tuple[Form, ...]


class Glossary:
    """Looks words up. Built once; a look-up costs a few dictionary accesses."""

    def __init__(self, *files: _File) -> None:
        self._phrases: dict[tuple[str, ...], tuple[Concept, Form]] = {}
        self._strings: dict[str, tuple[Concept, Form]] = {}
        concepts: dict[str, dict[str, list[str]]] = {}
        for file in files:
            for name, words in file.concepts.items():
                merged = concepts.setdefault(name, {})
                for language, more in words.items():
                    merged.setdefault(language, []).extend(more)
        for name, words in concepts.items():
            self._learn(name, words)
        self._longest_phrase = max(map(len, self._phrases), default=0)
        self._longest_string = max(map(len, self._strings), default=0)
        fillers = [filler for file in files for filler in _all(file.fillers)]
        self._fillers = frozenset(" ".join(units(filler)) for filler in fillers)
        endings = sorted({ending for file in files for ending in _all(file.endings)})
        self._endings = frozenset(endings)
        self._longest_ending = max(map(len, endings), default=0)

    @classmethod
    def load(cls, *extra: Path) -> "Glossary":
        """Read the built-in glossary and add ``extra`` files to it. Blocking, about 2 ms.

        Raises:
            BadGlossary: a file cannot be read, or gives one word to two concepts.
        """
        return cls(*(_read(path) for path in (_OWN, *extra)))

    def phrase_at(self, words: list[str], start: int) -> tuple[int, Concept, Form] | None:
        """Return the longest known phrase that begins at ``words[start]``, and its length."""
        for length in range(min(self._longest_phrase, len(words) - start), 0, -1):
            if found := self._phrases.get(tuple(words[start : start + length])):
                return length, *found
        return None

    def string_at(self, run: str, start: int) -> tuple[int, Concept, Form] | None:
        """Return the longest known word that begins at ``run[start]``, and its length."""
        for length in range(min(self._longest_string, len(run) - start), 0, -1):
            if found := self._strings.get(run[start : start + length]):
                return length, *found
        return None

    def is_filler(self, unit: str) -> bool:
        return unit in self._fillers

    def is_ending(self, text: str) -> bool:
        """Tell whether ``text`` is endings in a row: ``에서는`` is ``에서`` and ``는``.

        One of a single syllable may only come last, else ``도서`` (books) were two of them.
        """
        reached = [True] + [False] * len(text)
        for end in range(2, len(text) + 1):
            reached[end] = any(
                reached[start] and text[start:end] in self._endings
                for start in range(max(0, end - self._longest_ending), end - 1)
            )
        return reached[-1] or (reached[-2] and text[-1:] in self._endings)

    def _learn(self, name: str, words: Mapping[str, list[str]]) -> None:
        forms: list[tuple[str, Form]] = []
        for language, spellings in words.items():
            for word in spellings:
                kept = tuple(dict.fromkeys(tokens(word)))
                is_whole = len(units(word)) <= len(kept)
                forms.append((word, Form(language, kept, is_whole)))
        concept = Concept(name, tuple(form for _, form in forms))
        for word, form in forms:
            parts = list(runs(word))
            if len(parts) == 1 and parts[0].paired:
                taken = self._strings.setdefault(parts[0].text, (concept, form))[0]
            else:
                taken = self._phrases.setdefault(tuple(units(word)), (concept, form))[0]
            if taken is not concept:
                raise BadGlossary(f"{word!r} is given to both {taken.name!r} and {name!r}.")


def units(text: str) -> list[str]:
    """Return the words of ``text``: stems, stop-words as they are, paired runs whole."""
    return list(_units(text))


def _units(text: str) -> Iterator[str]:
    for run in runs(text):
        yield run.text if run.paired else (tokens(run.text) or [run.text])[0]


def _all(words: Mapping[str, list[str]]) -> Iterable[str]:
    return (word for several in words.values() for word in several)


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            where = " › ".join(map(str, first["loc"]))
            raise BadGlossary(f"{path}: {where}: {first['msg']}.") from error
        raise BadGlossary(f"{path} cannot be read: {error}.") from error
