"""What a question asks for: groups of tokens that mean the same."""

from dataclasses import dataclass

from app.kit.tokens import Run, runs, tokens
from app.knowledge.glossary import Concept, Form, Glossary

MAX_CHARS = 2_000  # of a question; the rest is not looked at
MAX_GROUPS = 32
MAX_TERMS = 256

_SYNONYM = 0.5  # weight of another word than the one said, or its first translation
_LOSSY = 0.5  # weight of a phrase that lost its stop-words: "log" for "log in"
_GENEROUS = 1.5  # two thirds of an unknown word's pairs are the word: the rest is inflection
_STEM_CHARS = 2  # what must be left of a run when endings are taken off


@dataclass(frozen=True, slots=True)
class Question:
    """The terms to look for, as columns: ``tokens[i]`` belongs to ``groups[i]``.

    A group is one idea of the question: the tokens of a concept in every language, or of
    one word. A passage has as much of the idea as the weights of its tokens add up to.
    """

    tokens: tuple[str, ...]
    groups: tuple[int, ...]
    weights: tuple[float, ...]  # above 0, at most 1


def understand(text: str, glossary: Glossary) -> Question:
    """Read a question. Concepts of the glossary bring their words in all languages.

    Fillers ("please tell me", "어떻게 되나요") and the particles and endings of Korean
    words are left out, unless nothing else is there. Bounded by the ``MAX_`` constants.
    """
    reading = _Reading(glossary)
    text = text[:MAX_CHARS]
    reading.read(list(runs(text)))
    if not reading.groups:
        for token in tokens(text):
            reading.add(token, {token: 1.0})
    return reading.question()


class _Reading:
    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self.groups: dict[str, dict[str, float]] = {}  # by word, or "concept: name"

    def add(self, name: str, terms: dict[str, float]) -> None:
        group = self.groups.setdefault(name, {})
        for token, weight in terms.items():
            group[token] = max(weight, group.get(token, 0.0))

    def question(self) -> Question:
        terms = [
            (token, number, weight)
            for number, group in enumerate(list(self.groups.values())[:MAX_GROUPS])
            for token, weight in group.items()
        ][:MAX_TERMS]
        return Question(
            tuple(token for token, _, _ in terms),
            tuple(number for _, number, _ in terms),
            tuple(weight for _, _, weight in terms),
        )

    def read(self, words: list[Run]) -> None:
        units = [w.text if w.paired else (tokens(w.text) or [w.text])[0] for w in words]
        place = 0
        while place < len(words):
            if phrase := self._glossary.phrase_at(units, place):
                length, concept, form = phrase
                self._concept(concept, form)
                place += length
                continue
            word = words[place]
            if word.paired:
                self._run(word.text)
            elif not self._glossary.is_filler(units[place]):
                for token in tokens(word.text):
                    self.add(token, {token: 1.0})
            place += 1

    def _run(self, run: str) -> None:
        """Take the known words out of ``run``, then what is left between them."""
        rest = ""
        rests: list[str] = []
        place = 0
        while place < len(run):
            if found := self._glossary.string_at(run, place):
                length, concept, form = found
                self._concept(concept, form)
                rests.append(rest)
                rest = ""
                place += length
            else:
                rest += run[place]
                place += 1
        has_known = bool(rests)
        for part in (*rests, rest):
            # Beside a known word, a single letter is a particle or a broken ending.
            if len(part) > has_known and not self._glossary.is_ending(part):
                self._unknown(part)

    def _unknown(self, run: str) -> None:
        stem = next(
            (
                run[:length]
                for length in range(_STEM_CHARS, len(run))
                if self._glossary.is_ending(run[length:])
            ),
            run,
        )
        if not self._glossary.is_filler(run) and not self._glossary.is_filler(stem):
            pairs = tokens(stem)
            part = min(1.0, _GENEROUS / len(pairs))
            self.add(stem, dict.fromkeys(pairs, part))

    def _concept(self, concept: Concept, said: Form) -> None:
        name = f"concept: {concept.name}"
        self.add(name, _weighted(said, 1.0 if said.is_whole else _LOSSY))
        usual: dict[str, Form] = {}
        for form in concept.forms:
            lead = usual.setdefault(form.language, form)
            if form is lead and form.language != said.language:
                self.add(name, _weighted(form, 1.0))
            elif form is lead or form.is_whole:
                self.add(name, _weighted(form, _SYNONYM))


def _weighted(form: Form, weight: float) -> dict[str, float]:
    """Give each token of a form its part: all together are the form once."""
    return {token: weight / len(form.tokens) for token in form.tokens}
