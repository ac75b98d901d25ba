"""The one tokeniser, for writing and for asking: words of any script, made comparable."""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

VERSION = 1
"""Kept beside everything indexed: tokens of two versions must not be compared."""

WORD_CHARS = 64  # longer ones are blobs, not words; the rest of them is cut off

# Limits of PostgreSQL's tsvector (manual, "Text Search Limitations"), with some room.
_LEXEME_BYTES = 2_046
_LAST_POSITION = 16_383
_POSITIONS_PER_LEXEME = 255
_VECTOR_BYTES = 1_000_000
_POSITION_BYTES = 2
_LEXEME_OVERHEAD_BYTES = 4  # alignment, and the count of positions

# Letters of scripts whose words are not found by looking for spaces, or, in Hangul, carry
# their particles with them: pairs of neighbours find them without a dictionary.
_PAIRED = (
    "\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff"  # Hangul letters
    "\u3130-\u318f\uac00-\ud7a3"  # Hangul compatibility letters, syllables
    "\u3040-\u30ff\u31f0-\u31ff"  # Kana
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u0e00-\u0eff"  # Thai, Lao
)
# Vowel signs and accents: parts of words that Python's \w leaves out.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d"
    "\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b4d\u0b82\u0bbe-\u0bcd"
    "\u0c00-\u0c04\u0c3e-\u0c4d\u0c81-\u0c83\u0cbc-\u0ccd\u0d00-\u0d03\u0d3b-\u0d4d"
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
)
_LETTERS = rf"[^\W_{_MARKS}]"
_CONTRACTION = r"(?:['’](?:s|t|d|m|re|ve|ll)\b)?"
_RUN = re.compile(rf"{_LETTERS}+(?:[{_MARKS}]+{_LETTERS}*)*{_CONTRACTION}")
_SCRIPTS = re.compile(rf"[{_PAIRED}]+|[^{_PAIRED}]+")
_IS_PAIRED = re.compile(rf"[{_PAIRED}]")

# Normalising takes the square of the length on a run of accents, so no piece is long. A
# piece ends at a space where there is one: an accent is then never cut from its letter.
_PIECE = re.compile(r"[\s\S]{1,511}\s|[\s\S]{1,512}")

_ENGLISH_STOP_WORDS = """
    a about above across after again against ain all also although am among an and any are
    aren as at be because been before behind being below between both but by can cannot
    could couldn did didn do does doesn doing don down during each else even ever few for
    from further had hadn has hasn have haven having he her here hers herself him himself
    his how i if in into is isn it its itself just let me might mightn more most must mustn
    my myself need needn no nor not now of off on once only onto or other ought our ours
    ourselves out over own same shall shan she should shouldn since so some still such than
    that the their theirs them themselves then there these they this those though through to
    too under until up upon us very via was wasn we were weren what when where whether which
    while who whom whose why will with within without would wouldn yet you your yours
    yourself yourselves
"""
_STOP_WORDS = frozenset(_ENGLISH_STOP_WORDS.split())


class _Stemmer(threading.local):
    """A stemmer holds the word it works on, so each thread has its own."""

    def __init__(self) -> None:
        # Its package brings every language it has: imported at the first word, not at start.
        from snowballstemmer.english_stemmer import (  # type: ignore[import-untyped]  # noqa: PLC0415
            EnglishStemmer,
        )

        self.english = EnglishStemmer()


def tokens(text: str) -> list[str]:
    """Return the tokens of ``text`` in order, with duplicates.

    Compatibility forms and case are folded. A word in Latin letters is left out if it is
    an English stop-word, else reduced to its English stem; ``chat_id`` is two words. A run
    of Hangul, Han or Kana becomes the pairs of its neighbours (``데이터`` → ``데이``,
    ``이터``), a single character stays as it is; Thai and Lao too. Other words stay whole.

    Any string will do: what is neither letter nor digit only separates, NUL and lone
    surrogates too. Cost: linear; about 1 µs for a token, 20 µs for an English word that was
    not met lately.
    """
    found: list[str] = []
    for run in runs(text):
        if not run.paired:
            found.extend(_word(run.text))
        elif len(run.text) == 1:
            found.append(run.text)
        else:
            found.extend(run.text[i : i + 2] for i in range(len(run.text) - 1))
    return found


