"""What Redis publishes and a node does not hear."""

import asyncio
import statistics
import time

from app.events.log import Publication
from tests.faults.chat_log import ChatLog
from tests.faults.client import Tab
from tests.faults.ears import Ear, ear_of
from tests.faults.nodes import Node
from tests.faults.pace import Pace
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

_BUSY_SECONDS = 1.5  # what a busy machine may add
_NEVER_SECONDS = 20


@scenario("R6", "one publication lost, in the middle or the last")
async def publication_lost(context: Context) -> Result:
    """A node does not hear one publication of a chat. One in the middle is missed by what
    follows it, the last only by a look at the log's end. Recovery: until a tab on that node
    has applied what was lost.
    """
    chats = 12 * context.size
    deaf = context.dice.choice(context.fleet.nodes)
    lost: dict[str, list[float]] = {"middle": [], "last": []}
    async with ear_of(deaf, context.fleet.stores.redis.client) as ear:
        async with asyncio.TaskGroup() as group:
            for number in range(chats):
                place = "middle" if number % 3 else "last"
                group.create_task(_lose_one(context, deaf, ear, place, lost[place]))
        assert len(ear.lost) == chats, f"{len(ear.lost)} of {chats} were lost"
        context.check("I1", ear.is_open, "the node gave up a connection that was well")
    context.recoveries += lost["middle"] + lost["last"]

    tick = _tick(context.fleet.pace)
    worst = max(context.recoveries)
    late = worst > tick + _BUSY_SECONDS
    context.check("I8", not late, f"what was lost came only after {worst:.2f} s")
    usual = statistics.median(lost["middle"])
    context.check("I1", usual < tick / 8, f"a gap was filled only after {usual:.2f} s, by a look")
    for entry in context.journal.of("closed"):
        context.check("I1", False, f"{entry.tab} was troubled with it: {entry.data}")
    return await context.finish(rounds=chats, middle=usual, last=statistics.median(lost["last"]))


async def _lose_one(
    context: Context, deaf: Node, ear: Ear, place: str, recoveries: list[float]
) -> None:
    session = await context.start()
    here = await context.tab(session, on=deaf)
    there = await context.tab(session, on=context.fleet.others(deaf))
    lost_at: list[float] = []
    count = context.dice.randrange(1, 20)

    def loses(publication: Publication) -> bool:
        nonlocal count
        wanted = b'"message_delta"' if place == "middle" else b'"run_completed"'
        if lost_at or not any(wanted in payload for payload in publication.payloads):
            return False
        count -= 1
        if place == "middle" and count > 0:
            return False
        lost_at.append(context.journal.fault("lost", first=publication.first_offset, place=place))
        lost.append(publication)
        return True

    lost: list[Publication] = []
    ear.lose(session["chat_id"], loses)
    words = context.dice.randint(30, 60)
    turn = await context.dice.choice([here, there]).ask(context.script(f"say:{words}", pace=0.02))
    await turn.acked()
    await eventually(lambda: _is(bool(lost)))
    offset = lost[0].first_offset + len(lost[0].payloads) - 1
    await _recovers(context, here, offset, lost_at[0], recoveries)
    await there.until(lambda: turn.run_id in there.state.ends)
    top = await ChatLog(context.fleet.stores.redis.client, session["chat_id"]).top()
    assert place == "middle" or top == offset, "something came after the last"


@scenario("R7", "a deaf subscription")
async def deaf(context: Context) -> Result:
    """Answers are streamed, and one node's ear falls silent: nothing at all comes by that
    connection any more. Another's still answers, but what is published does not come. Both
    live on looks at the log's end until they take a new connection. Recovery: until a tab
    there applies what came after the fault; for someone new at the first, until it is live.
    """
    rounds, redis = context.size, context.fleet.stores.redis.client
    recycled: list[float] = []
    for _ in range(rounds):
        silent, detached = context.dice.sample(context.fleet.nodes, 2)
        async with ear_of(silent, redis) as first, ear_of(detached, redis) as second:
            tabs = await _listen(context)
            for tab in tabs:
                second.lose(tab.session["chat_id"])
            first.stop()
            since = context.journal.fault("deaf", silent=silent.name, detached=detached.name)
            async with asyncio.TaskGroup() as group:
                for tab in tabs:
                    if tab.door in {silent, detached}:
                        group.create_task(_hears(context, tab, since))
                group.create_task(_comes_new(context, silent, since))
                for ear in (first, second):
                    group.create_task(_is_recycled(context, ear, since, recycled))
            await asyncio.gather(*(tab.until(lambda tab=tab: not tab.state.runs) for tab in tabs))  # type: ignore[misc]
    worst = max(context.recoveries)
    limit = 2 * _tick(context.fleet.pace) + context.seconds(5) + _BUSY_SECONDS
    context.check("I8", worst <= limit, f"a tab heard nothing for {worst:.2f} s")
    return await context.finish(rounds=2 * rounds, recycled=max(recycled, default=None))


async def _listen(context: Context) -> list[Tab]:
    """Have chats answered, each watched through every node, and wait until all are heard."""
    tabs: list[Tab] = []
    turns = []
    for _ in range(4):
        session = await context.start()
        watching = [await context.tab(session, on=node) for node in context.fleet.nodes]
        turns.append(await context.dice.choice(watching).ask(context.script("say:150", pace=0.03)))
        tabs += watching
    for turn in turns:
        await turn.acked()
    for tab in tabs:
        await tab.until(lambda tab=tab: any(run.partial for run in tab.state.runs.values()))  # type: ignore[misc]
    return tabs


async def _hears(context: Context, tab: Tab, since: float) -> None:
    assert tab.cursor is not None
    offset = tab.cursor["offset"] + 3  # one or two may have been on their way
    await _recovers(context, tab, offset, since, context.recoveries)


async def _recovers(
    context: Context, tab: Tab, offset: int, since: float, recoveries: list[float]
) -> None:
    """Note how long after a fault a tab has an event. One that never has it is noted, too."""
    try:
        await tab.until(lambda: _holds(tab, offset), seconds=_NEVER_SECONDS)
    except TimeoutError:
        context.check("I1", False, f"{tab.name} has {tab.cursor}, and was never sent {offset}")
    recoveries.append(time.monotonic() - since)


async def _comes_new(context: Context, node: Node, since: float) -> None:
    """Open a chat that the node has not yet followed."""
    tab = await context.tab(await context.start(), on=node)
    context.recoveries.append(time.monotonic() - since)
    turn = await tab.ask(context.script("say:5"))
    await turn.ended()


async def _is_recycled(context: Context, ear: Ear, since: float, recycled: list[float]) -> None:
    """Wait until a node has given up a deaf connection: twice, a look must show it."""
    limit = 2 * _tick(context.fleet.pace) + _BUSY_SECONDS
    try:
        await eventually(lambda: _is(not ear.is_open), seconds=limit)
    except TimeoutError:
        context.check("I8", False, f"a deaf subscription was kept for {limit:.1f} s")
    else:
        recycled.append(time.monotonic() - since)


def _tick(pace: Pace) -> float:
    """Return the longest time between two looks at the end of an active chat's log."""
    tick: float = pace.settings()["events"]["tick_active_seconds"]
    return tick + min(tick, 1)  # it is looked each second whose time has come


def _holds(tab: Tab, offset: int) -> bool:
    return tab.cursor is not None and tab.cursor["offset"] >= offset


async def _is(value: bool) -> bool:
    return value
