"""Measures everything and prints it: ``python -m bench [--fast] [--only NAME]``."""

import contextlib
import sys
import time
from collections.abc import Callable

import click

from bench import boot, idle, resumes, savings, starts, turns
from bench.lab import Lab, folder, open_lab
from bench.plan import FAST, FULL, Plan
from bench.report import Figure, print_goals, print_json

_ON_THE_LAB: dict[str, Callable[[Lab, Plan], list[Figure]]] = {
    "floor": turns.measure_floor,
    "turn": turns.measure,
    "saving": savings.measure,
    "resume": resumes.measure,
    "start": starts.measure,
    "idle": idle.measure,
}
_ALL = ("boot", "turn", "saving", "resume", "start", "idle")  # a turn is measured beside its floor


@click.command()
@click.option("--fast", is_flag=True, help="Half a minute: whether it works, not what it costs.")
@click.option("--only", type=click.Choice(["boot", *_ON_THE_LAB]), help="One part.")
def main(fast: bool, only: str | None) -> None:
    """Measure the service against its own floor, in the same run on the same machine.

    Prints a table of each part, and at the end what was asked for and one line of JSON for
    each figure.
    """
    if sys.platform != "linux":
        raise click.ClickException("The bench reads CPU and memory from /proc: it needs Linux.")
    plan = FAST if fast else FULL
    wanted = _ALL if only is None else (only,)
    began = time.perf_counter()
    figures: list[Figure] = []
    with folder() as place:
        if "boot" in wanted:
            figures += boot.measure(place)
        if on_the_lab := [name for name in wanted if name != "boot"]:
            with open_lab(place / "data") as lab:
                for name in on_the_lab:
                    figures += _ON_THE_LAB[name](lab, plan)
    print_goals(figures)
    print_json(figures)
    print(f"\n{time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
