"""Where graphs keep their checkpoints: LangGraph's own saver, made light.

``AsyncPostgresSaver`` holds one lock for everything it does, even over a pool, so a saver
shared by runs would let them go one at a time (langchain-ai/langgraph#7259). A saver is a
cheap object: every run has its own, over one pool.
"""

import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from app.settings import DatabaseSettings
from app.storage.addresses import for_psycopg

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]


class Savers:
    """Makes a saver for each run."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def saver(self) -> AsyncPostgresSaver:
        return AsyncPostgresSaver(self._pool)

    async def prune(self, thread_id: UUID) -> None:
        """Keep a thread's newest checkpoint only. Not while one of its runs is at work."""
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
