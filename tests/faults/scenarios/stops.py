"""Runs that are to stop: from any tab, on any node, at any moment."""

import asyncio
import itertools
import statistics
import time
from collections import defaultdict

from tests.faults.chat_log import ChatLog
from tests.faults.client import Tab, Turn
from tests.faults.nodes import Node
from tests.faults.rows import newest_checkpoint
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

_STOP_SECONDS = 0.2
_BUSY = ("say:400", "busy:20", "say:5 wait:r17-never")
_MOMENTS = ("right after the ack", "in the middle", "on another node", "on a page loaded again")


@scenario(
    "R17",
    "a frame sent while a long run is busy",
    settings={"runs": {"lease_seconds": 15, "heartbeat_seconds": 5}},  # which stops runs, too
)
async def stopped_while_busy(context: Context) -> Result:
    """Stop is pressed right after the ack, in the middle, on another node, and on a page that
    was loaded again; another frame gets its answer meanwhile. Each takes less than 200 ms as a
    rule, where a node finds out by itself within five seconds. Recovery: from the press to the
    run's end on the screen of whoever pressed.
    """
    rounds, nodes = 4 * context.size, context.fleet.nodes
    answered: list[float] = []
    stopped: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        session = await context.start()
        asking = await context.tab(session, on=nodes[0])
        other = await context.tab(session, on=nodes[1])
        for place, moment in enumerate(_MOMENTS):
            script = _BUSY[(number + place) % len(_BUSY)]
            turn = await asking.ask(context.script(script, pace=0.01))
            await turn.acked()
            if moment != "right after the ack":
                await _begun(asking, turn)
                answered.append(await _answered(asking))
            if moment == "on a page loaded again":
                await _reload(asking)
            presser = other if moment == "on another node" else asking
            stopped[moment].append(await _stop(context, presser, turn))
    usual = {moment: statistics.median(took) for moment, took in stopped.items()}
    for moment, seconds in usual.items():
        told = f"to stop {moment} took {seconds * 1000:.0f} ms"
        context.check("I8", seconds < _STOP_SECONDS, told)
    frame = statistics.median(answered)
    context.check("I12", frame < _STOP_SECONDS, f"a frame was answered in {frame * 1000:.0f} ms")
    context.recoveries += itertools.chain.from_iterable(stopped.values())
    return await context.finish(
        rounds=rounds * len(_MOMENTS),
        ends=("cancelled",),
        frame_answered_p50=round(frame, 4),
        stopped_p50={moment: round(seconds, 4) for moment, seconds in usual.items()},
    )


async def _stop(context: Context, presser: Tab, turn: Turn) -> float:
    """Stop a run; return how long it took."""
    since = time.monotonic()
    await presser.send("cancel", run_id=turn.run_id)
    await presser.until(lambda: turn.run_id in presser.state.ends)
    took = time.monotonic() - since
    ended = await turn.ended()
    context.check("I8", ended == "cancelled", f"a stopped run is {ended}")
    return took


async def _reload(tab: Tab) -> None:
    before = tab.connections
    tab.reload()
    await tab.until(lambda: tab.connections > before and tab.is_live)


@scenario("R12", "the owner frozen for 30 seconds, then thawed")
async def zombie(context: Context) -> Result:
    """It wakes in the middle of its runs, which are others' by now: one goes on, one has ended.
    Not a word of it may be told, nothing of it stored. Recovery: until a tab applies the first
    event of the next attempt.
    """
    rounds = context.size
    for number in range(rounds):
        owner = context.dice.choice(context.fleet.nodes)
        turns: list[Turn] = []
        gate = f"r12-{number}"
        for parts in (("say:10", "say:300"), ("say:10", f"wait:{gate} say:10", "say:10")):
            session = await context.start()
            asking = await context.tab(session, first=owner)
            for node in context.fleet.others(owner):
                await context.tab(session, on=node)
            turn = await asking.ask(context.script(*parts, pace=0.01))
            await turn.acked()
            await _begun(asking, turn)
            turns.append(turn)
        owner.freeze()
        frozen_at = context.journal.fault("freeze", node=owner.name)
        context.fleet.signs.open(gate)
        async with asyncio.TaskGroup() as group:
            for turn in turns:
                for tab in context.tabs_of(turn.tab.session):
                    if tab is turn.tab:  # of the frozen node: it waits for its own watchdog
                        continue
                    group.create_task(_taken_over(context, tab, turn, frozen_at))
        going, over = turns
        watching = context.tabs_of(over.tab.session)[-1]
        await watching.until(lambda: over.run_id in watching.state.ends)  # noqa: B023
        await asyncio.sleep(frozen_at + context.seconds(30) - time.monotonic())
        before = await _stored(context, over)
        owner.thaw()
        context.journal.fault("thaw")
        await eventually(lambda: _is_idle(context, owner))  # noqa: B023
        after = await _stored(context, over)
        context.check("I9", before == after, f"after its end a run has {after}, not {before}")
        for turn in (going, over):
            await turn.ended()
    worst = max(context.recoveries)
    limit = context.fleet.pace.takeover + context.seconds(5)
    context.check("I8", worst <= limit, f"a run was taken over only after {worst:.2f} s")
    return await context.finish(rounds=rounds)


async def _is_idle(context: Context, node: Node) -> bool:
    """Whether a node executes no run, by its own account."""
    figures = (await context.fleet.get(node, "/metrics")).text.splitlines()
    [running] = [line for line in figures if line.startswith("colloquy_runs_running ")]
    return float(running.split()[1]) == 0


async def _stored(context: Context, turn: Turn) -> tuple[str | None, int]:
    """Return a chat's newest checkpoint and the offset of its last event."""
    stores, chat_id = context.fleet.stores, turn.tab.session["chat_id"]
    newest = await newest_checkpoint(stores.addresses.database_url, chat_id)
    return newest, await ChatLog(stores.redis.client, chat_id).top()


async def _taken_over(context: Context, tab: Tab, turn: Turn, since: float) -> None:
    def is_second() -> bool:
        run = tab.state.runs.get(turn.run_id)
        return turn.run_id in tab.state.ends or (run is not None and run.attempt >= 2)

    await tab.until(is_second)
    context.recoveries.append(time.monotonic() - since)


async def _answered(tab: Tab) -> float:
    """Return how long a small frame takes to be answered."""
    since = time.monotonic()
    id_ = await tab.send("query", query="", client_message_id=None)
    await tab.until(lambda: any(one.data.get("id") == id_ for one in tab.journal.of("error")))
    return time.monotonic() - since


async def _begun(tab: Tab, turn: Turn) -> None:
    """Wait until a run has said something, if it ever will."""
    if "busy" in turn.text:
        await tab.until(lambda: turn.run_id in tab.state.runs)
    else:
        await tab.until(lambda: bool(tab.state.partial_of(turn.run_id)))
