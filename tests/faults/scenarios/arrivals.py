"""What is lost at the very moment when somebody comes in."""

import asyncio
import time

from app.events.log import Publication
from tests.faults.chat_log import ChatLog
from tests.faults.client import Tab
from tests.faults.ears import Ear, ear_of
from tests.faults.nodes import Node
from tests.faults.reducer import State
from tests.faults.scenario import Context, Result, scenario
from tests.support.proxy import Faults

_SLOW = Faults(delay=0.1)
_PAUSE_SECONDS = 0.02  # between two events
_AT_ONCE = 4


@scenario("R6b", "one publication lost while somebody comes in")
async def lost_on_arrival(context: Context) -> Result:
    """A node has its answers from Redis late, and what is published at once, but for one
    publication of each chat. Clients come in meanwhile: some new, some back, some where
    another is already. What is lost after the log was read, and before they are live, only
    the proof can tell that nothing lies between. Recovery: from a loss until the client has
    what came after it.
    """
    rounds, between = 24 * context.size, 0
    node = context.dice.choice(context.fleet.nodes)
    async with ear_of(node, context.fleet.stores.redis.client) as ear:
        tabs = [await _leaves(context, node, number) for number in range(rounds)]
        node.redis.fault(down=_SLOW)
        ear.link.fault()
        for some in (tabs[place : place + _AT_ONCE] for place in range(0, rounds, _AT_ONCE)):
            between += sum(await asyncio.gather(*(_comes_in(context, ear, tab) for tab in some)))
        node.redis.fault()
    assert between, "nothing was lost at the right time"
    for entry in context.journal.of("closed"):
        context.check("I1", False, f"{entry.tab} was troubled with it: {entry.data}")
    return await context.finish(rounds=rounds, lost_between=between)


async def _leaves(context: Context, node: Node, number: int) -> Tab:
    """Open a page and close it again; it will come back, or be loaded anew."""
    session = await context.start()
    tab = await context.tab(session, on=node)
    if number % 4 == 0:
        await context.tab(session, on=node)
    last = await ChatLog(context.fleet.stores.redis.client, session["chat_id"]).append(3)
    await tab.until(lambda: _holds(tab, last))
    await tab.close()
    if number % 2:
        tab.cursor, tab.state = None, State()
    return tab


async def _comes_in(context: Context, ear: Ear, tab: Tab) -> bool:
    """Have a client come in while events are appended, one of which is lost; return whether
    that was after the log was read for it, and before it was live.
    """
    log = ChatLog(context.fleet.stores.redis.client, tab.session["chat_id"])
    beginning, lost = len(context.journal.entries), Publication("", 0, [])
    lost_at = time.monotonic() + context.dice.uniform(0.0, 0.3)

    def loses(publication: Publication) -> bool:
        nonlocal lost, lost_at
        if lost.payloads or time.monotonic() < lost_at:
            return False
        lost, lost_at = publication, time.monotonic()
        return True

    ear.lose(tab.session["chat_id"], loses)
    tab.open()
    last = 0
    while not (tab.is_live and lost.payloads):
        last = await log.append()
        await asyncio.sleep(_PAUSE_SECONDS)
    await tab.until(lambda: _holds(tab, last))
    context.recoveries.append(time.monotonic() - lost_at)
    told = [entry for entry in context.journal.entries[beginning:] if entry.tab == tab.name]
    welcome = next(entry.data for entry in told if entry.kind == "welcome")
    live_at = next(entry.at for entry in told if entry.kind == "live")
    return lost.first_offset > welcome["offset"] and lost_at < live_at


def _holds(tab: Tab, offset: int) -> bool:
    return tab.cursor is not None and tab.cursor["offset"] >= offset
