"""Where graphs keep their checkpoints: LangGraph's own saver, made light.

``AsyncPostgresSaver`` holds one lock for everything it does, even over a pool, so a saver
shared by runs would let them go one at a time (langchain-ai/langgraph#7259). A saver is a
cheap object: every run has its own, over one pool.

It also commits once for each step and each node, which costs more than the graph itself.
A run's saver keeps the newest checkpoint for a moment instead, so that most of them never
need to be written, and what several runs have to write goes into one transaction.
"""

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from psycopg import AsyncConnection, OperationalError
from psycopg import Error as PsycopgError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from app.agents.buffer import Batch, Blob, Point, Write
from app.agents.checkpoints import prune, store
from app.agents.outlet import Handed, Outlet
from app.events.errors import StaleFence
from app.kit.errors import AppError, Unavailable
from app.settings import DatabaseSettings
from app.storage.addresses import for_psycopg
from app.storage.batches import GroupWriter

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

# A connection that died in the pool is found by its use, and a failover takes a moment.
_RETRY_SECONDS = (0, 0, 0.1, 0.3, 1, 2)

# The pool tries again ever more seldom for this long, then whenever it is asked: without a
# short end it would stay away for as long after an outage as the outage took.
_RECONNECT_SECONDS = 1

_RUNS_AT_ONCE = 64

T = TypeVar("T")


def always() -> bool:
    return True


