"""Breaks the code on purpose, one patch at a time, and asks the scenarios whether they notice."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.fleet import Fleet, open_fleet
from tests.faults.nodes import ROOT
from tests.faults.patches import Mutation, load_mutations
from tests.faults.report import INVARIANTS, as_table
from tests.faults.scenario import BrokeDown, Scenario, load_scenarios, run_scenario

_CODE = ("app", "alembic", "tests")  # what a node needs
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*_cache", "static")
_LONGEST_SECONDS = 30  # a scenario takes a few; one that waits for ever has noticed
_HEAD = ("", "what is broken", "noticed by", "violations", "seconds")

Say = Callable[[str], None]


class Look(NamedTuple):
    """What one scenario said of the code.

    Attributes:
        number: of the scenario.
        violations: how often each invariant was broken.
        error: why it did not come to its end, if it did not.
    """

    number: str
    violations: Counter[str]
    error: str
    seconds: float

    @property
    def is_clean(self) -> bool:
        return not self.violations and not self.error

    def __str__(self) -> str:
        found = [f"{one} {self.violations[one]}" for one in INVARIANTS if self.violations[one]]
        return ", ".join([*found, *([self.error] if self.error else [])]) or "clean"


class Hunt(NamedTuple):
    """What became of one mutation: the scenarios that looked, in order."""

    mutation: Mutation
    looks: list[Look]

    @property
    def noticed(self) -> Look | None:
        """The look that noticed: the scenario says that this invariant is broken, or, if it
        should notice and does well otherwise, it did not come to its end.
        """
        named = (look for look in self.looks if look.violations[self.mutation.invariant])
        broken = (
            look for look in self.looks if look.error and look.number in self.mutation.numbers
        )
        return next(named, next(broken, None))


async def hunt_all(*, only: Collection[str], seed: int, say: Say) -> tuple[list[Look], list[Hunt]]:
    """Look at the code as it is, then at each broken copy of it.

    Returns what the scenarios said of the code as it is, which must be nothing, and of each
    mutation.

    Args:
        only: invariants or names of mutations; all, if there are none.
        seed: of the scenarios.
        say: told what is going on.

    Raises:
        DoesNotFit: a patch no longer fits the code.
        Exception: with a patch, no node starts.
    """
    chosen = [one for one in load_mutations() if not only or {one.name, one.invariant} & set(only)]
    scenarios = {one.number: one for one in load_scenarios()}
    first = dict.fromkeys(number for one in chosen for number in one.numbers)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        whole = Path(folder) / "whole"
        for name in _CODE:
            shutil.copytree(ROOT / name, whole / name, ignore=_LEFT_OUT)
        for mutation in chosen:
            mutation.broken(whole)  # to hear at once of one that does not fit
        async with open_fleet(root=whole) as fleet:
            clean = [await _look(fleet, scenarios[number], seed) for number in first]
        for look in clean:
            say(f"{look.number} on the code as it is: {look}")
        hunts = []
        for mutation in chosen:
            broken = Path(folder) / mutation.name
            shutil.copytree(whole, broken)
            mutation.apply(broken)
            say(f"{mutation.invariant} {mutation.what}")
            hunts.append(await _hunt(mutation, broken, scenarios, seed, say))
    return clean, hunts


async def _hunt(
    mutation: Mutation, root: Path, scenarios: dict[str, Scenario], seed: int, say: Say
) -> Hunt:
    """Run scenarios until one names the invariant: those that should, then all others, unless
    one of the first has failed otherwise.
    """
    hunt = Hunt(mutation, [])
    others = [number for number in scenarios if number not in mutation.numbers]
    async with open_fleet(root=root) as fleet:
        for number in (*mutation.numbers, *others):
            if number in others and hunt.noticed is not None:
                break
            look = await _look(fleet, scenarios[number], seed)
            hunt.looks.append(look)
            say(f"   {number}: {look} ({look.seconds:.1f} s)")
            if look.violations[mutation.invariant]:
                break
    return hunt


async def _look(fleet: Fleet, one: Scenario, seed: int) -> Look:
    began, error = time.monotonic(), ""
    violations: Counter[str] = Counter()
    try:
        result = await run_scenario(fleet, one, seed=seed, seconds=_LONGEST_SECONDS)
        violations.update(violation.invariant for violation in result.violations)
    except BrokeDown as failure:
        violations.update(violation.invariant for violation in failure.violations)
        error = f"broke down: {_innermost(failure.__cause__)}"
    return Look(one.number, violations, error, time.monotonic() - began)


def _innermost(error: BaseException | None) -> str:
    """Return the name of the first error of a group, however deep it lies."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def table(hunts: Iterable[Hunt]) -> str:
    """Return one line for each mutation, in Markdown."""
    lines: list[Sequence[str]] = [_HEAD]
    for hunt in hunts:
        noticed = hunt.noticed
        lines.append(
            (
                hunt.mutation.invariant,
                hunt.mutation.what,
                "NOBODY" if noticed is None else noticed.number,
                "" if noticed is None else str(noticed),
                f"{sum(look.seconds for look in hunt.looks):.1f}",
            )
        )
    return as_table(lines, left=4)


def failures(clean: Iterable[Look], hunts: Iterable[Hunt]) -> list[str]:
    """Return what is wrong, in sentences: scenarios that fail anyway, breaks nobody noticed."""
    return [
        *(
            f"{look.number} fails on the code as it is: {look}"
            for look in clean
            if not look.is_clean
        ),
        *(
            f"{hunt.mutation.invariant} can be broken unnoticed: {hunt.mutation.name}"
            for hunt in hunts
            if hunt.noticed is None
        ),
    ]
