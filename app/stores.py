"""Opens what a process keeps things in: Postgres and Redis, its own or those it is told of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from redis.asyncio import Redis

from app.embedded.servers import servers
from app.settings import Settings
from app.storage import revision
from app.storage.postgres import Postgres
from app.storage.redis import connect, redis_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Both stores, open. Each connects when it is used first."""

    postgres: Postgres
    redis: Redis
    database_url: str

    async def ask_postgres(self) -> None:
        """Return once Postgres has answered.

        Raises:
            Unavailable: it does not.
        """
        async with self.postgres.statement() as db:
            await db.exec_driver_sql("SELECT 1")

    async def ask_redis(self) -> None:
        """Return once Redis has answered.

        Raises:
            Unavailable: it does not.
        """
        with redis_errors():
            await self.redis.ping()


@contextlib.asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores for as long as the block lasts, their tables up to date.

    Raises:
        AppError: a store cannot be used; the message says why.
    """
    async with contextlib.AsyncExitStack() as stack:
        database_url, redis_url = await addresses(settings, stack)
        if settings.database.migrate:
            await _migrate(database_url)
        postgres = Postgres(database_url, settings.database)
        stack.push_async_callback(postgres.close)
        redis = connect(redis_url, settings.redis)
        stack.push_async_callback(redis.aclose)
        yield Stores(postgres=postgres, redis=redis, database_url=database_url)


async def addresses(settings: Settings, stack: contextlib.AsyncExitStack) -> tuple[str, str]:
    """Return the stores' addresses; start our own servers for those that have none."""
    database = settings.database_url
    redis = settings.redis_url
    if database is not None and redis is not None:
        return database.get_secret_value(), redis.get_secret_value()
    embedded = await stack.enter_async_context(servers(settings.data_dir))
    return (
        database.get_secret_value() if database else embedded.database_url,
        redis.get_secret_value() if redis else embedded.redis_url,
    )


async def _migrate(database_url: str) -> None:
    if await asyncio.to_thread(revision.is_newest, database_url):
        return
    from app.storage import migrations  # noqa: PLC0415 - seldom needed, slow to import

    await asyncio.to_thread(migrations.upgrade, database_url)