class FencedSaver(AsyncPostgresSaver):
    """A saver that writes only while its run may, and does not give up at the first loss.

    LangGraph has no lock of its own: a run that was taken over, and does not know it yet,
    would mix its checkpoints with the new owner's.
    """

    def __init__(self, pool: Pool, may_write: Callable[[], bool]) -> None:
        super().__init__(pool)
        self._may_write = may_write

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await _insist(functools.partial(super().aget_tuple, config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        write = functools.partial(super().aput, config, checkpoint, metadata, new_versions)
        return await _insist(write, self._check)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        write = functools.partial(super().aput_writes, config, writes, task_id, task_path)
        await _insist(write, self._check)

    def _check(self) -> None:
        if not self._may_write():
            raise _lost()


def _lost() -> StaleFence:
    return StaleFence("The run is not this process's any more.")


async def _insist(work: Callable[[], Awaitable[T]], check: Callable[[], None] = lambda: None) -> T:
    """Do ``work``, again if the connection broke: all of it may be repeated.

    Raises:
        StaleFence: ``check`` said so.
        Unavailable: Postgres stays away.
    """
    waits = iter(_RETRY_SECONDS)
    while True:
        check()
        try:
            return await work()
        except OperationalError as error:
            # the pool itself has waited for Postgres before it says PoolTimeout
            patient = not isinstance(error, (PoolTimeout, PoolClosed))
            wait = next(waits, None) if patient else None
            if wait is None:
                raise Unavailable(
                    "The checkpoints cannot be reached for the moment.", cause=type(error).__name__
                ) from error
        await asyncio.sleep(wait)


class BufferedSaver(FencedSaver):
    """The saver of one run at work. What it is given is encoded at once, since the graph
    may go on to change it, and written a little later; an error then fails the run.
    """

    def __init__(self, pool: Pool, may_write: Callable[[], bool], outlet: Outlet) -> None:
        super().__init__(pool, may_write)
        self.outlet = outlet

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        await self.outlet.make_readable(config["configurable"].get("checkpoint_ns", ""))
        return await super().aget_tuple(config)

    async def alist(
        self, config: RunnableConfig | None, **given: Any
    ) -> AsyncIterator[CheckpointTuple]:
        await self.outlet.flush()
        async for found in super().alist(config, **given):
            yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        await self.outlet.flush()
        return await super().aget_delta_channel_history(config=config, channels=channels)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        at = config["configurable"]
        thread_id, space = at["thread_id"], at.get("checkpoint_ns", "")
        following: RunnableConfig = {
            "configurable": {
                "thread_id": thread_id,
                "checkpoint_ns": space,
                "checkpoint_id": checkpoint["id"],
            }
        }
        if not self._is_open():
            return following
        plain: dict[str, Any] = {}
        large: dict[str, Any] = {}
        for channel, value in checkpoint["channel_values"].items():
            if isinstance(value, _DeltaSnapshot):
                plain[channel], large[channel] = True, value
            elif value is None or isinstance(value, str | int | float | bool):
                plain[channel] = value
            else:
                large[channel] = value
        blobs = {
            channel: Blob(
                thread_id, space, channel, str(version), *self.serde.dumps_typed(large[channel])
            )
            if channel in large
            else None
            for channel, version in new_versions.items()
        }
        kept = get_serializable_checkpoint_metadata(config, metadata)
        self.outlet.buffer.put(
            Point(
                thread_id,
                space,
                checkpoint["id"],
                at.get("checkpoint_id"),
                json.dumps({**checkpoint, "channel_values": plain}),
                json.dumps(kept),
            ),
            blobs,
            keeps_history="counters_since_delta_snapshot" in kept
            or any(isinstance(value, _DeltaSnapshot) for value in large.values()),
        )
        self.outlet.changed()
        return following

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        at = config["configurable"]
        if not self._is_open():
            return
        under = at["thread_id"], at["checkpoint_ns"], at["checkpoint_id"]
        self.outlet.buffer.put_writes(
            [
                Write(
                    *under,
                    task_id,
                    task_path,
                    WRITES_IDX_MAP.get(channel, place),
                    channel,
                    *self.serde.dumps_typed(value),
                )
                for place, (channel, value) in enumerate(writes)
            ],
            replace=all(channel in WRITES_IDX_MAP for channel, _ in writes),
        )
        self.outlet.changed()

    def _is_open(self) -> bool:
        """Whether anything may still be kept. What a stopped run says late, nobody needs."""
        self._check()
        self.outlet.check()
        return not self.outlet.is_closed


class Savers:
    """Makes a saver for each run. ``run`` must be running."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._writer: GroupWriter[Handed, Exception | None] = GroupWriter(
            self._store, limit=_RUNS_AT_ONCE
        )

    async def run(self) -> None:
        """Write what runs hand over, until cancelled."""
        await self._writer.run()

    @contextlib.asynccontextmanager
    async def buffered(
        self, may_write: Callable[[], bool] = always
    ) -> AsyncIterator[BufferedSaver]:
        """Lend a saver to a run at work; afterwards, all it was given is committed.

        Raises:
            StaleFence: ``may_write`` said no.
            Unavailable: Postgres stays away.
        """
        outlet = Outlet(self._writer, may_write)
        try:
            yield BufferedSaver(self._pool, may_write, outlet)
            await outlet.flush()
        finally:
            await outlet.close()

    async def _store(self, handed: Sequence[Handed]) -> list[Exception | None]:
        """Write what several runs have handed over; return what went wrong with each."""
        errors: list[Exception | None] = [None] * len(handed)
        together = Batch()
        for place, one in enumerate(handed):
            if one.may_write():
                together.add(one.batch)
            else:
                errors[place] = _lost()
        try:
            await self._store_batch(together)
        except AppError as error:
            return [one or error for one in errors]
        except PsycopgError as error:  # it refuses something: find out whose it is
            if len(handed) == 1:
                return [error]
            return [(await self._store([one]))[0] for one in handed]
        return errors

    async def _store_batch(self, batch: Batch) -> None:
        async def write() -> None:
            async with self._pool.connection() as connection:
                await store(connection, batch)

        if batch:
            await _insist(write)

    def saver(self, may_write: Callable[[], bool] = always) -> FencedSaver:
        """Return a saver for one run; ``may_write`` is asked before every write."""
        return FencedSaver(self._pool, may_write)

    async def prune(self, thread_id: UUID) -> None:
        """Keep a thread's newest checkpoint only. The thread's next run may be at work: it
        goes on from the newest, which stays, and what it writes meanwhile is not touched.
        """

        async def work() -> None:
            async with self._pool.connection() as connection:
                await prune(connection, str(thread_id))

        await _insist(work)

    async def forget(self, thread_id: UUID) -> None:
        """Delete a thread's checkpoints."""
        await self.saver().adelete_thread(str(thread_id))


@contextlib.asynccontextmanager
async def open_savers(url: str, settings: DatabaseSettings) -> AsyncIterator[Savers]:
    """Open the checkpointer's pool, apart from the service's own.

    Its few statements are prepared, as those of the service's own pool are: a pooler in
    between must know how to keep them (PgBouncer does from 1.22 on).
    """
    pool: Pool = AsyncConnectionPool(
        for_psycopg(url),
        min_size=1,
        max_size=settings.checkpoint_pool_size,
        open=False,
        timeout=settings.connect_seconds,
        reconnect_timeout=_RECONNECT_SECONDS,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "application_name": "colloquy-checkpoints",
        },
    )
    await pool.open(wait=True, timeout=settings.connect_seconds)
    savers = Savers(pool)
    try:
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(savers.run())
            try:
                yield savers
            finally:
                writing.cancel()
    finally:
        await pool.close()
