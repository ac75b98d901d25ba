"""Nodes that are told to stop, and everybody coming back at once."""

import asyncio
import signal
import statistics
import time

from app.settings import RunSettings
from tests.faults.client import REFUSED, Tab, Turn
from tests.faults.journal import Entry
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, scenario

_RUNS = 20
_PER_SESSION = 5
_EXIT_SECONDS = 30
_STORM_SECONDS = 10
_SPREAD = 1 / 3  # of its patience: waves come each second, and scaled there are only two
_DRAINING = 4200


@scenario("R19", "SIGTERM with 500 sockets and 20 runs")
async def drained(context: Context) -> Result:
    """One node holds the sockets and the runs; some runs end before its patience does, the
    others are handed over. Tabs are sent away in waves, all through its patience, and who
    comes meanwhile is refused. Recovery: from a tab's close until it is live on another node.
    """
    sockets, node = 100 * context.size, context.dice.choice(context.fleet.nodes)
    asking = await _tabs(context, node, sessions=_RUNS, each=_PER_SESSION)
    await _tabs(context, node, sessions=(sockets - len(asking)) // _PER_SESSION, each=_PER_SESSION)
    pace = context.seconds(0.2)  # the longer ones outlast its patience, whatever the scale
    turns: list[Turn] = []
    for place in range(_RUNS):
        parts = ("say:60", "say:120") if place % 2 else ("say:20", "say:20")
        turns.append(await asking[place * _PER_SESSION].ask(context.script(*parts, pace=pace)))
    for turn in turns:
        await turn.acked()
    told_at = context.journal.fault("SIGTERM", node=node.name)
    node.signal(signal.SIGTERM)
    await asking[0].until(lambda: not asking[0].is_live)
    late = await context.tab(asking[0].session, first=node, live=False)
    code = await node.gone()
    took = time.monotonic() - told_at
    context.check("I8", code == 0, f"the node ended with {code}")
    limit = context.seconds(_EXIT_SECONDS) + 5
    context.check("I8", took <= limit, f"the node took {took:.1f} s to end")
    for turn in turns:
        await turn.ended()
    ends: dict[str, list[Entry]] = {tab.name: [] for tab in context.tabs}
    for entry in context.journal.of("closed"):
        ends[entry.tab].append(entry)
    for tab in context.tabs:
        await tab.live()
        code = ends[tab.name][0].data["code"] if ends[tab.name] else None
        wanted = REFUSED if tab is late else _DRAINING
        context.check("I14", code == wanted, f"{tab.name} was first closed with {code}")
    reason = ends[late.name][0].data["reason"]
    context.check("I14", reason == "HTTP 503", f"who came late was told {reason}")
    first = [entries[0].at for tab, entries in ends.items() if tab != late.name]
    tenths = statistics.quantiles(first, n=10)
    spread, patience = tenths[-1] - tenths[0], context.seconds(RunSettings().drain_seconds)
    context.check(
        "I14", spread >= patience * _SPREAD, f"all but a few were closed in {spread:.2f} s"
    )
    context.recoveries += context.journal.absences()
    resumed = [one.data for one in context.journal.of("applied") if "reason" in one.data]
    why = {event["reason"] for event in resumed if event["type"] == "run_resumed"}
    handed = sum(run.attempt > 1 for run in (await context.rows()).runs)
    context.check("I8", handed > 0 and why == {"handover"}, f"{handed} runs went on: {why}")
    return await context.finish(
        rounds=1,
        sockets=len(context.tabs),
        handed_over=handed,
        spread=round(spread, 2),
        exit_seconds=round(took, 1),
    )


@scenario("R20", "a rolling restart under load")
async def rolled(context: Context) -> Result:
    """Nodes are stopped and started, one after the other, while people talk. Recovery: from a
    tab's close until it is live again.
    """
    nodes = context.fleet.nodes[: 1 + context.size]
    tabs = await _tabs(context, None, sessions=6 * context.size, each=2)
    rolling = True

    async def converse(tab: Tab) -> int:
        count = 0
        while rolling:
            turn = await tab.ask(context.script("say:20", "say:20", pace=0.02))
            await turn.ended()
            count += 1
        return count

    async with asyncio.TaskGroup() as group:
        talks = [group.create_task(converse(tab)) for tab in tabs[::2]]
        for node in nodes:
            context.journal.fault("restart", node=node.name)
            node.signal(signal.SIGTERM)
            code = await node.gone()
            context.check("I8", code == 0, f"{node.name} ended with {code}")
            await node.start()
        rolling = False
    context.recoveries += context.journal.absences()
    turns = sum(talk.result() for talk in talks)
    return await context.finish(rounds=len(nodes), turns=turns)


@scenario("R21", "everybody comes back at once")
async def storm(context: Context) -> Result:
    """All connections break in the same instant, in the middle of answers. Each tab continues
    where it was: nobody is sent a snapshot. Recovery: until a tab is live again.
    """
    tabs = await _tabs(context, None, sessions=20 * context.size, each=_PER_SESSION)
    asking = tabs[:: _PER_SESSION * 4]
    turns = [await tab.ask(context.script("say:100", pace=0.02)) for tab in asking]
    for turn in turns:
        await turn.acked()
    before = {tab.name: tab.connections for tab in tabs}
    cut_at = context.journal.fault("cut", tabs=len(tabs))
    for tab in tabs:
        if tab.link is not None:
            tab.link.cut()

    async def comes_back(tab: Tab) -> None:
        await tab.until(lambda: tab.connections > before[tab.name] and tab.is_live)
        context.recoveries.append(time.monotonic() - cut_at)

    await asyncio.gather(*(comes_back(tab) for tab in tabs))
    worst = max(context.recoveries)
    context.check("I8", worst <= _STORM_SECONDS, f"the last one was back after {worst:.1f} s")
    refusals = {entry.tab: entry.data for entry in context.journal.refusals()}
    for tab in tabs:
        told = refusals.get(tab.name)
        context.check("I11", told is None, f"{tab.name} could have continued: {told}")
    for turn in turns:
        await turn.ended()
    return await context.finish(rounds=1, sockets=len(tabs))


async def _tabs(context: Context, node: Node | None, *, sessions: int, each: int) -> list[Tab]:
    """Open ``each`` tabs on each of so many sessions; first all on ``node``, if there is one."""
    tabs: list[Tab] = []
    for _ in range(sessions):
        session = await context.start()
        tabs += [await context.tab(session, first=node, live=False) for _ in range(each)]
    await asyncio.gather(*(tab.live() for tab in tabs))
    return tabs
