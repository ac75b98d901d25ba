"""Nodes that die at once: the one that holds a socket, and the one that executes a run."""

import asyncio
import time
from collections.abc import Callable

from tests.faults.client import Tab, Turn
from tests.faults.gauges import check_liveness_lapses, said_to_be_there
from tests.faults.nodes import Node
from tests.faults.rows import newest_step
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

_TABS = 3
_TIMES = {  # how often R11's scripts do what leaves a mark
    "a": 1,
    "b": 2,
    "c": 1,
    "d": 2,
    "t": 1,
    "t-error": 1,
    "r": 2,
    "r-success": 1,
}


@scenario("R10", "kill -9 of the node that holds the socket")
async def socket_holder_killed(context: Context) -> Result:
    """Answers are streamed by one node to tabs on another, and that one dies. What it said of
    who is there is forgotten when it lapses. Recovery: until a tab applies the next piece.
    """
    rounds, chats = 2 * context.size, 4
    for _ in range(rounds):
        if len(context.fleet.running) < 2:
            await context.fleet.restart()
        owner, victim = context.dice.sample(context.fleet.running, 2)
        talks = [await _talk(context, owner, victim) for _ in range(chats)]
        await asyncio.gather(*(_said(tab, turn, 3) for turn, tabs in talks for tab in tabs))

        await victim.kill()
        killed_at = context.journal.fault("kill", node=victim.name)
        async with asyncio.TaskGroup() as group:
            for turn, tabs in talks:
                for tab in tabs:
                    goes_on = _goes_on(tab, turn, tab.state.partial_of(turn.run_id))
                    group.create_task(_recovers(context, tab, goes_on, killed_at))
        for turn, _ in talks:
            await turn.ended()
    worst = max(context.recoveries)
    context.check("I8", worst <= 2, f"a stream continued only after {worst:.2f} s")
    there = await said_to_be_there(context)
    context.check("I13", len(there) == len(context.sessions), f"only {there} are there")
    result = await context.finish(rounds=rounds)
    await check_liveness_lapses(context)
    return result


async def _talk(context: Context, owner: Node, victim: Node) -> tuple[Turn, list[Tab]]:
    """Have one node answer a question that is watched through another."""
    session = await context.start()
    asking = await context.tab(session, first=owner)
    watching = [await context.tab(session, first=victim) for _ in range(_TABS)]
    turn = await asking.ask(context.script("say:60", pace=0.03))
    await turn.acked()
    return turn, watching


@scenario("R11", "kill -9 of the run's owner, wherever its runs stand")
async def owner_killed(context: Context) -> Result:
    """Recovery: until a tab applies the first event of the next attempt. What lies
    before the last checkpoint is not done again; what lies after it is, except for tools that
    are not declared idempotent: their model is told that nobody knows. Durable events are
    never appended before their commit; words are.
    """
    fleet, dice = context.fleet, context.dice
    rounds = context.size
    told: list[float] = []
    for number in range(rounds):
        await fleet.restart()
        gate, owner = f"r11-{number}", dice.choice(fleet.nodes)
        turns = {
            "before the first token": await _ask(context, owner, f"wait:{gate} say:20"),
            "in the middle": await _ask(context, owner, "say:200"),
            "between steps": await _ask(
                context, owner, f"mark:{gate}-a say:9", f"mark:{gate}-b wait:{gate}s say:9"
            ),
            "between call and result": await _ask(
                context, owner, f"mark:{gate}-c say:9", f"tool:{gate}-t@{gate}t say:9"
            ),
            "in a call that may be repeated": await _ask(
                context, owner, f"again:{gate}-r@{gate}r say:9"
            ),
            "after append before commit": await _ask(
                context, owner, "say:3", f"wait:{gate}u mark:{gate}-d say:9", f"wait:{gate}v say:9"
            ),
        }
        await _said(turns["in the middle"].tab, turns["in the middle"], 10)
        await _reached(context, gate, *(f"{gate}{each}" for each in "stru"))
        await _kept(context, turns["between steps"], 2)
        owner.postgres.stall()
        fleet.signs.open(f"{gate}u")
        told_early = turns["after append before commit"]
        for tab in context.tabs_of(told_early.tab.session):
            await _said(tab, told_early, 12)
        await _reached(context, f"{gate}v")  # the step is over, and its checkpoint on its way

        killed_at = await _kill(context, owner)
        await owner.postgres.restore()
        for name in ("", *"strv"):
            fleet.signs.open(f"{gate}{name}")
        async with asyncio.TaskGroup() as group:
            for turn in turns.values():
                for tab in context.tabs_of(turn.tab.session):
                    group.create_task(_recovers(context, tab, _is_second(tab, turn), killed_at))
        for turn in turns.values():
            await turn.ended()
        for mark, times in _TIMES.items():
            found = fleet.signs.marks(f"{gate}-{mark}")
            context.check("I8", found == times, f"{mark} was done {found} times, not {times}")

        told.append(await _ended_and_not_told(context, dice.choice(fleet.running), f"{gate}e"))
    await fleet.restart()  # some pages know only nodes that are dead by now
    worst = max(context.recoveries)
    limit = fleet.pace.takeover + context.seconds(5)
    context.check("I8", worst <= limit, f"a run was taken over only after {worst:.2f} s")
    return await context.finish(rounds=2 * rounds, end_told_after=max(told))


