"""The Postgres engine, and the one place where work is committed."""

import contextlib
from collections.abc import AsyncIterator, Iterator

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.kit.errors import Unavailable
from app.settings import DatabaseSettings
from app.storage.addresses import for_asyncpg

RETRY_AFTER_MS = 2_000

Db = AsyncConnection  # what a unit of work is done on

# SQLSTATE classes that say "not now" rather than "not so" (PostgreSQL manual, appendix A):
# connection exceptions, transaction rollback (deadlock), insufficient resources (disk full,
# too many connections), operator intervention (shutting down, statement timeout), system error.
# And two of other classes: a lock that was not to be had, a transaction that was idle too long.
_TEMPORARY_CLASSES = ("08", "40", "53", "57", "58", "55P03", "25P03")


class Postgres:
    """Units of work on one engine. Every statement of the service goes through here."""

    def __init__(self, url: str, settings: DatabaseSettings) -> None:
        address, server_settings = for_asyncpg(url)
        self._engine: AsyncEngine = create_async_engine(
            address,
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.connect_seconds,
            hide_parameters=True,  # errors are logged; texts, tokens and ids must not be
            pool_pre_ping=False,  # a dead connection is found by its use, and retired
            connect_args={
                "timeout": settings.connect_seconds,
                "command_timeout": settings.statement_seconds,
                "server_settings": {
                    "application_name": "colloquy",
                    "jit": "off",  # short statements: compiling one costs more than it saves
                    # a node that is gone must not keep what it had locked
                    "idle_in_transaction_session_timeout": milliseconds(settings.statement_seconds),
                    **server_settings,
                },
            },
        )
        # One statement needs no BEGIN and COMMIT around it: two round trips less.
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.asynccontextmanager
    async def unit(self, *, lock_seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """Open one transaction: committed at the end, rolled back on any error.

        Args:
            lock_seconds: how long it waits for a lock; as long as for any statement by default.

        Raises:
            Unavailable: Postgres is gone, full, or out of connections, or has locked what is
                needed.
        """
        with _translated():
            async with self._engine.begin() as db:
                if lock_seconds is not None:
                    patience = milliseconds(lock_seconds)
                    await db.exec_driver_sql(f"SET LOCAL lock_timeout = {patience}")
                yield db

    @contextlib.asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection on which each statement commits by itself.

        Raises:
            Unavailable: Postgres is gone, full, or out of connections.
        """
        with _translated():
            async with self._autocommit.connect() as db:
                yield db

    async def close(self) -> None:
        await self._engine.dispose()

    @property
    def in_use(self) -> int:
        """Connections lent at this moment."""
        return int(getattr(self._engine.pool, "checkedout", lambda: 0)())


def milliseconds(seconds: float) -> str:
    """Return a time as Postgres's settings have it."""
    return str(max(1, round(seconds * 1000)))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn "the database does not answer" into one error that says to come back."""
    try:
        yield
    except (PoolTimeout, TimeoutError, ConnectionError, OSError) as error:
        raise _unavailable(error) from error
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if error.connection_invalidated or state.startswith(_TEMPORARY_CLASSES):
            raise _unavailable(error) from error
        raise


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(
        "The database does not answer; nothing was stored.",
        retry_after_ms=RETRY_AFTER_MS,
        cause=type(error).__name__,
    )
