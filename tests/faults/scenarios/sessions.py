"""The end of sessions: by their time, and by their owner."""

import asyncio
import time

from tests.faults.client import Tab
from tests.faults.fleet import Groups
from tests.faults.journal import Entry, Frame
from tests.faults.nodes import Node
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

_TTL, _WARN = 4, 2  # seconds
_LOOK_SECONDS = 1  # nodes look this often what is due, whatever the scale
_NOTE_SECONDS = 1  # activity is written this late at most
_BUSY_SECONDS = 1.5  # what a busy machine may add
_ENDED_SECONDS = 2
_GONE, _ENDED = 4004, 4010
_SHORT: Groups = {
    "sessions": {"ttl_seconds": _TTL, "warn_seconds": _WARN},
    "protocol": {"heartbeat_seconds": 0.5},  # pongs, which must not count as activity
}


@scenario("R23", "sessions that expire while idle, streaming and resuming", settings=_SHORT)
async def expired(context: Context) -> Result:
    """A session's tabs are warned, and then sent away with 4004; so is who comes too late. A
    run that is being told goes on to its end: it belongs to the server. Questions and
    ``extend`` move the end, pongs do not. Recovery: from 4004 until the owner sees everything
    through a new session.
    """
    rounds = 2 * context.size
    ways = (_while_idle, _while_streaming, _while_away, _moved_by_questions, _moved_by_extend)
    async with asyncio.TaskGroup() as group:
        for _ in range(rounds):
            for way in ways:
                group.create_task(way(context))
    return await context.finish(rounds=rounds * len(ways))


async def _while_idle(context: Context) -> None:
    session, begun_at = await _begin(context)
    tabs = [await context.tab(session, on=node) for node in context.fleet.nodes[:2]]
    turn = await tabs[0].ask(context.script("say:10"))
    await turn.ended()
    await asyncio.gather(*(_expires(context, tab, begun_at) for tab in tabs))
    for tab in tabs:
        context.check("I14", tab.pongs > 0, f"{tab.name} was not asked for a pong")
    await _goes_on(context, tabs[0])


async def _while_streaming(context: Context) -> None:
    session, begun_at = await _begin(context)
    tab = await context.tab(session)
    turn = await tab.ask(context.script("say:130", pace=(_TTL + 2.5) / 130))
    await turn.acked()
    await _expires(context, tab, begun_at)
    [run] = [run for run in (await context.rows()).runs if run.id == turn.run_id]
    context.check("I8", run.status == "running", f"the run of an expired session is {run.status}")
    later = await _goes_on(context, tab)
    begun = bool(later.state.partial_of(turn.run_id))
    context.check("I4", begun, f"{later.name} does not see the answer that is being written")
    await later.until(lambda: turn.run_id in later.state.ends)


async def _while_away(context: Context) -> None:
    """One tab returns when it is too late, one has lost its way back."""
    session, _ = await _begin(context)
    away, lost = await context.tab(session), await context.tab(session)
    turn = await away.ask(context.script("say:10"))
    await turn.ended()
    await away.close()
    front = context.dice.choice(context.fleet.nodes)
    async with context.fleet.door(front) as door:
        held = await context.tab(session, on=door)
        await door.front.cut()
        await eventually(lambda: _is(context, session, "expired"))
        await door.front.restore()
        away.open()
        await asyncio.gather(*(_is_sent_away(context, tab, _GONE) for tab in (away, held, lost)))
    await _goes_on(context, away)


async def _moved_by_questions(context: Context) -> None:
    """Activity counts only in the second half of a session's time."""
    session, begun_at = await _begin(context)
    tab = await context.tab(session)
    await _sleep_until(begun_at + _TTL / 2 + 0.1)
    turn = await tab.ask(context.script("say:5"))
    await turn.ended()
    await _lives_longer(context, tab, begun_at)


async def _moved_by_extend(context: Context) -> None:
    session, begun_at = await _begin(context)
    *nodes, elsewhere = context.dice.sample(context.fleet.nodes, 3)
    tabs = [await context.tab(session, on=node) for node in nodes]
    await _sleep_until(begun_at + _TTL / 2)
    path = f"/chat/sessions/{session['session_id']}/extend"
    answer = await context.fleet.request("POST", elsewhere, path, session)
    for tab in tabs:
        told = await _told(tab, "session_extended", _LOOK_SECONDS + _BUSY_SECONDS)
        same = told.data["expires_at"] == answer.json()["expires_at"]
        context.check("I3", same, f"{tab.name} was told {told.data}, not {answer.json()}")
    await asyncio.gather(*(_lives_longer(context, tab, begun_at) for tab in tabs))


async def _begin(context: Context) -> tuple[Frame, float]:
    """Start a session; return when, at the latest."""
    session = await context.start()
    return session, time.monotonic()


