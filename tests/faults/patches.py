"""Deliberate breaks of the code: patch files, read and applied.

A file of ``mutations`` has three parts with empty lines between: the invariant that it breaks,
with a sentence; the scenarios that should notice; a unified diff. Line numbers do not count:
what a hunk takes away, with the lines around it, must stand in the file exactly once.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "mutations"


class DoesNotFit(Exception):
    """The code has changed, and a patch does not say any more where it belongs."""


class Hunk(NamedTuple):
    path: str
    old: list[str]
    new: list[str]


class Mutation(NamedTuple):
    """One break.

    Attributes:
        name: of its file.
        invariant: what does not hold with it.
        what: what is broken, in a sentence.
        numbers: of the scenarios that should notice, the likeliest first.
        hunks: of its diff.
    """

    name: str
    invariant: str
    what: str
    numbers: list[str]
    hunks: list[Hunk]

    def apply(self, root: Path) -> None:
        """Break the code below ``root``: all of it or nothing.

        Raises:
            DoesNotFit: what a hunk takes away is not there, or several times.
        """
        for path, text in self.broken(root).items():
            path.write_text(text, "utf-8")

    def broken(self, root: Path) -> dict[Path, str]:
        """Return the files below ``root`` that would change, as they would be.

        Raises:
            DoesNotFit: as ``apply`` does.
        """
        texts: dict[Path, str] = {}
        for hunk in self.hunks:
            path = root / hunk.path
            if path not in texts and not path.is_file():
                raise DoesNotFit(f"{self.name}: there is no {hunk.path}")
            text = texts[path] if path in texts else "\n" + path.read_text("utf-8")
            old, new = _block(hunk.old), _block(hunk.new)
            places = re.findall(f"(?={re.escape(old)})", text)
            if len(places) != 1:
                raise DoesNotFit(f"{self.name}: {len(places)} times in {hunk.path}:{old}")
            texts[path] = text.replace(old, new)
        return {path: text[1:] for path, text in texts.items()}


def load_mutations(folder: Path = FOLDER) -> list[Mutation]:
    """Return all that there are, by invariant."""
    found = [parse(path.stem, path.read_text("utf-8")) for path in folder.glob("*.patch")]
    return sorted(found, key=lambda one: (int(one.invariant[1:]), one.name))


def parse(name: str, text: str) -> Mutation:
    """Read a patch file.

    Raises:
        DoesNotFit: it is no such file.
    """
    try:
        what, noticed_by, diff = text.split("\n\n", 2)
        invariant, sentence = what.replace("\n", " ").split(": ", 1)
        label, *numbers = noticed_by.split()
    except ValueError as error:
        raise DoesNotFit(f"{name} does not say what it breaks") from error
    hunks = list(_hunks(diff.splitlines()))
    if label != "Scenarios:" or not numbers or not hunks:
        raise DoesNotFit(f"{name} breaks nothing, or nobody should notice")
    return Mutation(name, invariant, sentence, numbers, hunks)


def _hunks(lines: list[str]) -> Iterator[Hunk]:
    path, hunk = "", Hunk("", [], [])
    for line in lines:
        mark, rest = line[:1] or " ", line[1:]
        if line.startswith(("--- ", "diff ", "index ")):
            continue
        if line.startswith("+++ "):
            path = line.removeprefix("+++ ").removeprefix("b/").strip()
        elif mark == "@":
            if hunk.old:
                yield hunk
            hunk = Hunk(path, [], [])
        else:
            if mark in " -":
                hunk.old.append(rest)
            if mark in " +":
                hunk.new.append(rest)
    if hunk.old:
        yield hunk


def _block(lines: list[str]) -> str:
    return "".join(f"\n{line}" for line in lines) + "\n"
