"""Connections on which nothing gets through any more, and nobody has said so."""

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass

from app.settings import ProtocolSettings
from tests.faults.client import SECONDS, Door, Tab, Turn
from tests.faults.gauges import check_nothing_left, connections, holdings
from tests.faults.journal import Entry
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, scenario
from tests.support.proxy import LOST, NONE
from tests.support.waiting import eventually

_WAYS = ("up", "down", "both")
_NO_PONG = 4111
_SAY_SECONDS = 1.0
_BUSY_SECONDS = 3.0  # what a busy machine may add
_LOOKS_SECONDS = 2.0  # a node looks each second whom to ping, and who has not answered


@dataclass
class Line:
    """A connection of which one way, or both, will lose everything."""

    way: str
    is_busy: bool
    tab: Tab
    other: Tab
    turn: Turn | None = None
    first: int = 0
    """Where the journal stood when it broke."""


@scenario("R18", "half-open connections, both ways and one way")
async def half_open(context: Context) -> Result:
    """From one moment on, what a client sends, or what it is sent, or both, is lost without a
    word: while its chat is silent, and in the middle of an answer. It asks something then.
    Recovery: from that moment until the client is live again, on another node.
    """
    freed: list[float] = []
    lines: list[Line] = []
    node = context.dice.choice(context.fleet.nodes)
    before = await holdings(context, node)
    for _ in range(context.size):
        async with contextlib.AsyncExitStack() as doors:
            lines.clear()
            for way, is_busy in itertools.product(_WAYS, (False, True)):
                door = await doors.enter_async_context(context.fleet.door(node))
                lines.append(await _open(context, node, door, way, is_busy=is_busy))
            open_ones = await connections(context, node)
            context.check("I13", open_ones == len(lines), f"{open_ones} of {len(lines)} are open")
            broken_at = await _break(context, lines)
            freeing = asyncio.create_task(_freed(context, node, broken_at))
            async with asyncio.TaskGroup() as group:
                for line in lines:
                    group.create_task(_comes_back(context, line, broken_at))
            freed.append(await freeing)
            _check_ends(context, lines)
    silence = max(context.fleet.pace.silence, _server_seconds(context))
    limit = _SAY_SECONDS + silence + _BUSY_SECONDS
    worst, last = max(context.recoveries), max(freed)
    context.check("I8", worst <= limit, f"a client was back only after {worst:.1f} s")
    context.check("I13", last <= limit, f"a dead connection was kept for {last:.1f} s")
    result = await context.finish(rounds=context.size * len(lines), freed_after=round(last, 1))
    await check_nothing_left(context, node, before, follows=False)
    return result


async def _open(context: Context, node: Node, door: Door, way: str, *, is_busy: bool) -> Line:
    """Connect a client through a door of its own, and another one elsewhere."""
    session = await context.start()
    elsewhere = context.fleet.others(node)
    tab = await context.tab(session, first=door, on=elsewhere)
    line = Line(way, is_busy, tab, await context.tab(session, on=elsewhere))
    if is_busy:
        script = context.script("say:40", pace=_SAY_SECONDS / 40)
        line.turn = await tab.ask(script)
        await line.turn.acked()
    return line


async def _break(context: Context, lines: list[Line]) -> float:
    """Have everything get lost once all answers have begun; ask once more then."""
    for line in lines:
        if line.turn is not None:
            run_id = line.turn.run_id
            await line.tab.until(lambda: line.tab.state.partial_of(run_id).count(" ") > 1)  # noqa: B023
    at = context.journal.fault("lost")
    for line in lines:
        line.first = len(context.journal.entries)
        link = line.tab.link
        assert link is not None
        link.fault(up=NONE if line.way == "down" else LOST, down=NONE if line.way == "up" else LOST)
        await line.tab.ask(context.script("say:5"))
    return at


async def _comes_back(context: Context, line: Line, since: float) -> None:
    connections = line.tab.connections
    await line.tab.until(lambda: line.tab.connections > connections and line.tab.is_live)
    context.recoveries.append(time.monotonic() - since)
    for turn in line.tab.turns.values():
        await turn.ended()
        await line.other.until(lambda: turn.run_id in line.other.state.ends)  # noqa: B023


async def _freed(context: Context, node: Node, since: float) -> float:
    """Return how many seconds a node took to let go of all its clients."""

    async def is_empty() -> bool:
        return await connections(context, node) == 0

    await eventually(is_empty, seconds=SECONDS)
    return time.monotonic() - since


def _server_seconds(context: Context) -> float:
    """Return how long a node may take to notice that a silent client is dead."""
    real = ProtocolSettings()
    return context.seconds(1.1 * real.heartbeat_seconds + real.pong_seconds) + _LOOKS_SECONDS


def _check_ends(context: Context, lines: list[Line]) -> None:
    """Judge who noticed: a client that hears nothing by itself, the others by what they hear."""
    for line in lines:
        ends = [entry for entry in context.journal.entries[line.first :] if _is_end(entry, line)]
        code, reason = ends[0].data["code"], ends[0].data["reason"]
        right = code == _NO_PONG if line.way == "up" else reason == "silence"
        what = f"{line.way}, {'busy' if line.is_busy else 'idle'}"
        context.check("I14", right, f"{what}: the client noticed by {code} {reason}")


def _is_end(entry: Entry, line: Line) -> bool:
    return entry.kind == "closed" and entry.tab == line.tab.name