async def _expires(context: Context, tab: Tab, begun_at: float) -> None:
    """See a tab to the end of its session: not early, warned, and soon."""
    await _is_sent_away(context, tab, _GONE)
    warned, closed = _first(tab, "session_expiring"), _first(tab, "closed")
    context.check("I14", warned is not None, f"{tab.name} was not warned")
    assert closed is not None
    if warned is not None:
        ahead = closed.at - warned.at
        right = 0 < ahead <= _WARN + _LOOK_SECONDS + _BUSY_SECONDS
        context.check("I14", right, f"{tab.name} was warned {ahead:.1f} s before")
    lived = closed.at - begun_at
    right = _TTL - 0.2 <= lived <= _TTL + _LOOK_SECONDS + _BUSY_SECONDS
    context.check("I14", right, f"{tab.name} was sent away after {lived:.1f} s")


async def _lives_longer(context: Context, tab: Tab, begun_at: float) -> None:
    """See a tab over what was to be the end of its session."""
    await _sleep_until(begun_at + _TTL + _LOOK_SECONDS + 0.3)
    closed = _first(tab, "closed")
    context.check("I14", closed is None, f"{tab.name} was sent away: {closed and closed.data}")


async def _goes_on(context: Context, tab: Tab) -> Tab:
    """Open the chat of an expired session in a new one."""
    closed = _first(tab, "closed")
    later = await context.tab(await context.start(beside=tab.session))
    if closed is not None:
        context.recoveries.append(time.monotonic() - closed.at)
    lacks = tab.state.messages.keys() - later.state.messages.keys()
    context.check("I4", not lacks, f"{later.name} does not see {lacks}")
    return later


@scenario("R24", "a session ended by its owner, through any node")
async def ended_elsewhere(context: Context) -> Result:
    """What signing out will do, once there are accounts: a session is ended over HTTP, and
    within two seconds all its sockets on all nodes are closed with 4010. The run it began and
    the other session of its chat go on. By turns all is well, or a node hears nothing through
    Redis, and sees the end when it next looks (``liveness.beat``); that node is another than
    the one that is told, or the same. Recovery: from the request until a socket is closed.
    """
    rounds = 3 * context.size
    others: list[Tab] = []
    for number in range(rounds):
        told, deaf = context.dice.sample(context.fleet.nodes, 2)
        match number % 3:
            case 0:
                others += await _end(context, told)
            case 1:
                others += await _end(context, told, deaf)
            case _:
                others += await _end(context, told, told)
    await context.rest()
    for tab in others:
        for entry in tab.journal.of("closed"):
            well = entry.tab != tab.name or entry.data["code"] not in {_GONE, _ENDED}
            context.check("I14", well, f"{tab.name} was closed, too: {entry.data}")
    return await context.finish(rounds=rounds)


async def _end(context: Context, told: Node, deaf: Node | None = None) -> list[Tab]:
    """End a session that has tabs everywhere; return those of another on the same chat."""
    session = await context.start()
    nodes = context.fleet.nodes
    tabs = [await context.tab(session, on=node) for node in (*nodes, *nodes)]
    other = await context.start(beside=session)
    others = [await context.tab(other, on=node) for node in nodes]
    turn = await tabs[0].ask(context.script("say:100", pace=0.03))
    await turn.acked()
    if deaf is not None:
        deaf.redis.stall()
    ended_at = context.journal.fault("end", told=told.name, deaf=deaf and deaf.name)
    path = f"/chat/sessions/{session['session_id']}"
    request = asyncio.create_task(context.fleet.request("DELETE", told, path, session))
    async with asyncio.TaskGroup() as group:
        for tab in tabs:
            group.create_task(_is_ended(context, tab, ended_at, hears=tab.door is not deaf))
    answer = await request
    context.check("I14", answer.status_code == 200, f"DELETE was answered {answer.status_code}")
    if deaf is not None:
        await deaf.redis.restore()
    late = await context.tab(session, live=False)
    await _is_sent_away(context, late, _GONE)
    return others


async def _is_ended(context: Context, tab: Tab, ended_at: float, *, hears: bool) -> None:
    await _is_sent_away(context, tab, _ENDED)
    closed = _first(tab, "closed")
    assert closed is not None
    took = closed.at - ended_at
    context.recoveries.append(took)
    limit = float(_ENDED_SECONDS)
    if not hears:
        beat = float(context.fleet.pace.settings()["liveness"]["beat_seconds"])
        limit = beat + _LOOK_SECONDS + _BUSY_SECONDS
    context.check("I14", took <= limit, f"{tab.name} was closed after {took:.1f} s")
    said = _first(tab, "session_ended") is not None
    context.check("I14", said, f"{tab.name} was not told that its session ended")


async def _is_sent_away(context: Context, tab: Tab, code: int) -> None:
    """Wait until a tab stops for good; check why."""
    await tab.until(lambda: tab.stopped is not None)
    context.check("I14", tab.stopped == code, f"{tab.name} was closed with {tab.stopped}")


async def _is(context: Context, session: Frame, status: str) -> bool:
    path = f"/chat/sessions/{session['session_id']}"
    answer = await context.fleet.get(context.fleet.running[0], path, session)
    return bool(answer.json()["status"] == status)


async def _told(tab: Tab, kind: str, seconds: float) -> Entry:
    await tab.until(lambda: _first(tab, kind) is not None, seconds)
    found = _first(tab, kind)
    assert found is not None
    return found


async def _sleep_until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))


def _first(tab: Tab, kind: str) -> Entry | None:
    return next((entry for entry in tab.journal.of(kind) if entry.tab == tab.name), None)
