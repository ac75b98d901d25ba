"""Clocks that are wrong: a client's, and a node's while it works."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection

from app.protocol.close import SESSION_NOT_FOUND
from tests.faults.client import LOST, Tab, Turn
from tests.faults.journal import Entry, Frame
from tests.faults.nodes import Node
from tests.faults.rows import newest_step
from tests.faults.scenario import Context, Result, scenario
from tests.faults.wall import WallClock
from tests.support.waiting import eventually

_HOUR, _DAY = 3_600, 86_400
_ROOT = Path(__file__).parent.parent.parent.parent
_LOOK_SECONDS = 1  # nodes look this often whose session has ended, whatever the scale
_BUSY_SECONDS = 1.5  # what a busy machine may add
_LIFE_SECONDS = 2.5  # of a session that is watched to its end
_JUMPS = (_HOUR, -_HOUR, _DAY, -_DAY)
_TROUBLED = {"silence", "gap"}  # why a client gives up a connection that is there
_SHORTEN = (
    "UPDATE sessions SET expires_at = now() + make_interval(secs => %s) WHERE session_id = %s"
)


@scenario("R26", "a client's clock is off by a day")
async def client_clock(context: Context) -> Result:
    """Clients whose clock is a day ahead or behind, and jumps between the two in the middle of
    answers: real processes, in which ``time.time`` says so, with what depends on it (a cookie
    jar, dated message ids, dates in headers and frames). Somebody whose clock is right watches
    each of them. Recovery: from each jump, at which they also lose the connection, until they
    are live again.
    """
    jumps = [[_DAY, -_DAY, -_DAY], [-_DAY, _DAY, _DAY]]
    if context.size > 1:
        jumps = [*jumps, [_DAY, -_DAY, _DAY], [-_DAY, _DAY, -_DAY]] * context.size
    async with asyncio.TaskGroup() as group:
        for number, own in enumerate(jumps):
            group.create_task(_has_a_wrong_clock(context, number, own))
    context.journal.entries.sort(key=lambda entry: entry.at)
    context.recoveries += context.journal.absences()
    for entry in context.journal.of("closed"):
        lost = entry.data["code"] == LOST and entry.data["reason"] not in _TROUBLED
        context.check("I14", lost, f"{entry.tab} was sent away: {entry.data}")
    await _check_order(context)
    return await context.finish(rounds=sum(map(len, jumps)), wrong_clocks=len(jumps))


async def _has_a_wrong_clock(context: Context, number: int, jumps: list[int]) -> None:
    clock = WallClock(context.fleet.folder / f"r26-{number}.clock")
    clock.move(-jumps[0])
    given = {
        "name": f"wrong-{number}",
        "ports": {node.name: node.front.port for node in context.fleet.nodes},
        "clock": str(clock.file),
        "jumps": jumps,
        "questions": [context.script("say:40", pace=0.02).question for _ in jumps[1:]],
        "seed": context.seed,
        "scale": context.fleet.pace.scale,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.shifted"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        limit=64 * 1024 * 1024,
    )
    try:
        session = await _exchange(process, given)
        context.sessions.append(session)
        cookie = session.pop("cookie")
        known = set(cookie.values()) == {200}
        context.check("I14", known, f"its cookie was refused to somebody in another day: {cookie}")
        watching = await context.tab(session)
        for entry in await _exchange(process, "go"):
            context.journal.entries.append(Entry(**entry))
        await watching.until(lambda: len(watching.state.ends) == len(jumps) - 1)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _exchange(process: asyncio.subprocess.Process, what: object) -> Any:
    """Tell a process something, and return what it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(what).encode() + b"\n")
    async with asyncio.timeout(60):
        return json.loads(await process.stdout.readline())


@scenario("R27", "nodes' clocks jump")
async def node_clocks(context: Context) -> Result:
    """The time of day of each node jumps by an hour or a day, ahead and back, while runs are
    executed and leased, sessions wait for their end and sockets are pinged. Then nodes a day
    apart answer one chat in turn; the one that is ahead dies, and those behind go on with its
    run. Recovery: from the death until a tab hears of the next attempt.
    """
    for number in range(context.size):
        await context.fleet.restart()
        await _jump_about(context)
        await _answer_in_turn(context, f"r27-{context.seed}-{number}")
    for entry in context.journal.of("closed"):
        code, reason = entry.data["code"], entry.data["reason"]
        expected = code == SESSION_NOT_FOUND.code or (code == LOST and reason not in _TROUBLED)
        context.check("I14", expected, f"{entry.tab} was sent away: {entry.data}")
    await _check_order(context)
    return await context.finish(rounds=context.size)


