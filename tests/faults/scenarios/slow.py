"""Clients that do not read, hardly read, or never answer a ping."""

import asyncio
import contextlib
import datetime as dt
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.faults.client import Door, Habits, Tab
from tests.faults.fleet import StraightDoor
from tests.faults.gauges import (
    Memory,
    check_nothing_left,
    endings,
    holdings,
    measured,
    taken,
)
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

_TOO_SLOW, _NO_PONG = 4109, 4111
_COST_BYTES = 2 * 2**20  # of a client that does not read
_DIFFER_BYTES = 5 * 2**20  # of two nodes that do the same: a queue without end is 40 MiB
_KEPT_BYTES = 96 * 2**10  # of each that has gone, by the allocator
_DELAY_SECONDS = 0.05  # that everybody else may wait longer
_NOISE = 0.25  # of what the machine itself makes everybody wait
_WINDOW_SECONDS = 0.5
_PER_CHAT = 4
_READERS = 5  # of each node: more at once would be more than the machine can say
_SHOWS = 134
_FLOOD = f"{'show:60000 ' * _SHOWS}say:5"  # 8 MB: four times what one may cost


@dataclass
class Crowd:
    """Everybody on one node: those that behave, and those that will not, or would not."""

    node: Node
    doors: list[Door]
    """Of the silent ones."""
    reader_doors: list[Door]
    healthy: list[Tab]
    readers: list[Tab] = field(default_factory=list)
    """Each is told very much, in a chat of its own; the bad ones do not read it."""
    silent: list[Tab] = field(default_factory=list)
    """Nothing is said to them; the bad ones do not answer pings."""

    @property
    def slow_readers(self) -> list[Tab]:
        """Those who take their time; the others do not read at all."""
        return self.readers[::2]

    @property
    def bad(self) -> list[Tab]:
        return self.readers + self.silent


@scenario(
    "R16",
    "slow, never-reading and never-ponging clients beside healthy ones",
    settings={
        "connections": {"send_seconds": 4.0},  # an endless queue would be long by then
        "protocol": {"heartbeat_seconds": 1.0, "pong_seconds": 1.0, "frames_per_window": 1_000},
        # leases as they are in production: a second of work is no death of a node
        "runs": {"concurrency": 200, "lease_seconds": 15, "heartbeat_seconds": 5},
        "events": {"log_events": 50},  # of Redis's memory it is not asked here
    },
)
async def slow_clients(context: Context) -> Result:
    """On one node as many clients behave badly as others behave well; on another node, with the
    same to do at the same time, everybody behaves. Those who do not read are told 8 MB each, and
    may cost 2 MiB, give or take 5 MiB of all by which two processes differ. The others may wait
    50 ms longer than on the other node, and a quarter of what they wait there: so much two nodes
    differ on one machine. Recovery: from the moment a bad one behaves until it is live again.
    """
    nodes = context.dice.sample(context.fleet.nodes, 2)
    empty = [await holdings(context, node) for node in nodes]
    beside, without = [await _crowd(context, node, 40 * context.size) for node in nodes]
    gate = f"r16-{context.seed}"
    [third] = context.fleet.others(*nodes)
    for crowd in (beside, without):
        await _ask_for_flood(context, crowd.readers, third, gate)
    async with measured(beside.node) as memory, measured(without.node) as usual:
        bad = _misbehave(context, beside)
        # a snapshot of all that the run has shown so far is not what is measured
        beside.reader_doors[:] = [third]
        delays = await _talk(context, [beside, without], gate, seconds=3 * context.size)
        await eventually(lambda: _are_sent_away(beside.node, bad.values()))
    each = (memory.grown - usual.grown) / len(beside.readers)
    limit = _COST_BYTES + _DIFFER_BYTES / len(beside.readers)
    context.check("I10", each <= limit, f"each took {each / 2**20:.2f} MiB")
    grown = statistics.median(a - b for a, b in zip(*delays, strict=True))
    limit = _DELAY_SECONDS + _NOISE * statistics.median(delays[1])
    context.check("I12", grown < limit, f"others waited {grown * 1000:.0f} ms longer")

    beside.doors[:] = beside.reader_doors[:] = context.fleet.nodes
    await asyncio.gather(*(_behaves(context, tab, bad[tab.name]) for tab in beside.bad))
    _check_told(context, beside, bad)
    result = await context.finish(
        rounds=1,
        bad=len(beside.bad),
        mib_each=round(each / 2**20, 2),
        delay_p99_without=round(statistics.median(delays[1]), 3),
        delay_p99_beside=round(statistics.median(delays[0]), 3),
    )
    kept = await _check_memory(context, (beside, memory), (without, usual))
    result.figures["mib_kept"] = round(kept, 1)
    for node, before in zip(nodes, empty, strict=True):
        await check_nothing_left(context, node, before, follows=context.size > 1)
    return result


