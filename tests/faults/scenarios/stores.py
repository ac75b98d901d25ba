"""Redis that forgets, hangs and dies."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from tests.faults.client import Tab
from tests.faults.journal import Entry
from tests.faults.scenario import Context, Result, scenario

_CHATS = 6
_BUSY_SECONDS = 1.5  # what a busy machine may add
_ANSWER_SECONDS = 2  # with Redis gone, a message is answered within this


@scenario("R8", "Redis flushed, restarted empty or full, frozen and killed in mid-answer")
async def redis_troubled(context: Context) -> Result:
    """Chats are answered on all nodes, each watched through another, and people go on asking
    whatever happens to Redis. Recovery: from its return until a tab applies something new, or
    takes a snapshot.
    """
    answered: list[float] = []
    troubles = [_flushed, _emptied, _restarted, _frozen, _killed]
    for _ in range(context.size):
        async with _conversations(context) as tabs:
            quiet = await context.tab(await context.start())
            for trouble in context.dice.sample(troubles, len(troubles)):
                await asyncio.gather(*(_hears_words(tab) for tab in tabs))
                context.journal.fault(trouble.__name__)
                answer = asyncio.create_task(_answered(context, quiet, answered))
                await trouble(context)
                back_at = context.journal.fault("back")
                await asyncio.gather(*(_moves_on(context, tab, back_at) for tab in tabs))
                await answer
    slowest, worst = max(answered), max(context.recoveries)
    limit = _ANSWER_SECONDS + _BUSY_SECONDS
    context.check("I8", slowest <= limit, f"a message had no answer for {slowest:.2f} s")
    limit = context.fleet.pace.seconds(20) + _BUSY_SECONDS  # a client's longest backoff
    context.check("I8", worst <= limit, f"a tab heard nothing for {worst:.2f} s")
    for entry in context.journal.of("error"):
        context.check("I8", entry.data["temporary"], f"{entry.tab} was refused: {entry.data}")
    return await context.finish(rounds=len(troubles) * context.size, answered=slowest)


async def _flushed(context: Context) -> None:
    await context.fleet.stores.redis.flush()


async def _emptied(context: Context) -> None:
    await context.fleet.stores.redis.restart(data="empty")


async def _restarted(context: Context) -> None:
    await context.fleet.stores.redis.restart()


async def _frozen(context: Context) -> None:
    context.fleet.stores.redis.freeze()
    await asyncio.sleep(context.seconds(20))
    context.fleet.stores.redis.thaw()


async def _killed(context: Context) -> None:
    await context.fleet.stores.redis.kill()
    await asyncio.sleep(context.seconds(5))
    await context.fleet.stores.redis.start()


@contextlib.asynccontextmanager
async def _conversations(context: Context) -> AsyncIterator[list[Tab]]:
    """Have chats answered without a pause while the block lasts; yields who follows them."""
    tabs: list[Tab] = []
    over = False

    async def converse(tab: Tab) -> None:
        while not over:
            turn = await tab.ask(context.script("say:60", pace=0.02))
            await turn.ended()

    async with asyncio.TaskGroup() as group:
        for number in range(_CHATS):
            session = await context.start()
            node = context.fleet.nodes[number % len(context.fleet.nodes)]
            asking = await context.tab(session, on=node)
            tabs += [asking, await context.tab(session, on=context.fleet.others(node))]
            group.create_task(converse(asking))
        try:
            yield tabs
        finally:
            over = True


async def _hears_words(tab: Tab) -> None:
    await tab.until(lambda: any(run.partial for run in tab.state.runs.values()))


async def _moves_on(context: Context, tab: Tab, since: float) -> None:
    held = tab.cursor
    await tab.until(lambda: tab.cursor is not None and tab.cursor is not held)
    context.recoveries.append(time.monotonic() - since)


async def _answered(context: Context, tab: Tab, answered: list[float]) -> None:
    """Ask; note how long it took until that was taken, or refused for the moment."""
    beginning, asked_at = len(context.journal.entries), time.monotonic()
    turn = await tab.ask(context.script("say:5"))

    def is_answer(entry: Entry) -> bool:
        key = entry.data.get("client_message_id")
        return entry.kind in {"ack", "error"} and key == turn.client_message_id

    await tab.until(lambda: any(map(is_answer, context.journal.entries[beginning:])))
    answered.append(time.monotonic() - asked_at)
    await turn.ended()