async def _jump_about(context: Context) -> None:
    """Have clocks jump; nothing may come of it."""
    nodes, dice = context.fleet.nodes, context.dice
    expiring = [asyncio.create_task(_expires(context, node)) for node in nodes]
    turns: list[Turn] = []
    for node in nodes:
        asking = await context.tab(await context.start(), first=node)
        await context.tab(asking.session, first=dice.choice(context.fleet.others(node)))
        turns.append(await asking.ask(context.script(*["say:5"] * 30, pace=0.02)))
    for off in dice.sample(_JUMPS, len(_JUMPS)):
        for node in nodes:
            node.clock.move(dice.choice(_JUMPS))
        dice.choice(nodes).clock.move(off)
        context.journal.fault("jump", off=[node.clock.off for node in nodes])
        await asyncio.sleep(context.seconds(7))
    for turn in turns:
        await turn.ended()
    ours = {turn.run_id for turn in turns}
    stolen = [run.id for run in (await context.rows()).runs if run.id in ours and run.attempt > 1]
    context.check("I8", not stolen, f"runs changed hands because a clock jumped: {stolen}")
    await asyncio.gather(*expiring)


async def _expires(context: Context, node: Node) -> None:
    """Watch a session until its end: it comes at its time, and not at a clock's."""
    session = await context.start()
    async with await AsyncConnection.connect(_url(context), autocommit=True) as db:
        await db.execute(_SHORTEN, (_LIFE_SECONDS, session["session_id"]))
    ends_at = time.monotonic() + _LIFE_SECONDS
    tab = await context.tab(session, on=node)
    await tab.until(lambda: tab.stopped is not None)
    late = time.monotonic() - ends_at
    in_time = -0.2 < late < _LOOK_SECONDS + _BUSY_SECONDS
    context.check("I14", in_time, f"a session ended {late:.2f} s after its time")
    context.check("I14", tab.stopped == SESSION_NOT_FOUND.code, f"it ended as {tab.stopped}")


async def _answer_in_turn(context: Context, gate: str) -> None:
    """Have nodes that are a day apart answer one chat, and one take over from another."""
    fleet = context.fleet
    ahead, behind, third = context.dice.sample(fleet.nodes, 3)
    for node, off in ((ahead, _DAY), (behind, -_DAY), (third, 0)):
        node.clock.move(off)
    session = await context.start()
    tabs = {node: await context.tab(session, first=node) for node in (third, ahead, behind)}
    asked: list[str] = []

    async def ask(node: Node, *parts: str) -> Turn:
        turn = await tabs[node].ask(context.script(*parts, pace=0.01))
        asked.append(turn.text)
        await turn.acked()
        return turn

    for node in (third, ahead, behind, third, ahead):
        await (await ask(node, "say:5")).ended()
        for tab in tabs.values():
            await tab.until(lambda tab=tab: not tab.state.runs)  # type: ignore[misc]
    steps = await newest_step(_url(context), session["chat_id"])
    turn = await ask(ahead, f"mark:{gate}-a say:9", f"mark:{gate}-b wait:{gate} say:9")
    owner = await fleet.owner_of(turn.run_id)
    await eventually(lambda: _is_kept(context, session, steps + 4))  # the first part is done
    context.check("I8", owner is ahead, f"the node that is ahead should have it, not {owner}")

    await ahead.kill()
    killed_at = context.journal.fault("kill", node=ahead.name)
    fleet.signs.open(gate)
    for tab in tabs.values():
        await tab.until(lambda tab=tab: _is_second(tab, turn))  # type: ignore[misc]
        context.recoveries.append(time.monotonic() - killed_at)
        await tab.until(lambda tab=tab: turn.run_id in tab.state.ends)  # type: ignore[misc]
    await (await ask(behind, "say:5")).ended()
    for mark, times in {"a": 1, "b": 2}.items():
        found = fleet.signs.marks(f"{gate}-{mark}")
        context.check("I8", found == times, f"step {mark} was done {found} times")
    remembered = await _remembered(context, session)
    context.check("I4", remembered == asked, f"the agent remembers {remembered}")


async def _check_order(context: Context) -> None:
    """Messages stand on every page as they were sent and answered, whatever their times."""
    rows = await context.rest()
    for tab in context.tabs:
        if tab.stopped is None:
            chat = tab.session["chat_id"]
            wanted = [row.id for row in rows.messages if row.chat_id == chat]
            shown = list(tab.state.messages)
            context.check("I4", shown == wanted, f"{tab.name} shows {shown}, not {wanted}")


async def _is_kept(context: Context, session: Frame, step: int) -> bool:
    return await newest_step(_url(context), session["chat_id"]) >= step


def _is_second(tab: Tab, turn: Turn) -> bool:
    run = tab.state.runs.get(turn.run_id)
    return turn.run_id in tab.state.ends or (run is not None and run.attempt >= 2)


async def _remembered(context: Context, session: Frame) -> list[str]:
    """Return what the agent believes it was asked, as its next run would."""
    async with AsyncPostgresSaver.from_conn_string(_url(context)) as saver:
        config: RunnableConfig = {"configurable": {"thread_id": session["chat_id"]}}
        found = await saver.aget_tuple(config)
    messages = found.checkpoint["channel_values"].get("messages", []) if found else []
    return [str(one.text) for one in messages if isinstance(one, HumanMessage)]


def _url(context: Context) -> str:
    return context.fleet.stores.addresses.database_url
