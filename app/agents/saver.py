"""Where graphs keep their checkpoints: a saver for each run, and one writer for them all.

``AsyncPostgresSaver`` holds one lock for everything it does, even over a pool, so a saver
shared by runs would let them go one at a time (langchain-ai/langgraph#7259). A saver is a
cheap object: every run has its own, over one pool.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID

from psycopg import AsyncConnection
from psycopg import Error as PsycopgError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.agents.buffer import Batch
from app.agents.buffered import BufferedSaver
from app.agents.checkpoints import forget, prune, store
from app.agents.connection import Connection
from app.agents.fenced import Pool, insist, lost
from app.agents.outlet import Handed, Outlet
from app.agents.types import Hold
from app.kit.errors import AppError, Unavailable
from app.settings import DatabaseSettings
from app.storage.addresses import for_psycopg
from app.storage.batches import GroupWriter

# The pool tries again ever more seldom for this long, then whenever it is asked: without a
# short end it would stay away for as long after an outage as the outage took.
_RECONNECT_SECONDS = 1

_RUNS_AT_ONCE = 64


def always() -> bool:
    return True


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
        self, may_write: Callable[[], bool] = always, hold: Hold | None = None
    ) -> AsyncIterator[BufferedSaver]:
        """Lend a saver to a run at work; afterwards, all it was given is committed.

        Args:
            may_write: asked before each write: whether the lease holds, as far as is known.
            hold: checked by Postgres with each write.

        Raises:
            StaleFence: ``may_write`` said no, or Postgres.
            Unavailable: Postgres stays away.
        """
        outlet = Outlet(self._writer, may_write, hold)
        try:
            yield BufferedSaver(self._pool, may_write, outlet)
            await outlet.flush()
        finally:
            await outlet.close()

    async def _store(self, handed: Sequence[Handed]) -> list[Exception | None]:
        """Write what several runs have handed over; return what went wrong with each."""
        errors: list[Exception | None] = [None] * len(handed)

        async def write() -> None:
            together = Batch()  # made anew each time: a lease may lapse while we insist
            holds: dict[str, Hold] = {}
            for place, one in enumerate(handed):
                if one.may_write():
                    together.add(one.batch)
                    if one.hold is not None:
                        holds |= dict.fromkeys(one.batch.threads, one.hold)
                    errors[place] = None
                else:
                    errors[place] = lost()
            if together:
                async with self._pool.connection() as connection:
                    stale = await store(connection, together, holds)
                for place, one in enumerate(handed):
                    if not stale.isdisjoint(one.batch.threads):
                        errors[place] = errors[place] or lost(for_good=True)

        try:
            await insist(write)
        except AppError as error:
            return [one or error for one in errors]
        except PsycopgError as error:  # it refuses something: find out whose it is
            if len(handed) == 1:
                return [error]
            return [(await self._store([one]))[0] for one in handed]
        return errors

    async def prune(self, thread_id: UUID) -> None:
        """Keep a thread's newest checkpoint only. The thread's next run may be at work: it
        goes on from the newest, which stays, and what it writes meanwhile is not touched.
        """

        async def work() -> None:
            async with self._pool.connection() as connection:
                await prune(connection, str(thread_id))

        await insist(work)

    async def forget(self, thread_ids: Sequence[UUID]) -> int:
        """Delete all there is of threads, a little at a time; return how many rows that were.

        Raises:
            Unavailable: Postgres stays away; some of it may be gone.
        """

        async def work() -> int:
            async with self._pool.connection() as connection:
                return await forget(connection, [str(one) for one in thread_ids])

        return await insist(work)


@contextlib.asynccontextmanager
async def open_savers(url: str, settings: DatabaseSettings) -> AsyncIterator[Savers]:
    """Open the checkpointer's pool, apart from the service's own.

    Its few statements are prepared, as those of the service's own pool are: a pooler in
    between must know how to keep them (PgBouncer does from 1.22 on).
    """
    milliseconds = math.ceil(settings.statement_seconds * 1000)

    async def configure(connection: AsyncConnection[DictRow]) -> None:
        if isinstance(connection, Connection):
            connection.statement_seconds = settings.statement_seconds

    pool: Pool = AsyncConnectionPool(
        for_psycopg(url),
        connection_class=Connection,
        configure=configure,
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
            "connect_timeout": math.ceil(settings.connect_seconds),
            "tcp_user_timeout": milliseconds,
            "options": f"-c statement_timeout={milliseconds}",
        },
    )
    try:
        try:
            await pool.open(wait=True, timeout=settings.connect_seconds)
        except PoolTimeout as error:
            raise Unavailable(
                "The database cannot be used: it has not answered for "
                f"{settings.connect_seconds:g} seconds."
            ) from error
        savers = Savers(pool)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(savers.run())
            try:
                yield savers
            finally:
                writing.cancel()
    finally:
        await pool.close()
