"""Everything that dies in the very moment when a message is acknowledged."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.faults.client import Tab
from tests.faults.scenario import Context, Result, scenario

_CHATS = 9


@scenario("R13b", "killed in the moment of an ack")
async def killed_at_an_ack(context: Context) -> Result:
    """Many people send at once, and as soon as one of them has an ack, Postgres is killed, or
    all nodes, or Redis is emptied. What was acknowledged is stored, whoever it was; what was
    not is sent again. Recovery: until every message is acknowledged.
    """
    deaths = [_kill_postgres, _kill_nodes, _empty_redis] * context.size
    context.dice.shuffle(deaths)
    groups = [
        [await context.tab(await context.start()) for _ in range(_CHATS)] for _ in deaths
    ]  # all of them first: sessions are not what shall be lost
    for tabs, death in zip(groups, deaths, strict=True):
        await asyncio.gather(*(tab.live() for tab in tabs))
        await _send_and_die(context, tabs, death)
        await context.rest()
    return await context.finish(rounds=len(deaths))


async def _send_and_die(
    context: Context, tabs: list[Tab], death: Callable[[Context], Awaitable[None]]
) -> None:
    turns = await asyncio.gather(*(tab.ask(context.script("say:5")) for tab in tabs))
    await context.dice.choice(turns).acked()
    acked = sum(turn.ack is not None for turn in turns)
    died_at = context.journal.fault(death.__name__, acked=acked)
    await death(context)
    await asyncio.gather(*(turn.acked() for turn in turns))
    context.recoveries.append(time.monotonic() - died_at)


async def _kill_postgres(context: Context) -> None:
    await context.fleet.stores.postgres.kill()
    await context.fleet.stores.postgres.start()


async def _kill_nodes(context: Context) -> None:
    await asyncio.gather(*(node.kill() for node in context.fleet.running))
    await context.fleet.restart()


async def _empty_redis(context: Context) -> None:
    await context.fleet.stores.redis.flush()
