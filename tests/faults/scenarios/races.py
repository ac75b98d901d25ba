"""Clients that come in at the very moment when something is published."""

import asyncio
import time

from tests.faults.chat_log import ChatLog
from tests.faults.client import Tab, Turn
from tests.faults.journal import Frame
from tests.faults.reducer import State
from tests.faults.scenario import Context, Result, scenario
from tests.support.waiting import eventually

REPLAY_EVENTS, REPLAY_BYTES = 100, 65_536
STRICT = {
    "events": {
        "tick_active_seconds": 600,  # nobody looks at logs' ends, which would hide a loss
        "tick_idle_seconds": 600,
        "replay_events": REPLAY_EVENTS,
        "replay_bytes": REPLAY_BYTES,
    }
}
_VISITS = 100  # of one chat
_WRITERS = 3
_SOON = 5.0  # seconds; nothing repairs a loss here, so who does not know by then never will


@scenario("R4", "publishing races subscribing", settings=STRICT)
async def publish_races_subscribe(context: Context) -> Result:
    """Clients come in, some new, some back, each while events are appended without a pause, the
    last before or after it is live. Nothing else comes then, and nodes do not look at logs'
    ends: either would hide that one was lost.
    """
    chats, at_once = 4 * context.size**2, asyncio.Semaphore(4)
    rounds = chats * _VISITS
    appended = 0

    async def come_and_go() -> None:
        nonlocal appended
        session = await context.start()
        log = _log_of(context, session)
        stays = await context.tab(session) if context.dice.random() < 0.5 else None
        comes = await context.tab(session)
        usual = 5.0  # events while one comes in
        for _ in range(_VISITS):
            await _leave(comes)
            if context.dice.random() < 0.3:
                _forget(comes)
            most = context.dice.randint(1, 2 + int(1.5 * usual))
            comes.open()
            last, count = await _append_until_live(log, comes, most)
            appended += count
            if not await _hears(context, comes, last):
                break
            usual += 0.1 * (count - usual) if count < most else 0.1
        if stays is not None:
            await _hears(context, stays, await log.top())

    async def in_turn() -> None:
        async with at_once:
            await come_and_go()

    async with asyncio.TaskGroup() as group:
        for _ in range(chats):
            group.create_task(in_turn())
    _check_unbroken(context)
    return await context.finish(rounds=rounds, per_round=round(appended / rounds, 1))


async def _append_until_live(log: ChatLog, tab: Tab, most: int) -> tuple[int, int]:
    """Append as fast as can be until a tab is live, but at most so many events. Return the
    offset of the last, and how many they were.
    """
    last = count = 0
    while count < most and not (count and tab.is_live):
        writers = min(_WRITERS, most - count)
        last = max(await asyncio.gather(*(log.append() for _ in range(writers))))
        count += writers
    return last, count


@scenario("R5", "the first event races the first subscription", settings=STRICT)
async def first_meets_first(context: Context) -> Result:
    """In a chat without a log two clients come in on two nodes, and at the same time the first
    event is appended: by somebody, or because one of the two asks at once. All three may
    find that there is no epoch yet; they must agree on one. In a third of the rounds that
    event is the only one: nothing comes by which its loss would be noticed.
    """
    rounds, at_once = 300 * context.size, asyncio.Semaphore(8)
    usual = 0.05  # seconds until two clients are live

    async def meet(number: int) -> None:
        nonlocal usual
        session = await context.start()
        log = _log_of(context, session)
        places = context.dice.sample(context.fleet.nodes, 2)
        began = time.monotonic()
        tabs = [await context.tab(session, on=node, live=False) for node in places]
        if number % 3 == 0:
            turn = await tabs[0].ask(context.script("say:2"))
            await turn.ended()
        else:
            await asyncio.sleep(context.dice.random() * usual)
            await log.append()
            await asyncio.gather(*(tab.live() for tab in tabs))
            usual += 0.1 * (time.monotonic() - began - usual)
        last = await log.append() if number % 3 == 1 else await log.top()
        for tab in tabs:
            await _hears(context, tab, last)
        epochs = {tab.cursor["epoch"] for tab in tabs if tab.cursor is not None}
        context.check("I3", len(epochs) == 1, f"the first two clients hold epochs {epochs}")
        for tab in tabs:
            await tab.close()

    async def in_turn(number: int) -> None:
        async with at_once:
            await meet(number)

    async with asyncio.TaskGroup() as group:
        for number in range(rounds):
            group.create_task(in_turn(number))
    _check_unbroken(context)
    heard = sum(entry.data["offset"] == 1 for entry in context.journal.of("applied"))
    return await context.finish(rounds=rounds, heard_live=heard, saw_in_snapshot=2 * rounds - heard)