class Run(NamedTuple):
    text: str  # folded
    paired: bool  # whether it becomes pairs of neighbours, rather than one word


def runs(text: str) -> Iterator[Run]:
    """Yield what ``tokens`` makes its tokens of, stop-words included: one script each."""
    for match in _RUN.finditer(fold(text)):
        run = match.group()
        if run.isascii() or not _IS_PAIRED.search(run):
            yield Run(run, paired=False)
            continue
        for part in _SCRIPTS.findall(run):
            yield Run(part, paired=_IS_PAIRED.match(part) is not None)


def fold(text: str) -> str:
    """Return ``text`` with compatibility forms (NFKC) and case folded away; linear."""
    if text.isascii():
        return text.lower()
    return "".join(
        piece.lower() if piece.isascii() else _normal(_normal(piece).casefold())
        for piece in _PIECE.findall(text)
    )


def tsvector_literal(tokens: Iterable[str]) -> str:
    """Return ``tokens`` as the text of a ``tsvector``: ``'drop':2,5 'resum':1``.

    Positions count from 1 and stop at 16383; of one token 255 are kept (Postgres keeps no
    more), so the length of a token's positions is how often it occurs, up to 255. What
    Postgres would refuse is left out: empty tokens, ones over 2,046 bytes, NUL, lone
    surrogates, and new tokens once the vector has a megabyte.
    """
    positions: dict[str, list[int]] = {}
    size = 0
    for count, token in enumerate(tokens, start=1):
        place = min(count, _LAST_POSITION)
        known = positions.get(token)
        if known is None:
            width = _lexeme_bytes(token)
            if width == 0 or size + width > _VECTOR_BYTES:
                continue
            positions[token] = [place]
            size += width + _LEXEME_OVERHEAD_BYTES + _POSITION_BYTES
        elif (
            known[-1] < place
            and len(known) < _POSITIONS_PER_LEXEME
            and size + _POSITION_BYTES <= _VECTOR_BYTES
        ):
            known.append(place)
            size += _POSITION_BYTES
    return " ".join(
        f"{_quoted(token)}:{','.join(map(str, places))}" for token, places in positions.items()
    )


def tsquery_literal(tokens: Iterable[str], *, max_terms: int = 64) -> str:
    """Return the text of a ``tsquery`` that any of ``tokens`` satisfies: ``'a' | 'b'``.

    Each token once, the first ``max_terms`` of them. Empty when none is usable: such a
    query finds nothing and needs no round trip.
    """
    return " | ".join(_quoted(token) for token in _first(tokens, max_terms))


def _first(tokens: Iterable[str], limit: int) -> Iterator[str]:
    seen: set[str] = set()
    for token in tokens:
        if len(seen) >= limit:
            return
        if token not in seen and _lexeme_bytes(token):
            seen.add(token)
            yield token


def _word(run: str) -> tuple[str, ...]:
    word = run.replace("’", "'").partition("'")[0][:WORD_CHARS]
    if word in _STOP_WORDS:
        return ()
    return (_stem(word),) if word.isalpha() else (word,)


@lru_cache(maxsize=16_384)
def _stem(word: str) -> str:
    return str(_stemmer().english.stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> _Stemmer:
    return _Stemmer()


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _quoted(token: str) -> str:
    escaped = token.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _lexeme_bytes(token: str) -> int:
    """Return the token's length in UTF-8, or 0 if Postgres would not take it."""
    if "\0" in token:
        return 0
    try:
        width = len(token.encode())
    except UnicodeEncodeError:
        return 0
    return width if width <= _LEXEME_BYTES else 0
