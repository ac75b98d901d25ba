"""The soak: laps of people who come and go on nodes that are never restarted, and scenarios in
any order on others, for as long as one likes.
"""

import asyncio
import itertools
import random
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from tests.faults.client import Tab
from tests.faults.fleet import Fleet
from tests.faults.gauges import Holdings, check_nothing_left, holdings, resident
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, Scenario

_VISITORS = 12  # at once
_LAP_SECONDS = 8.0  # at size 1
_WARM_UP = 0.3  # of the laps: pools fill, modules load, allocators settle
_LEAST_HOURS = 0.25  # of churn; a slope over less is told, and not judged
_MOST_SLOPE = 16.0  # MiB per hour of churn


@dataclass
class Slope:
    """How a node's memory grows.

    Attributes:
        hours: of churn at each look, which is when everybody has left.
        mib: resident then.
    """

    node: str
    hours: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    @property
    def per_hour(self) -> float | None:
        """MiB per hour of churn after the warm-up, by least squares; None: too few looks."""
        skip = int(len(self.hours) * _WARM_UP)
        hours, mib = self.hours[skip:], self.mib[skip:]
        if len(hours) < 3:
            return None
        return statistics.linear_regression(hours, mib).slope

    def look(self, node: Node, hours: float) -> None:
        self.hours.append(hours)
        self.mib.append(resident(node.pid) / 2**20)

    def told(self) -> str:
        slope = "too short to say" if self.per_hour is None else f"{self.per_hour:+.1f} MiB/hour"
        first, last = (self.mib[0], self.mib[-1]) if self.mib else (0.0, 0.0)
        return f"{self.node}: {first:.1f} MiB after a lap, {last:.1f} at the end, {slope}"


async def soak(
    fleet: Fleet,
    steady: Fleet,
    scenarios: list[Scenario],
    run: Callable[[Fleet, Scenario, int, int], Awaitable[Result]],
    *,
    minutes: float,
    size: int,
    results: list[Result],
) -> list[Slope]:
    """Do a lap and a scenario by turns until time is up or this task is cancelled.

    Args:
        fleet: where scenarios run.
        steady: where laps run; nothing ever happens to its nodes.
        scenarios: those to choose from.
        run: runs one, with a seed and a size, and never raises.
        minutes: how long.
        size: of laps and scenarios.
        results: where they are put, as soon as they are there.

    Returns:
        the memory of each of the steady nodes, one lap after the other.
    """
    slopes = [Slope(node.name) for node in steady.nodes]
    before: list[Holdings] = []
    churned = 0.0

    async def lap(context: Context) -> Result:
        """A lap, and what it leaves behind."""
        nonlocal churned
        before[:] = before or [await holdings(context, node) for node in steady.nodes]
        result = await churn(context)
        churned += _LAP_SECONDS * context.size / 3_600
        for node, held, slope in zip(steady.nodes, before, slopes, strict=True):
            await check_nothing_left(context, node, held)
            slope.look(node, churned)
            if churned >= _LEAST_HOURS and slope.per_hour is not None:
                told = f"memory grows: {slope.told()}"
                context.check("I10", slope.per_hour <= _MOST_SLOPE, told)
        return result

    laps = Scenario("R28", "people come and go", lap, {})
    ends = time.monotonic() + minutes * 60
    try:
        for one in _any_order(scenarios):
            for where, what in ((steady, laps), (fleet, one)):
                if time.monotonic() >= ends:
                    return slopes
                results.append(await run(where, what, secrets.randbelow(1_000_000), size))
    except asyncio.CancelledError:
        pass  # Ctrl-C: say what was found
    return slopes


async def churn(context: Context) -> Result:
    """Visitors come, open tabs, ask, are cut off, load pages again, leave in the middle of
    answers and return; others follow. Nothing happens to nodes and stores.
    """
    ends = time.monotonic() + _LAP_SECONDS * context.size
    visits = 0

    async def visit() -> None:
        nonlocal visits
        while time.monotonic() < ends:
            visits += 1
            await _visit(context)

    async with asyncio.TaskGroup() as group:
        for _ in range(_VISITORS):
            group.create_task(visit())
    context.recoveries += context.journal.absences()
    return await context.finish(rounds=visits, ends=("completed", "cancelled"))


async def _visit(context: Context) -> None:
    dice = context.dice
    session = await context.start()
    tabs = [await context.tab(session) for _ in range(dice.randrange(1, 4))]
    for _ in range(dice.randrange(1, 5)):
        tab = dice.choice(tabs)
        policy = dice.choice(["queue", "replace"])
        script = context.script(f"say:{dice.randrange(1, 60)}", "say:9", pace=0.01)
        turn = await tab.ask(script, on_busy=policy)
        await turn.acked()
        await asyncio.sleep(dice.random() * 0.5)
        await _trouble(dice, dice.choice(tabs))
        if dice.random() < 0.2:
            await tab.send("cancel", run_id=turn.run_id)
        if dice.random() < 0.7:
            await turn.ended()
    for tab in tabs:
        await tab.close()


async def _trouble(dice: random.Random, tab: Tab) -> None:
    """Perhaps have a tab lose its connection, or leave and return."""
    match dice.choice(["cut", "drop", "reload", "leave", "none", "none"]):
        case "cut" if tab.link is not None:
            tab.link.cut()
        case "drop":
            tab.drop()
        case "reload":
            tab.reload()
        case "leave":
            await tab.close()
            tab.open()
        case _:
            pass


def _any_order(scenarios: list[Scenario]) -> Iterator[Scenario]:
    """Yield every scenario again and again, each round in another order."""
    rounds = (random.sample(scenarios, len(scenarios)) for _ in itertools.count())
    return itertools.chain.from_iterable(rounds)