@scenario("R29", "connecting between ack and first token")
async def before_the_first_token(context: Context) -> Result:
    """New pages, and the asking one after a reload or a break, come in when a question is
    acknowledged, when its run is at work, and when the first token comes. None may miss the
    run, nor a token of it.
    """
    chats = 8 * context.size

    async def talk(number: int) -> None:
        gate = f"r29-{context.seed}-{number}"
        session = await context.start()
        asks = await context.tab(session)
        turn = await asks.ask(context.script(f"wait:{gate} say:30", pace=0.02))
        await turn.acked()
        early = [await context.tab(session) for _ in range(2)]
        await eventually(lambda: _is_reached(context, gate))
        late = [await context.tab(session) for _ in range(2)]
        if number % 3 < 2:
            (asks.drop if number % 3 else asks.reload)()
            await asks.until(lambda: not asks.is_live)
            await asks.live()
        for tab in (asks, *early, *late):
            known = turn.run_id in tab.state.runs and _has_question(tab, turn)
            context.check("I4", known, f"{tab.name} came in and does not know of the run")
        arriving = [await context.tab(session, live=False) for _ in range(2)]
        await asyncio.sleep(context.dice.random() * 0.02)
        context.fleet.signs.open(gate)
        async with asyncio.TaskGroup() as group:
            for tab in (asks, *early, *late, *arriving):
                group.create_task(_sees_all(context, tab, turn))

    async with asyncio.TaskGroup() as group:
        for number in range(chats):
            group.create_task(talk(number))
    return await context.finish(rounds=chats)


async def _sees_all(context: Context, tab: Tab, turn: Turn) -> None:
    """Look at a tab when it holds the first words: they must be the first of the answer."""

    def has_words() -> bool:
        return bool(tab.state.partial_of(turn.run_id)) or turn.run_id in tab.state.ends

    await tab.until(has_words)
    run = tab.state.runs.get(turn.run_id)
    whole = run is not None and run.partial is not None and run.partial.chunk is not None
    context.check("I5", whole, f"{tab.name} did not see how the answer began: {run}")


async def _is_reached(context: Context, gate: str) -> bool:
    return context.fleet.signs.is_reached(gate)


def _has_question(tab: Tab, turn: Turn) -> bool:
    return any(message.run_id == turn.run_id for message in tab.state.messages.values())


def _log_of(context: Context, session: Frame) -> ChatLog:
    return ChatLog(context.fleet.stores.redis.client, session["chat_id"])


async def _leave(tab: Tab) -> None:
    """Close a page that will be back."""
    await tab.close()
    tab.is_live = False


def _forget(tab: Tab) -> None:
    """Have a closed page come back as a new one, which holds nothing."""
    tab.cursor, tab.state = None, State()


async def _hears(context: Context, tab: Tab, offset: int) -> bool:
    """Wait until a tab has all events up to ``offset``; return whether it ever had."""
    try:
        await tab.until(lambda: tab.cursor is not None and tab.cursor["offset"] >= offset, _SOON)
    except TimeoutError:
        context.check("I1", False, f"{tab.name} has {tab.cursor}, and was never sent {offset}")
        return False
    return True


def _check_unbroken(context: Context) -> None:
    """Nothing was hurt, so no connection may have ended but by its client, and whoever was
    there before can continue.
    """
    for entry in context.journal.refusals():
        context.check("I11", False, f"{entry.tab} could have continued: {entry.data}")
    for entry in context.journal.of("closed"):
        context.check("I1", False, f"{entry.tab} was closed: {entry.data}")