async def _crowd(context: Context, node: Node, count: int) -> Crowd:
    """Have so many good clients on a node, and as many of whom some will behave badly."""
    door, healthy = StraightDoor.of(node), await _tabs(context, [node], count, _PER_CHAT)
    crowd = Crowd(node, [door], [door], healthy)
    crowd.readers = await _tabs(context, crowd.reader_doors, _READERS, 1, receive_buffer=4_096)
    crowd.silent = await _tabs(context, crowd.doors, count - _READERS, _PER_CHAT)
    return crowd


async def _tabs(
    context: Context,
    doors: Sequence[Door],
    count: int,
    per_chat: int,
    *,
    receive_buffer: int | None = None,
) -> list[Tab]:
    tabs: list[Tab] = []
    while len(tabs) < count:
        session = await context.start()
        for _ in range(per_chat):
            habits = Habits(receive_buffer=receive_buffer)
            tabs.append(await context.tab(session, on=doors, habits=habits, live=False))
    await asyncio.gather(*(tab.live() for tab in tabs))
    return tabs


async def _ask_for_flood(context: Context, tabs: Sequence[Tab], owner: Node, gate: str) -> None:
    """Have each chat begin an answer that says very much once ``gate`` opens; by another node:
    what waits for Redis there is not what is measured.
    """
    script = f"wait:{gate} {_FLOOD}"
    asking = [await context.tab(tab.session, on=owner) for tab in tabs]
    turns = [await tab.ask(context.script(script, pace=0.04)) for tab in asking]
    await asyncio.gather(*(turn.acked() for turn in turns))
    for tab in asking:
        await tab.close()


def _misbehave(context: Context, crowd: Crowd) -> dict[str, str]:
    """Let those loose who do not read and who do not answer; return their connections."""
    context.journal.fault("misbehave", readers=len(crowd.readers), silent=len(crowd.silent))
    for tab in crowd.readers:
        tab.habits.reads = tab in crowd.slow_readers
        tab.habits.pause = 0.5
    for tab in crowd.silent:
        tab.habits.pongs = False
    return {tab.name: _connection(context, tab) for tab in crowd.bad}


def _connection(context: Context, tab: Tab) -> str:
    """Return what the server calls a tab's latest connection."""
    welcomes = [entry for entry in context.journal.of("welcome") if entry.tab == tab.name]
    return str(welcomes[-1].data["connection_id"])