async def _ask(context: Context, owner: Node, *parts: str) -> Turn:
    """Have a node answer a question, watched through it and through others."""
    session = await context.start()
    tab = await context.tab(session, first=owner)
    others = [node for node in context.fleet.running if node is not owner]
    for _ in range(_TABS - 1):
        await context.tab(session, on=others)
    turn = await tab.ask(context.script(*parts, pace=0.01))
    await turn.acked()
    return turn


async def _ended_and_not_told(context: Context, owner: Node, gate: str) -> float:
    """Kill a node after the commit of a run's end and before its append; return how many
    seconds later everybody knew.
    """
    turn = await _ask(context, owner, f"say:5 wait:{gate} say:5")
    await _reached(context, gate)
    await owner.redis.cut()
    context.fleet.signs.open(gate)

    async def has_ended() -> bool:
        return any(run.id == turn.run_id and run.is_ended for run in (await context.rows()).runs)

    await eventually(has_ended)
    killed_at = await _kill(context, owner)
    await owner.redis.restore()
    tabs = context.tabs_of(turn.tab.session)
    await asyncio.gather(*(tab.until(_has_ended(tab, turn)) for tab in tabs))
    return time.monotonic() - killed_at


async def _kill(context: Context, node: Node) -> float:
    await node.kill()
    return context.journal.fault("kill", node=node.name)


async def _reached(context: Context, *gates: str) -> None:
    async def all_are() -> bool:
        return all(context.fleet.signs.is_reached(gate) for gate in gates)

    await eventually(all_are)


async def _kept(context: Context, turn: Turn, step: int) -> None:
    """Wait until a run's checkpoint after ``step`` is in Postgres."""
    url = context.fleet.stores.addresses.database_url

    async def is_kept() -> bool:
        return await newest_step(url, turn.tab.session["chat_id"]) >= step

    await eventually(is_kept)


async def _recovers(context: Context, tab: Tab, holds: Callable[[], bool], since: float) -> None:
    await tab.until(holds)
    context.recoveries.append(time.monotonic() - since)


async def _said(tab: Tab, turn: Turn, tokens: int) -> None:
    await tab.until(lambda: tab.state.partial_of(turn.run_id).count(" ") >= tokens)


def _goes_on(tab: Tab, turn: Turn, held: str) -> Callable[[], bool]:
    def holds() -> bool:
        return tab.state.partial_of(turn.run_id) not in {"", held} or _has_ended(tab, turn)()

    return holds


def _is_second(tab: Tab, turn: Turn) -> Callable[[], bool]:
    def holds() -> bool:
        run = tab.state.runs.get(turn.run_id)
        return (run is not None and run.attempt >= 2) or _has_ended(tab, turn)()

    return holds


def _has_ended(tab: Tab, turn: Turn) -> Callable[[], bool]:
    return lambda: turn.run_id in tab.state.ends
