"""Results as people read them: a table of scenarios, a verdict for each invariant."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.scenario import Result

INVARIANTS = {
    "I1": "order",
    "I2": "once",
    "I3": "agreement",
    "I4": "equivalence",
    "I5": "text",
    "I6": "one effect",
    "I7": "acknowledged is durable",
    "I8": "end",
    "I9": "fencing",
    "I10": "bounded",
    "I11": "honesty",
    "I12": "isolation",
    "I13": "no leak",
    "I14": "codes",
}


def p99(result: Result) -> float:
    """Return the 99th percentile of a result's recoveries, in seconds."""
    return _percentile(result.recoveries, 0.99)


@dataclass(frozen=True)
class Goal:
    """What is promised of times and sizes.

    Attributes:
        number: the scenario that shows it.
        size: of that scenario, run once more with the usual settings; None: the pace does not
            matter, and the table's own run will do.
        what: the promise.
        limit: which may not be passed.
        unit: of the limit, and of what is read.
        read: takes the figure out of a result.
    """

    number: str
    size: int | None
    what: str
    limit: float
    unit: str
    read: Callable[[Result], float]

    def is_reached(self, result: Result) -> bool:
        return not result.is_broken and self.read(result) <= self.limit


GOALS = (
    Goal("R10", 5, "a node that holds sockets is killed: an answer goes on, p99", 2, "s", p99),
    Goal("R11", 2, "the node that executes runs is killed: they go on, p99", 20, "s", p99),
    Goal(
        "R19",
        5,
        "a node with 500 sockets and 20 runs is told to stop: it has gone",
        30,
        "s",
        lambda result: float(result.figures["exit_seconds"]),
    ),
    Goal(
        "R21",
        5,
        "500 connections break at once: the last is back",
        10,
        "s",
        lambda result: max(result.recoveries),
    ),
    Goal(
        "R16",
        None,
        "memory that a client takes who does not read",
        2,
        "MiB",
        lambda result: float(result.figures["mib_each"]),
    ),
)
_HEAD = ("", "scenario", "rounds", "clients", "events", "violations", "recovery p50", "p99")


def table(rows: Sequence[tuple[str, Result]]) -> str:
    """Return one line for each scenario; ``rows`` are sentences and results."""
    lines: list[Sequence[str]] = [_HEAD]
    for sentence, result in rows:
        usual, worst = recovery(result.recoveries)
        lines.append(
            (
                result.number,
                sentence,
                f"{result.rounds:,}",
                f"{result.clients:,}",
                f"{result.events:,}",
                str(len(result.violations)),
                usual,
                worst,
            )
        )
    return as_table(lines, left=2)


def as_table(lines: Sequence[Sequence[str]], *, left: int) -> str:
    """Return a Markdown table whose columns are aligned, the first ``left`` to the left.

    The first line is the head.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    made = []
    for line in lines:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        made.append("| " + " | ".join(cells) + " |")
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([made[0], rule, *made[1:]])


def recovery(seconds: Sequence[float]) -> tuple[str, str]:
    """Return the median and the 99th percentile, as text."""
    if not seconds:
        return "", ""
    return f"{statistics.median(seconds):.2f} s", f"{_percentile(seconds, 0.99):.2f} s"


def _percentile(seconds: Sequence[float], part: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def goals(reached: Sequence[tuple[Goal, Result]]) -> str:
    """Return one line for each goal: what was promised, and what was seen."""
    lines: list[Sequence[str]] = [("", "goal", "promised", "seen", "violations")]
    for goal, result in reached:
        seen = "nothing" if result.is_broken else f"{goal.read(result):.2f} {goal.unit}"
        limit = f"≤ {goal.limit:g} {goal.unit}"
        lines.append((goal.number, goal.what, limit, seen, str(len(result.violations))))
    return as_table(lines, left=2)


def totals(results: Sequence[Result]) -> str:
    """Return how much was done, in one line."""
    rounds, clients, events = (
        sum(getattr(result, name) for result in results) for name in ("rounds", "clients", "events")
    )
    minutes = sum(result.seconds for result in results) / 60
    return (
        f"{len(results)} scenarios of {rounds:,} rounds, {clients:,} clients"
        f" and {events:,} events in {minutes:.0f} minutes"
    )


def as_code(text: str) -> str:
    """Return text that Markdown leaves as it is."""
    return f"```\n{text}\n```"


def verdicts(results: Sequence[Result]) -> str:
    """Return one line for each invariant: how often it was looked at, how often it failed."""
    checks: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    for result in results:
        checks += result.checks
        broken += Counter(violation.invariant for violation in result.violations)
    lines = []
    for invariant, name in INVARIANTS.items():
        state = "not looked at" if not checks[invariant] else "holds"
        if broken[invariant]:
            state = "BROKEN"
        lines.append(
            f"{invariant:<4} {name:<24} {broken[invariant]:>6} of {checks[invariant]:>9,}  {state}"
        )
    return "\n".join(lines)