async def _talk(
    context: Context, crowds: Sequence[Crowd], gate: str, *, seconds: float
) -> list[list[float]]:
    """Answer everybody for so long, while what is behind ``gate`` comes too. Return for each
    crowd the delays from an event's making until a good client applied it: the 99th
    percentile of each short while, so that no hiccup of the machine speaks for all.
    """
    began, first = time.monotonic(), len(context.journal.entries)
    asking = [tab for crowd in crowds for tab in crowd.healthy[::_PER_CHAT]]
    pace = 0.004 * len(asking)  # as many words a second, however many chats
    script = f"say:{int(seconds / pace)}"
    turns = [await tab.ask(context.script(script, pace=pace)) for tab in asking]
    await asyncio.gather(*(turn.acked() for turn in turns))
    context.fleet.signs.open(gate)
    await asyncio.gather(*(turn.ended() for turn in turns))
    crowd_of = {tab.name: place for place, crowd in enumerate(crowds) for tab in crowd.healthy}
    windows: defaultdict[int, list[list[float]]] = defaultdict(lambda: [[] for _ in crowds])
    off = time.time() - time.monotonic()
    for entry in context.journal.entries[first:]:
        if entry.kind == "applied" and entry.tab in crowd_of:
            made = dt.datetime.fromisoformat(entry.data["timestamp"]).timestamp()
            window = windows[int((entry.at - began) / _WINDOW_SECONDS)]
            window[crowd_of[entry.tab]].append(entry.at + off - made)
    whole = [window for window in windows.values() if all(window)]
    return [[_p99(window[place]) for window in whole] for place in range(len(crowds))]


def _p99(delays: list[float]) -> float:
    return sorted(delays)[int(len(delays) * 0.99)]


async def _are_sent_away(node: Node, connections: Iterable[str]) -> bool:
    return set(connections) <= endings(node).keys()


async def _behaves(context: Context, tab: Tab, connection: str) -> None:
    """Have a client read and answer from now on, and wait until it is well."""
    since = time.monotonic()
    tab.habits.reads, tab.habits.pongs, tab.habits.pause = True, True, 0
    await tab.until(lambda: tab.is_live and _connection(context, tab) != connection)
    context.recoveries.append(time.monotonic() - since)


def _check_told(context: Context, crowd: Crowd, bad: dict[str, str]) -> None:
    """Judge with which code each was sent away, and whether it was told when it came back."""
    ended = endings(crowd.node)
    told: defaultdict[str, set[int | None]] = defaultdict(set)
    for entry in context.journal.of("welcome"):
        told[entry.tab].add(entry.data.get("previous_close", {}).get("code"))
    for tab in crowd.bad:
        # one that does not read answers no ping either: whatever is noticed first
        allowed = {_NO_PONG} if tab in crowd.silent else {_NO_PONG, _TOO_SLOW}
        code = ended[bad[tab.name]]
        context.check("I14", code in allowed, f"{tab.name} was sent away with {code}")
    slow = crowd.slow_readers
    found = [tab for tab in slow if ended[bad[tab.name]] == _TOO_SLOW]
    # each send to them gets through in the end: only what waits behind it tells
    told_so = f"none of the {len(slow)} who hardly read was found too slow"
    context.check("I10", bool(found), told_so)
    # a hint, which may get lost between two stores that are busy
    count = sum(1 for tab in crowd.bad if told[tab.name] - {None})
    context.check("I14", count > len(crowd.bad) * 0.75, f"only {count} were told why")


async def _check_memory(
    context: Context, beside: tuple[Crowd, Memory], without: tuple[Crowd, Memory]
) -> float:
    """Judge whether what bad clients took comes back; return how many MiB do not."""
    most = len(beside[0].bad) * _KEPT_BYTES + _DIFFER_BYTES

    async def kept() -> int:
        """More than is kept where everybody behaved: a process grows as it warms up."""
        for crowd, _ in (beside, without):
            await crowd.node.census()  # collects what is not needed any more
        more, usual = (taken(crowd.node.pid) - memory.before for crowd, memory in (beside, without))
        return more - usual

    async def is_free() -> bool:
        return await kept() <= most

    with contextlib.suppress(TimeoutError):
        await eventually(is_free, seconds=3)
    left = await kept()
    context.check("I10", left <= most, f"{left / 2**20:.1f} MiB are kept")
    return left / 2**20
