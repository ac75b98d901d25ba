"""Where graphs keep their checkpoints: LangGraph's own saver, made light.

``AsyncPostgresSaver`` holds one lock for everything it does, even over a pool, so a saver
shared by runs would let them go one at a time (langchain-ai/langgraph#7259). A saver is a
cheap object: every run has its own, over one pool.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from app.events.errors import StaleFence
from app.kit.errors import Unavailable
from app.settings import DatabaseSettings
from app.storage.addresses import for_psycopg

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


# A connection that died in the pool is found by its use, and a failover takes a moment.
_RETRY_SECONDS = (0, 0, 0.1, 0.3, 1, 2)

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
            raise StaleFence("The run is not this process's any more.")


async def _insist(work: Callable[[], Awaitable[T]], check: Callable[[], None] = lambda: None) -> T:
    """Do ``work``, again if the connection broke: all of it may be repeated.

    Raises:
        StaleFence: ``check`` said so.
        Unavailable: Postgres stays away.
    """
    for wait in (*_RETRY_SECONDS, None):
        check()
        try:
            return await work()
        except OperationalError as error:
            # the pool itself has waited for Postgres before it says PoolTimeout
            if wait is None or isinstance(error, (PoolTimeout, PoolClosed)):
                raise Unavailable(
                    "The agent's memory of this chat does not answer.", cause=type(error).__name__
                ) from error
            await asyncio.sleep(wait)
    raise AssertionError("unreachable")


class Savers:
    """Makes a saver for each run."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def saver(self, may_write: Callable[[], bool] = always) -> FencedSaver:
        """Return a saver for one run; ``may_write`` is asked before every write."""
        return FencedSaver(self._pool, may_write)

    async def prune(self, thread_id: UUID) -> None:
        """Keep a thread's newest checkpoint only. The thread's next run may be at work: it
        goes on from the newest, which stays, and what it writes meanwhile is not touched.
        """
        await self.saver().aprune([str(thread_id)], strategy="keep_latest")

    async def forget(self, thread_id: UUID) -> None:
        """Delete a thread's checkpoints."""
        await self.saver().adelete_thread(str(thread_id))


@contextlib.asynccontextmanager
async def open_savers(url: str, settings: DatabaseSettings) -> AsyncIterator[Savers]:
    """Open the checkpointer's pool, apart from the service's own.

    Without prepared statements, so that a pooler between us and Postgres does no harm.
    """
    pool: Pool = AsyncConnectionPool(
        for_psycopg(url),
        min_size=1,
        max_size=settings.checkpoint_pool_size,
        open=False,
        timeout=settings.connect_seconds,
        kwargs={
            "autocommit": True,
            "prepare_threshold": None,
            "row_factory": dict_row,
            "application_name": "colloquy-checkpoints",
        },
    )
    await pool.open(wait=True, timeout=settings.connect_seconds)
    try:
        yield Savers(pool)
    finally:
        await pool.close()
