"""Figures: as a table for people, as JSON lines for whoever compares them later."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure must reach: at least, or at most."""

    of: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, numbers: Mapping[str, float]) -> bool:
        value = numbers[self.of]
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing and its numbers, with units in their names."""

    name: str
    numbers: Mapping[str, float]
    goals: Sequence[Goal] = ()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each number over all rounds."""
    return {name: median([one[name] for one in rounds]) for name in rounds[0]}


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def print_table(title: str, figures: Sequence[Figure]) -> None:
    """Print figures side by side, one number a line, and beside it the goal it met or missed."""
    print(f"\n{title}")
    labels = list(dict.fromkeys(name for figure in figures for name in figure.numbers))
    width = max(map(len, labels)) + 2
    columns = [_width(figure, labels) for figure in figures]
    heads = (figure.name.rjust(size) for figure, size in zip(figures, columns, strict=True))
    print(" " * width + "".join(heads))
    for label in labels:
        cells = (
            _cell(figure, label).rjust(size) for figure, size in zip(figures, columns, strict=True)
        )
        print(label.ljust(width) + "".join(cells))


def print_goals(figures: Sequence[Figure]) -> None:
    """Print what was asked for, and whether it was reached, one line each."""
    verdicts = [(figure, goal) for figure in figures for goal in figure.goals]
    if not verdicts:
        return
    missed = sum(not goal.met(figure.numbers) for figure, goal in verdicts)
    print(f"\nAsked for: {len(verdicts)}, missed: {missed}")
    width = max(len(f"{figure.name}: {goal.of}") for figure, goal in verdicts)
    for figure, goal in verdicts:
        mark = "ok    " if goal.met(figure.numbers) else "MISSED"
        name = f"{figure.name}: {goal.of}".ljust(width)
        print(f"{mark}  {name}  {_rounded(figure.numbers[goal.of]):>8,g}  {goal}")


def print_json(figures: Sequence[Figure]) -> None:
    about = {"machine": _machine(), "commit": _commit()}
    print()
    for figure in figures:
        goals = [
            {"of": one.of, "goal": str(one), "met": one.met(figure.numbers)} for one in figure.goals
        ]
        numbers = {name: _rounded(value) for name, value in figure.numbers.items()}
        print(
            json.dumps(
                {"figure": figure.name, **numbers, "goals": goals, **about}, ensure_ascii=False
            )
        )


def _width(figure: Figure, labels: Sequence[str]) -> int:
    return max(len(figure.name), *(len(_cell(figure, label)) for label in labels)) + 3


def _cell(figure: Figure, label: str) -> str:
    if label not in figure.numbers:
        return ""
    text = f"{_rounded(figure.numbers[label]):,g}"
    for goal in figure.goals:
        if goal.of == label:
            mark = "ok" if goal.met(figure.numbers) else "MISSED"
            return f"{text} ({goal} {mark})"
    return text


def _rounded(value: float) -> float:
    """Keep three digits: the next ones are noise."""
    if value == 0 or abs(value) >= 1_000:
        return round(value)
    return float(f"{value:.3g}")


def _machine() -> dict[str, Any]:
    model = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _commit() -> str:
    """Return what was measured: a commit, with a plus if the tree differs from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
