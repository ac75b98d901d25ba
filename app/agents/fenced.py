"""LangGraph's own saver, for one run: writes only while the run may, and insists a little."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.base import id as ids
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import QueryCanceled
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from app.agents.connection import NoReply
from app.events.errors import StaleFence
from app.kit.errors import Unavailable

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

# A connection that died in the pool is found by its use, and a failover takes a moment.
_RETRY_SECONDS = (0, 0, 0.1, 0.3, 1, 2)

_LAST_TICKS = "_last_v6_timestamp"

T = TypeVar("T")


class FencedSaver(AsyncPostgresSaver):
    """A saver that writes only while its run may, and does not give up at the first loss.

    LangGraph has no lock of its own: a run that was taken over, and does not know it yet,
    would mix its checkpoints with the new owner's.
    """

    def __init__(self, pool: Pool, may_write: Callable[[], bool]) -> None:
        super().__init__(pool)
        self._may_write = may_write

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found = await insist(functools.partial(super().aget_tuple, config))
        if found is not None:
            follow(found.checkpoint["id"])
        return found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        read = super().aget_delta_channel_history
        return await insist(functools.partial(read, config=config, channels=channels))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        write = functools.partial(super().aput, config, checkpoint, metadata, new_versions)
        return await insist(write, self._check)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        write = functools.partial(super().aput_writes, config, writes, task_id, task_path)
        await insist(write, self._check)

    async def adelete_thread(self, thread_id: str) -> None:
        await insist(functools.partial(super().adelete_thread, thread_id), self._check)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        work = functools.partial(super().aprune, thread_ids, strategy=strategy)
        await insist(work, self._check)

    def _check(self) -> None:
        if not self._may_write():
            raise lost()


def follow(checkpoint_id: str) -> None:
    """Have every checkpoint that is made here from now on sort after this one.

    The newest checkpoint of a thread is the one with the highest id, and an id is the time of
    day of the node that made it (UUIDv6). Where another node's clock is ahead of this one's,
    what is written here would never be found again: a turn forgotten, a step done twice.
    """
    value = UUID(checkpoint_id).int
    ticks = (value >> 80) << 12 | (value >> 64) & 0xFFF  # RFC 9562, section 5.6
    # LangGraph has no other way to tell its generator, which is one for the whole process.
    last: int | None = getattr(ids, _LAST_TICKS)
    setattr(ids, _LAST_TICKS, max(last or 0, ticks))


def lost(*, for_good: bool = False) -> StaleFence:
    """``for_good``: Postgres says so; a lease that has lapsed may be renewed."""
    return StaleFence("The run is not this process's any more.", for_good=for_good)


async def insist(work: Callable[[], Awaitable[T]], check: Callable[[], None] = lambda: None) -> T:
    """Do ``work``, again if the connection broke: all of it may be repeated. After a wait that
    was in vain only once, on another connection.

    Raises:
        StaleFence: ``check`` said so.
        Unavailable: Postgres stays away.
    """
    waits, was_late = iter(_RETRY_SECONDS), False
    while True:
        check()
        try:
            return await work()
        except OperationalError as error:
            is_late = isinstance(error, NoReply | QueryCanceled)
            # the pool itself has waited for Postgres before it says PoolTimeout
            in_vain = isinstance(error, PoolTimeout | PoolClosed) or (is_late and was_late)
            wait = None if in_vain else next(waits, None)
            if wait is None:
                raise Unavailable(
                    "The checkpoints cannot be reached for the moment.", cause=type(error).__name__
                ) from error
            was_late = was_late or is_late
        await asyncio.sleep(wait)
