"""Coming back: what a client is told, and that what follows is right."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.chat_log import ChatLog
from tests.faults.client import Tab, Turn
from tests.faults.journal import Frame
from tests.faults.scenario import Context, Result, scenario
from tests.faults.scenarios.races import REPLAY_BYTES, REPLAY_EVENTS, STRICT
from tests.faults.script import Script

_CUTS = 150
_TRIES = 2
_UNCUT = 0.1  # of the cuts: those near the end of an answer that was shorter, twice
_STREAMS = 5  # at once: more would slow each other down, and have fewer and longer events
_TABS = 8  # of a chat, whose session may have ten sockets on a node

Step = Callable[[ChatLog], Awaitable[object]]


@dataclass(frozen=True)
class Row:
    """One row of the recovery table.

    Attributes:
        name: what happens to the log while a client is away.
        reason: what it is told, if it cannot continue.
        replay: how many events it is sent, if it can.
        away: what is done meanwhile.
        before: what is done while it is still there.
        is_empty: whether nothing was ever said in the chat.
    """

    name: str
    away: tuple[Step, ...] = ()
    before: tuple[Step, ...] = ()
    reason: str | None = None
    replay: int = 0
    is_empty: bool = False


def _append(count: int, *, size: int = 0) -> Step:
    return lambda log: log.append(count, size=size)


_FALLS_BACK = (ChatLog.keep, _append(5))  # it knows five events that will not be there

ROWS = [
    Row("nothing, in an empty chat", is_empty=True),
    Row("the first events of a chat", (_append(3),), replay=3, is_empty=True),
    Row("nothing", replay=0),
    Row("some events", (_append(4),), replay=4),
    Row("events up to the limit", (_append(REPLAY_EVENTS),), replay=REPLAY_EVENTS),
    Row("one event too many", (_append(REPLAY_EVENTS + 1),), reason="too_far"),
    Row("bytes up to the limit", (_append(2, size=REPLAY_BYTES // 2),), replay=2),
    Row(
        "a byte too many",
        (_append(1, size=1_000), _append(1, size=REPLAY_BYTES - 999)),
        reason="too_far",
    ),
    Row("an event larger than the limit", (_append(1, size=REPLAY_BYTES + 1),), reason="too_far"),
    Row("trimmed behind its own event", (_append(4), lambda log: log.trim(5)), replay=4),
    Row("trimmed up to its own event", (_append(4), lambda log: log.trim(4)), reason="trimmed"),
    Row("trimmed beyond it", (_append(4), lambda log: log.trim(2)), reason="trimmed"),
    Row("a hole in what it missed", (_append(4), lambda log: log.pierce(2)), reason="trimmed"),
    Row("expired, with all it knows", (ChatLog.expire,), replay=0),
    Row("expired, with more", (_append(4), ChatLog.expire), reason="trimmed"),
    Row("expired, and gone on", (ChatLog.expire, _append(4)), reason="trimmed"),
    Row("lost", (ChatLog.forget,), reason="epoch"),
    Row("lost, and counted as far again", (ChatLog.forget, _append(60)), reason="epoch"),
    Row("fallen back", (ChatLog.rewind,), _FALLS_BACK, "ahead"),
    Row("fallen back and gone on", (ChatLog.rewind, _append(3)), _FALLS_BACK, "ahead"),
    Row("fallen back and come as far", (ChatLog.rewind, _append(5)), _FALLS_BACK, "rewound"),
    Row("fallen back and come further", (ChatLog.rewind, _append(8)), _FALLS_BACK, "rewound"),
]


@scenario("R1", "the recovery table, row by row", settings=STRICT)
async def recovery_table(context: Context) -> Result:
    """A client leaves at the log's end, something happens to the log, and it comes back. One
    returns to a node that has nobody else of the chat, one to where somebody stayed and may
    have been sent away meanwhile; one comes for the first time. Then the chat goes on.
    """
    for _ in range(context.size):
        async with asyncio.TaskGroup() as group:
            for row in ROWS:
                group.create_task(_play(context, row))
    return await context.finish(rounds=len(ROWS) * context.size)


async def _play(context: Context, row: Row) -> None:
    session = await context.start()
    log = ChatLog(context.fleet.stores.redis.client, session["chat_id"])
    crowded, empty = context.dice.sample(context.fleet.nodes, 2)
    stays = await context.tab(session, on=crowded)
    alone = await context.tab(session, on=empty)
    beside = await context.tab(session, on=crowded)
    tabs = [stays, alone, beside]
    if not row.is_empty:
        turn = await stays.ask(context.script("say:4"))
        await turn.ended()
    for step in row.before:
        await step(log)
    top = await log.top()
    for tab in tabs:
        await tab.until(lambda tab=tab: tab.cursor["offset"] == top)  # type: ignore[misc]

    for tab in (alone, beside):
        await tab.close()
        tab.is_live = False
    for step in row.away:
        await step(log)
    came_back_at = len(context.journal.entries)
    for tab in (alone, beside):
        tab.open()
        await tab.live()
    tabs.append(await context.tab(session))

    def told(tab: Tab) -> Frame:
        since = context.journal.entries[came_back_at:]
        return next(e.data for e in since if e.tab == tab.name and e.kind == "welcome")

    _check(context, row, told(alone), {row.reason})
    # Where somebody still counts by a log that is no more, the proof itself may fail.
    _check(context, row, told(beside), {row.reason, row.reason and "first"})
    _check(context, Row("a first visit", reason="first"), told(tabs[-1]), {"first"})
    turn = await alone.ask(context.script("say:6"))
    await turn.ended()
    last = await log.append()
    for tab in tabs:
        await tab.until(lambda tab=tab: tab.is_live and tab.cursor["offset"] >= last)  # type: ignore[misc]
    keys = await log.keys()
    for tab in tabs:
        for event in context.journal.held(tab.name):
            right = keys.get(event["offset"], event["key"]) == event["key"]
            context.check(
                "I3", right, f"{row.name}: {tab.name} holds what is not the log's: {event}"
            )


def _check(context: Context, row: Row, told: Frame, reasons: set[str | None]) -> None:
    """Judge a welcome: why it resumed or not, and how much it was to replay."""
    reason, replay = told.get("reason"), told.get("replay", 0)
    right = told["resumed"] == (reason is None) and reason in reasons
    right = right and (reason is not None or replay == row.replay)
    expected = f"{row.reason or 'resumed'} {row.replay}"
    context.check("I11", right, f"{row.name}: {reason or 'resumed'} {replay}, not {expected}")


@scenario(
    "R2",
    "a cut at every byte of a stream of 40 events, return to another node",
    settings=STRICT,
)
async def cut_at_every_byte(context: Context) -> Result:
    """Each client's connection breaks after so many bytes of an answer; from size 8 on there
    is one for every byte, below for every k-th. Recovery: until a client is live elsewhere.
    """
    length = await _length_of_stream(context)
    stride = max(1, length // (_CUTS * context.size**2))
    cuts = list(range(context.dice.randrange(stride), length, stride))
    wanted = len(cuts)
    for _ in range(_TRIES):
        context.dice.shuffle(cuts)
        cuts = await _watch_all(context, cuts)
    context.recoveries += context.journal.absences()
    for entry in context.journal.refusals():
        context.check("I11", False, f"{entry.tab} could have continued: {entry.data}")
    few = len(cuts) <= wanted * _UNCUT
    context.check("I1", few, f"{len(cuts)} of {wanted} connections did not break: {sorted(cuts)}")
    done = len(context.recoveries)
    return await context.finish(rounds=done, bytes=length, stride=stride, uncut=len(cuts))


async def _length_of_stream(context: Context) -> int:
    """Return how many bytes one client is sent of an answer."""
    tab = await context.tab(await context.start())
    assert tab.link is not None
    way = tab.link.server.way
    before = way.passed
    turn = await tab.ask(_forty(context))
    await turn.ended()
    return way.passed - before


async def _watch_all(context: Context, cuts: list[int]) -> list[int]:
    """Have an answer watched by a client for each cut. Return the cuts that did not happen: on
    a busy machine an answer has fewer events, hence fewer bytes.
    """
    at_once = asyncio.Semaphore(_STREAMS)

    async def watch(group: list[int]) -> list[int]:
        async with at_once:
            return await _watch(context, group)

    groups = [cuts[start : start + _TABS] for start in range(0, len(cuts), _TABS)]
    return [cut for left in await asyncio.gather(*map(watch, groups)) for cut in left]


async def _watch(context: Context, cuts: list[int]) -> list[int]:
    session = await context.start()
    tabs = await asyncio.gather(*(_breaking(context, session, cut) for cut in cuts))
    turn = await tabs[0].ask(_forty(context))
    await turn.ended()
    await asyncio.gather(*(tab.until(lambda tab=tab: _knows(tab, turn)) for tab in tabs))  # type: ignore[misc]
    return [cut for cut, tab in zip(cuts, tabs, strict=True) if tab.connections == 1]


async def _breaking(context: Context, session: Frame, cut: int) -> Tab:
    """Return a live tab whose connection breaks after so many more bytes."""
    node = context.dice.choice(context.fleet.nodes)
    tab = await context.tab(session, first=node, on=context.fleet.others(node))
    assert tab.link is not None
    tab.link.cut_after(cut)
    context.journal.fault("cut", tab=tab.name, after=cut)
    return tab


def _knows(tab: Tab, turn: Turn) -> bool:
    return tab.is_live and turn.run_id in tab.state.ends


def _forty(context: Context) -> Script:
    return context.script("say:34", pace=0.02)
