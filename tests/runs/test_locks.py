"""Who waits for whom in Postgres, and who does not."""

import asyncio
import contextlib
from uuid import UUID, uuid4

import psycopg

from app.agents.buffer import Batch, Point
from app.agents.outlet import Handed
from app.agents.saver import always
from app.agents.types import Hold
from app.embedded.servers import Addresses
from app.events.errors import StaleFence
from app.kit.ids import RunId
from app.storage.addresses import for_psycopg
from tests.conftest import make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import HASTY, PATIENT, begin
from tests.runs.scene import rows, run_row, until, vanish
from tests.support.client import Event
from tests.support.node import Node
from tests.support.scripted import GATES, NAME

_CLAIM = "UPDATE runs SET fence = fence + 1 WHERE id = CAST(:r AS uuid) RETURNING fence"
_LOCK = "UPDATE chats SET fence = fence WHERE id = (SELECT chat_id FROM runs WHERE id = %s)"
_WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
_INSERT = (
    "INSERT INTO checkpoints (thread_id, checkpoint_id, checkpoint, metadata)"
    " VALUES (%s, 'b', '{}', '{}')"
)


async def test_who_takes_a_run_over_waits_for_the_checkpoints_on_their_way(own: Addresses) -> None:
    """They were committed after the claim: the next owner went on from what it had read, and
    the newest checkpoint of the thread was another's.
    """
    gate, thread = new_gate(), str(uuid4())
    async with begin(make_settings(own, runs=PATIENT)) as node:
        session = await node.client().start(agent=NAME)
        async with node.client().socket(session, hello={}) as socket:
            ack = await socket.ask(f"wait:{gate}")
            await GATES.wait_until_reached(gate)
            writer = node.services.worker._executor._savers._writer
            batch = Batch(points={(thread, "", "b"): Point(thread, "", "b", None, "{}", "{}")})
            handed = Handed(batch, always, Hold(RunId(UUID(ack["run_id"])), 1))

            async with await psycopg.AsyncConnection.connect(for_psycopg(own.database_url)) as held:
                await held.execute(_INSERT, [thread])
                stored = writer.put(handed)
                await until(lambda: _waits(node, 1))
                async with asyncio.TaskGroup() as group:
                    claim = group.create_task(rows(node, _CLAIM, r=ack["run_id"]))
                    await until(lambda: _waits(node, 2))
                    assert not claim.done()
                    await held.rollback()
            late = await writer.put(handed)

    assert await stored is None
    assert isinstance(late, StaleFence)


async def test_a_run_that_cannot_be_claimed_holds_up_no_younger_one(own: Addresses) -> None:
    """Its node had lost power in the middle of a transaction: its chat stayed locked, every
    look for work waited for it and then gave up, and no run of that node was recovered.
    """
    gates = [new_gate(), new_gate()]
    async with contextlib.AsyncExitStack() as stack:
        here = await stack.enter_async_context(begin(make_settings(own, runs=HASTY)))
        acks = []
        for gate in gates:
            session = await here.client().start(agent=NAME)
            async with here.client().socket(session, hello={}) as socket:
                acks.append(await socket.ask(f"wait:{gate} say:done"))
            await GATES.wait_until_reached(gate)
        url = for_psycopg(own.database_url)
        held = await stack.enter_async_context(await psycopg.AsyncConnection.connect(url))
        await held.execute(_LOCK, [acks[0]["run_id"]])
        vanish(here)

        there = await stack.enter_async_context(begin(make_settings(own, runs=HASTY)))
        await until(lambda: _is_at_second_attempt(there, acks[1]))
        assert (await run_row(there, acks[0]["run_id"])).attempt == 1
        await held.rollback()
        await until(lambda: _is_at_second_attempt(there, acks[0]))


async def _is_at_second_attempt(node: Node, ack: Event) -> bool:
    return bool((await run_row(node, ack["run_id"])).attempt == 2)


async def _waits(node: Node, count: int) -> bool:
    return len(await rows(node, _WAITING)) == count
