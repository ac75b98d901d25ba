"""Checkpoints: each run its own saver, fenced, and patient with a Postgres that comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, empty_checkpoint
from langgraph.checkpoint.base import id as ids
from langgraph.checkpoint.serde import _msgpack
from psycopg_pool.base import AttemptWithBackoff

from app.agents import connection, saver
from app.agents.fenced import FencedSaver
from app.agents.saver import Savers, always, open_savers
from app.embedded.servers import Addresses
from app.events.errors import StaleFence
from app.kit.errors import Unavailable
from app.settings import DatabaseSettings
from app.storage.addresses import for_psycopg
from tests.runs.scene import until
from tests.support.proxy import LOST, Proxies, proxied

POOL = 6
SETTINGS = DatabaseSettings(checkpoint_pool_size=POOL, connect_seconds=1)
METADATA: CheckpointMetadata = {"source": "input", "step": -1, "parents": {}}


@pytest.fixture
async def proxies(stores: Addresses) -> AsyncIterator[Proxies]:
    async with proxied(stores) as one:
        yield one


@pytest.fixture
async def savers(proxies: Proxies) -> AsyncIterator[Savers]:
    async with open_savers(proxies.addresses.database_url, SETTINGS) as one:
        yield one


def thread() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4()), "checkpoint_ns": ""}}


def plain(savers: Savers) -> FencedSaver:
    return FencedSaver(savers._pool, always)


async def put(one: FencedSaver, config: RunnableConfig) -> RunnableConfig:
    return await one.aput(config, empty_checkpoint(), METADATA, {})


async def test_a_checkpoint_is_the_newest_though_a_node_whose_clock_is_ahead_made_the_last(
    savers: Savers, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, one = thread(), plain(savers)
    now = time.time_ns()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(time, "time_ns", lambda: now + 86_400 * 10**9)
        await put(one, config)
    monkeypatch.setattr(ids, "_last_v6_timestamp", None)  # that was another process

    assert await one.aget_tuple(config) is not None
    mine = await put(one, config)

    newest = await one.aget_tuple(config)
    assert newest is not None
    assert newest.config == mine


async def test_a_saver_writes_only_while_its_run_may(savers: Savers) -> None:
    holds, config = True, thread()
    fenced = FencedSaver(savers._pool, lambda: holds)
    kept = await put(fenced, config)

    holds = False
    with pytest.raises(StaleFence):
        await put(fenced, kept)
    with pytest.raises(StaleFence):
        await fenced.aput_writes(kept, [("said", 1)], "task")

    found = await plain(savers).aget_tuple(config)
    assert found is not None
    assert (found.config["configurable"]["checkpoint_id"], found.pending_writes) == (
        kept["configurable"]["checkpoint_id"],
        [],
    )


async def test_runs_do_not_queue_for_one_lock(savers: Savers, stores: Addresses) -> None:
    """A saver holds one lock for all it does: thirty runs that share one go one by one."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND application_name = 'colloquy-checkpoints'"
    )
    url = for_psycopg(stores.database_url)
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as watch,
        asyncio.TaskGroup() as group,
        await psycopg.AsyncConnection.connect(url) as blocker,
    ):
        await blocker.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")
        writes = [group.create_task(put(plain(savers), thread())) for _ in range(30)]

        async def all_connections_wait() -> bool:
            row = await (await watch.execute(waiting)).fetchone()
            return row is not None and row[0] == POOL

        await until(all_connections_wait)

    assert len({str(write.result()) for write in writes}) == 30


async def test_a_connection_that_died_in_the_pool_fails_nothing(
    savers: Savers, proxies: Proxies
) -> None:
    config = thread()
    await asyncio.gather(*(put(plain(savers), thread()) for _ in range(POOL)))
    await proxies.postgres.cut()
    await proxies.postgres.restore()

    kept = await put(plain(savers), config)

    found = await plain(savers).aget_tuple(config)
    assert found is not None
    assert found.config == kept


async def test_a_postgres_that_stays_away_is_said_so_and_found_again_at_once(
    proxies: Proxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool tried ever more seldom, and was missing for as long again as Postgres was."""
    monkeypatch.setattr(saver, "_RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", 0.2)
    settings = DatabaseSettings(connect_seconds=0.4)
    async with open_savers(proxies.addresses.database_url, settings) as savers:
        await put(plain(savers), thread())
        await proxies.postgres.cut()

        for _ in range(4):
            with pytest.raises(Unavailable):
                await put(plain(savers), thread())
        await proxies.postgres.restore()

        await put(plain(savers), thread())  # and not Unavailable after those 0.4 s


async def test_a_postgres_that_never_answers_is_said_so_in_time(
    proxies: Proxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler acknowledges what it cannot pass on, and TCP sees nothing wrong: the driver
    waited for ever, and so did every run of the node.
    """
    monkeypatch.setattr(connection, "_GRACE_SECONDS", 0.1)
    settings = DatabaseSettings(connect_seconds=0.5, statement_seconds=0.3)
    async with open_savers(proxies.addresses.database_url, settings) as savers:
        await put(plain(savers), thread())
        for link in list(proxies.postgres.links):
            link.fault(up=LOST, down=LOST)
        kept = await put(plain(savers), thread())  # on another connection

        proxies.postgres.fault(up=LOST, down=LOST)
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await put(plain(savers), kept)
        await proxies.postgres.restore()
        await until(lambda: _can_put(savers))


async def test_a_statement_that_waits_too_long_is_given_up_by_postgres_too(
    stores: Addresses,
) -> None:
    """A node gave it up, and it went on to wait, and to write what nobody wanted any more."""
    settings = DatabaseSettings(statement_seconds=0.3)
    url, config = for_psycopg(stores.database_url), thread()
    async with (
        open_savers(stores.database_url, settings) as savers,
        await psycopg.AsyncConnection.connect(url) as blocker,
    ):
        await blocker.execute("LOCK TABLE checkpoints IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await put(plain(savers), config)
        await blocker.rollback()

        assert await plain(savers).aget_tuple(config) is None


async def _can_put(savers: Savers) -> bool:
    try:
        await put(plain(savers), thread())
    except Unavailable:
        return False
    return True


def test_what_checkpoints_bring_back_is_restricted() -> None:
    """Without it, whoever can write to the database can run code here."""
    assert _msgpack.STRICT_MSGPACK_ENABLED is True
