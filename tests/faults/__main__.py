"""Runs scenarios outside of pytest: ``python -m tests.faults report|soak|run R3|mutate``."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from app.observability import logs
from app.settings import LogSettings
from tests.faults import mutate as mutations
from tests.faults import report as reports
from tests.faults import soak as soaking
from tests.faults.evidence import Violation
from tests.faults.fleet import Fleet, open_fleet
from tests.faults.pace import Pace
from tests.faults.patches import DoesNotFit
from tests.faults.scenario import BrokeDown, Result, Scenario, load_scenarios, run_scenario

_REPORT_SIZE = 5
_scale = click.option("--scale", default=0.1, help="1: the settings people run with.")


@click.group()
def main() -> None:
    """Break a fleet of real nodes and look whether what must hold still holds."""
    logs.configure(LogSettings(level="error", format="console"))


@main.command()
@click.option("--size", default=_REPORT_SIZE, help="How much larger than in the tests.")
@click.option("--seed", default=1)
@_scale
@click.option("--only", default="", help="Numbers of scenarios, with commas between.")
@click.option("--markdown", type=click.Path(path_type=Path), help="A file to write it to, too.")
def report(size: int, seed: int, scale: float, only: str, markdown: Path | None) -> None:
    """Run every scenario and print a table; then those that goals are about, with the settings
    people run with.
    """
    chosen = [one for one in load_scenarios() if not only or one.number in only.split(",")]
    by_number = {one.number: one for one in chosen}
    rows: list[tuple[str, Result]] = []
    again: list[Result] = []
    reached: list[tuple[reports.Goal, Result]] = []

    async def every(fleet: Fleet) -> int:
        for one in chosen:
            click.echo(f"{one.number} {one.sentence}", err=True)
            rows.append((one.sentence, await _run(fleet, one, seed, size)))
        return 0

    async def goals(fleet: Fleet) -> int:
        for goal in reports.GOALS:
            if (one := by_number.get(goal.number)) is None:
                continue
            click.echo(f"{goal.number}: {goal.what}", err=True)
            if goal.size is None:
                [result] = [result for _, result in rows if result.number == goal.number]
            else:
                result = await _run(fleet, one, seed, goal.size)
                again.append(result)
            reached.append((goal, result))
        return 0

    _do(every, scale)
    _do(goals, 1)
    results = [result for _, result in rows] + again
    lease = f"Times at {scale:g} of the usual settings' (a lease of {Pace(scale).lease:g} s)."
    parts = [lease, reports.table(rows)]
    if reached:
        parts += ["With the usual settings, where times matter:", reports.goals(reached)]
    parts += [reports.as_code(f"{reports.totals(results)}\n{reports.verdicts(results)}")]
    text = "\n\n".join(parts)
    click.echo(text)
    if markdown is not None:
        markdown.write_text(f"{text}\n", encoding="utf-8")
    broken = sum(len(result.violations) for result in results)
    missed = sum(not goal.is_reached(result) for goal, result in reached)
    raise SystemExit(1 if broken or missed else 0)


@main.command()
@click.option("--minutes", default=float("inf"), help="Until interrupted, if not given.")
@click.option("--size", default=2)
@_scale
def soak(minutes: float, size: int, scale: float) -> None:
    """Have people come and go, and scenarios in any order, with ever new seeds; then print a
    verdict, and how the memory of nodes grew.
    """

    async def told(fleet: Fleet, one: Scenario, seed: int, size: int) -> Result:
        result = await _run(fleet, one, seed, size)
        broken = len(result.violations)
        line = f"{one.number} seed {seed}: {broken} violations, {result.seconds:.1f} s"
        click.echo(line, err=True)
        return result

    async def work(fleet: Fleet) -> int:
        results: list[Result] = []
        async with open_fleet(pace=Pace(scale)) as steady:
            slopes = await soaking.soak(
                fleet,
                steady,
                load_scenarios(),
                told,
                minutes=minutes,
                size=size,
                results=results,
            )
        click.echo(reports.totals(results))
        click.echo(reports.verdicts(results))
        click.echo("\n".join(slope.told() for slope in slopes))
        return sum(len(result.violations) for result in results)

    _on_a_fleet(work, scale)


@main.command()
@click.argument("number")
@click.option("--seed", default=1)
@click.option("--size", default=1)
@_scale
def run(number: str, seed: int, size: int, scale: float) -> None:
    """Run one scenario."""
    [one] = [one for one in load_scenarios() if one.number == number]

    async def work(fleet: Fleet) -> int:
        result = await _run(fleet, one, seed, size)
        click.echo(reports.table([(one.sentence, result)]))
        click.echo(reports.verdicts([result]))
        click.echo(f"{result.seconds:.1f} s {result.figures}")
        return len(result.violations)

    _on_a_fleet(work, scale)


@main.command()
@click.argument("only", nargs=-1)
@click.option("--seed", default=1)
def mutate(only: tuple[str, ...], seed: int) -> None:
    """Break the code on purpose and see whether a scenario notices: all breaks, or those of
    the invariants given.
    """

    def say(what: str) -> None:
        click.echo(what, err=True)

    try:
        clean, hunts = asyncio.run(mutations.hunt_all(only=only, seed=seed, say=say))
    except KeyboardInterrupt:
        raise SystemExit(1) from None
    except DoesNotFit as error:
        raise SystemExit(f"A patch does not fit the code any more.\n{error}") from None
    click.echo(mutations.table(hunts))
    wrong = mutations.failures(clean, hunts)
    click.echo("\n".join(wrong or ["Every break was noticed."]))
    raise SystemExit(1 if wrong else 0)


async def _run(fleet: Fleet, one: Scenario, seed: int, size: int) -> Result:
    """Run a scenario; one that breaks down counts as a violation of its end."""
    try:
        result = await run_scenario(fleet, one, seed=seed, size=size)
    except Exception as error:  # noqa: BLE001 - the others shall run, too
        click.echo("".join(traceback.format_exception(error)), err=True)
        click.echo(fleet.logs(), err=True)
        seen = error.violations if isinstance(error, BrokeDown) else []
        broken = Violation("I8", f"{one.number} broke down")
        return Result.broken(one.number, seed, [*seen, broken])
    if result.violations:
        click.echo(result.explain(fleet.logs()), err=True)
    return result


def _on_a_fleet(work: Callable[[Fleet], Awaitable[int]], scale: float) -> None:
    """Do the work; the exit code says whether anything was violated."""
    raise SystemExit(1 if _do(work, scale) else 0)


def _do(work: Callable[[Fleet], Awaitable[int]], scale: float) -> int:
    async def whole() -> int:
        async with open_fleet(pace=Pace(scale)) as fleet:
            return await work(fleet)

    return asyncio.run(whole())


if __name__ == "__main__":
    main()
