"""Postgres that is away: for everybody, or for one node."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from tests.faults.client import Tab, Turn
from tests.faults.nodes import Node
from tests.faults.pace import Pace
from tests.faults.scenario import Context, Result, scenario
from tests.faults.script import NAME
from tests.support.waiting import eventually

_BUSY_SECONDS = 1.5  # what a busy machine may add


@dataclass(frozen=True)
class _Trouble:
    """A way to be away, and back."""

    name: str
    begin: Callable[[Context, Node], Awaitable[None]]
    end: Callable[[Context, Node], Awaitable[None]]
    seconds: float
    """How long, at the pace people run with."""
    says_so: bool = True
    """Whether a node is told at once, rather than not answered."""


async def _kill(context: Context, _: Node) -> None:
    await context.fleet.stores.postgres.kill()


async def _start(context: Context, _: Node) -> None:
    await context.fleet.stores.postgres.start()


async def _freeze(context: Context, _: Node) -> None:
    context.fleet.stores.postgres.freeze()


async def _thaw(context: Context, _: Node) -> None:
    context.fleet.stores.postgres.thaw()


async def _cut_all(context: Context, _: Node) -> None:
    for node in context.fleet.nodes:
        await node.postgres.cut()


async def _restore_all(context: Context, _: Node) -> None:
    for node in context.fleet.nodes:
        await node.postgres.restore()


async def _cut(_: Context, node: Node) -> None:
    await node.postgres.cut()


async def _stall(_: Context, node: Node) -> None:
    node.postgres.stall()


async def _restore(_: Context, node: Node) -> None:
    await node.postgres.restore()


_SHORT = _Trouble("out of reach", _cut_all, _restore_all, 5)  # shorter than a lease
_OF_ALL = (
    _Trouble("killed", _kill, _start, 0),  # to come back takes it a while
    _Trouble("frozen", _freeze, _thaw, 30, says_so=False),
)
_OF_ONE = (
    _Trouble("cut off", _cut, _restore, 20),
    _Trouble("stalled", _stall, _restore, 20, says_so=False),
)


@scenario("R13", "Postgres away at start, at send, at finish")
async def postgres_away(context: Context) -> Result:
    """Postgres cannot be reached for a moment, dies, hangs for long, or one node loses its way
    to it. In the meantime somebody starts a session, somebody sends, one answer becomes ready
    and another is in the middle. Recovery: from the return until each has what was wanted.
    """
    troubles = [_SHORT, context.dice.choice(_OF_ALL), context.dice.choice(_OF_ONE)]
    if context.size > 1:
        troubles = [_SHORT, *_OF_ALL, *_OF_ONE] * context.size
    context.dice.shuffle(troubles)
    kept = 0
    for number, trouble in enumerate(troubles):
        kept += await _go_without(context, trouble, f"r13-{context.seed}-{number}")
    worst, limit = max(context.recoveries), _limit(context.fleet.pace)
    context.check("I8", worst <= limit, f"somebody waited {worst:.2f} s after the return")
    for entry in context.journal.of("error"):
        context.check("I8", entry.data["temporary"], f"{entry.tab} was refused: {entry.data}")
    for entry in context.journal.of("closed"):
        context.check("I8", False, f"{entry.tab} lost its connection for it: {entry.data}")
    return await context.finish(rounds=len(troubles), kept=kept)


def _limit(pace: Pace) -> float:
    """Return how long after the return everybody has what was wanted: a lease may only then
    be found to have lapsed, and a client asks again two seconds after a refusal.
    """
    return pace.takeover + pace.seconds(20) + _BUSY_SECONDS


async def _go_without(context: Context, trouble: _Trouble, gate: str) -> int:
    """Do all of it during one outage; return 1 if the ready answer was kept by its owner."""
    fleet, node = context.fleet, context.dice.choice(context.fleet.nodes)
    ready = await _ask(context, node, f"say:10 wait:{gate} say:10")
    middle = await _ask(context, node, "say:50")
    quiet = [await context.tab(await context.start(), on=node)]
    quiet.append(await context.tab(quiet[0].session, on=fleet.others(node)))
    await eventually(lambda: _is(fleet.signs.is_reached(gate)))
    for tab in context.tabs_of(middle.tab.session):
        await tab.until(lambda tab=tab: bool(tab.state.partial_of(middle.run_id)))  # type: ignore[misc]

    context.journal.fault(trouble.name, node=node.name)
    await trouble.begin(context, node)
    starting = asyncio.create_task(_starts(context, node, gate, trouble))
    fleet.signs.open(gate)
    sent = await quiet[0].ask(context.script("say:5"))
    await asyncio.sleep(context.seconds(trouble.seconds))
    await trouble.end(context, node)
    back_at = context.journal.fault("back")

    async with asyncio.TaskGroup() as group:
        for turn in (ready, middle, sent):
            group.create_task(_wanted(context, turn, back_at))
    started_at = await starting
    context.recoveries.append(max(0.0, started_at - back_at))
    if trouble.says_so:
        refused = [
            entry
            for entry in context.journal.of("error")
            if entry.data["client_message_id"] == sent.client_message_id
        ]
        context.check("I7", bool(refused), f"{trouble.name}: a message was taken without Postgres")
    run = next(run for run in (await context.rows()).runs if run.id == ready.run_id)
    return int(run.attempt == 1)


async def _ask(context: Context, node: Node, *parts: str) -> Turn:
    """Have a node answer a question, watched through it and through another."""
    session = await context.start()
    tab = await context.tab(session, on=node)
    await context.tab(session, on=context.fleet.others(node))
    turn = await tab.ask(context.script(*parts, pace=0.02))
    await turn.acked()
    return turn


async def _wanted(context: Context, turn: Turn, since: float) -> None:
    """Wait until everybody on a chat knows the answer."""
    await turn.acked()
    tabs = context.tabs_of(turn.tab.session)
    await asyncio.gather(*(_knows_the_end(tab, turn) for tab in tabs))
    context.recoveries.append(time.monotonic() - since)


async def _knows_the_end(tab: Tab, turn: Turn) -> None:
    await tab.until(lambda: turn.run_id in tab.state.ends)


async def _starts(context: Context, node: Node, key: str, trouble: _Trouble) -> float:
    """Ask for a session until there is one; return when that was."""
    headers = {"idempotency-key": key}
    limit = sum(_patience(context.fleet.pace)) + _BUSY_SECONDS
    refusals = 0
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:

        async def ask() -> httpx.Response:
            http.cookies.clear()
            asked_at = time.monotonic()
            answer = await http.post(
                f"{node.url}/chat/start", json={"agent": NAME}, headers=headers
            )
            took = time.monotonic() - asked_at
            context.check("I8", took <= limit, f"a start was answered after {took:.2f} s")
            return answer

        while (answer := await ask()).status_code != httpx.codes.CREATED:
            refusals += 1
            context.check("I8", answer.status_code == 503, f"a start: {answer.status_code}")
            error = answer.json()["error"]
            shown = error["code"] == "unavailable" and bool(error["message"])
            context.check("I8", shown, f"a start was refused with {error}")
            await asyncio.sleep(context.seconds(error["retry_after_ms"] / 1_000))
        started_at = time.monotonic()
        first, again = answer.json(), (await ask()).json()
    same = first["session_id"] == again["session_id"]
    context.check("I6", same, "one start, sent again, made two sessions")
    told = refusals > 0 or not trouble.says_so
    context.check("I7", told, f"{trouble.name}: a session was started without Postgres")
    return started_at


def _patience(pace: Pace) -> tuple[float, float]:
    """Return how long a node waits for Postgres: for a connection, and for an answer."""
    groups = pace.settings()
    given = groups.get("database", {})
    return float(given.get("connect_seconds", 5)), float(given.get("statement_seconds", 10))


async def _is(value: bool) -> bool:
    return value
