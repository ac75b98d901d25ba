"""Databases of one's own, for tests whose nodes must not see each other's work."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import ClassVar

from psycopg import AsyncConnection

from app.embedded.servers import Addresses
from app.kit.clock import SystemClock
from app.knowledge.service import KnowledgeService
from app.settings import DatabaseSettings, KnowledgeSettings
from app.storage import migrations
from app.storage.postgres import Postgres

_TEMPLATE = "tests_template"
_numbers = count(1)

# Any document of an operator's own: with it, nodes do not read this project's at their start.
_DOCUMENT = b"# Ferries\n\nThe ferry to Larkholm leaves the north pier at 06:40 every morning.\n"


_CLOSE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
_EMPTY = """
WITH a AS (DELETE FROM sessions), b AS (DELETE FROM chats), c AS (DELETE FROM visitors),
    d AS (DELETE FROM checkpoints), e AS (DELETE FROM checkpoint_blobs)
DELETE FROM checkpoint_writes
"""


class Databases:
    """Makes databases by cloning one that was migrated; one object for each server."""

    _known: ClassVar[dict[str, "Databases"]] = {}

    @classmethod
    def of(cls, stores: Addresses) -> "Databases":
        return cls._known.setdefault(stores.database_url, cls(stores))

    def __init__(self, stores: Addresses) -> None:
        self._stores = stores
        self._lock = asyncio.Lock()
        self._has_template = False
        self._free: list[str] = []

    @contextlib.asynccontextmanager
    async def clone(self) -> AsyncIterator[Addresses]:
        """Lend a database of the current schema, with one document in it and nothing else."""
        name = self._free.pop() if self._free else await self._make()
        try:
            yield Addresses(self._url(name), self._stores.redis_url)
        finally:
            await self._do(_CLOSE, name)
            await self._do(_EMPTY, on=name)  # much quicker than to drop and to clone again
            await self._do("DELETE FROM forgotten_chats", on=name)  # what that has left
            self._free.append(name)

    async def _make(self) -> str:
        async with self._lock:
            if not self._has_template:
                await self._make_template()
                self._has_template = True
            name = f"tests_{next(_numbers)}"
            await self._do(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return name

    async def _make_template(self) -> None:
        await self._do(f"CREATE DATABASE {_TEMPLATE}")
        await migrate_with_document(self._url(_TEMPLATE))

    async def _do(self, statement: str, *values: str, on: str = "postgres") -> None:
        async with await AsyncConnection.connect(self._url(on), autocommit=True) as db:
            await db.execute(statement.encode(), values)

    def _url(self, name: str) -> str:
        before, after = self._stores.database_url.split("?")
        return f"{before.rpartition('/')[0]}/{name}?{after}"


async def migrate_with_document(url: str) -> None:
    """Make the tables, and put one document into the knowledge."""
    await asyncio.to_thread(migrations.upgrade, url)
    postgres = Postgres(url, DatabaseSettings(pool_size=1))
    knowledge = KnowledgeService(
        postgres=postgres, settings=KnowledgeSettings(), clock=SystemClock()
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ferries.md"
            file.write_bytes(_DOCUMENT)
            await knowledge.ingest(file)
    finally:
        await postgres.close()
