"""Connections that break, again and again, everywhere."""

import asyncio
import time

from tests.faults.client import Tab
from tests.faults.scenario import Context, Result, scenario
from tests.support.proxy import Link

_TABS = 3


@scenario("R3", "random cuts over chats, tabs and nodes")
async def random_cuts(context: Context) -> Result:
    """The three tabs of each chat ask in turn, and any of them is cut at any moment: with a RST
    in the network, at its own end, after the server's half of the connection, in the middle of
    a frame, or by loading its page again. Each comes back through any node. Recovery: until it
    is live again.
    """
    chats, cuts = min(4 * context.size, 20), 40 * context.size**2
    pace = 0.005 * chats  # as many words a second, however many chats
    tabs: list[Tab] = []
    for _ in range(chats):
        session = await context.start()
        tabs += [await context.tab(session) for _ in range(_TABS)]
    done = 0

    async def converse(group: list[Tab]) -> None:
        while done < cuts:
            for tab in group:
                turn = await tab.ask(context.script("say:30", pace=pace))
                await turn.ended()

    async with asyncio.TaskGroup() as tasks:
        for first in range(0, len(tabs), _TABS):
            tasks.create_task(converse(tabs[first : first + _TABS]))
        while done < cuts:
            await asyncio.sleep(context.dice.random() * 0.4 / chats)
            victim = context.dice.choice(tabs)
            if (link := victim.link) is not None:
                done += 1
                tasks.create_task(_cut(context, victim, link))
    return await context.finish(rounds=done)


async def _cut(context: Context, tab: Tab, link: Link) -> None:
    """Break a tab's connection in one of four ways, and wait until it is back."""
    before = tab.connections
    how = context.dice.choice(["reset", "drop", "half", "mid-frame", "reload"])
    since = context.journal.fault(how, tab=tab.name)
    match how:
        case "reset":
            link.cut()
        case "drop":
            tab.drop()
        case "reload":
            tab.reload()
        case "half":
            link.half_close()
        case _:
            link.cut_after(context.dice.randrange(1, 400))
            await link.over()  # once so many bytes have come by
            since = time.monotonic()
    await tab.until(lambda: tab.connections > before and tab.is_live)
    context.recoveries.append(time.monotonic() - since)
