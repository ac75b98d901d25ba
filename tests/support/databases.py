"""Databases of one's own, for tests whose nodes must not see each other's work."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import ClassVar

from psycopg import AsyncConnection, sql

from app.embedded.servers import Addresses
from app.kit.clock import SystemClock
from app.knowledge.service import KnowledgeService
from app.settings import DatabaseSettings, KnowledgeSettings
from app.storage import migrations
from app.storage.addresses import for_psycopg
from app.storage.postgres import Postgres

_TEMPLATE = "tests_template"
_numbers = count(1)

# Any document of an operator's own: with it, nodes do not read this project's at their start.
_DOCUMENT = b"# Ferries\n\nThe ferry to Larkholm leaves the north pier at 06:40 every morning.\n"


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

    @contextlib.asynccontextmanager
    async def clone(self) -> AsyncIterator[Addresses]:
        """Lend a database of the current schema, with one document in it. Some 100 ms."""
        async with self._lock:
            if not self._has_template:
                await self._make_template()
                self._has_template = True
            name = f"tests_{next(_numbers)}"
            await self._do("CREATE DATABASE {} TEMPLATE {}", name, _TEMPLATE)
        try:
            yield Addresses(self._url(name), self._stores.redis_url)
        finally:
            await self._do("DROP DATABASE {} WITH (FORCE)", name)

    async def _make_template(self) -> None:
        await self._do("CREATE DATABASE {}", _TEMPLATE)
        url = self._url(_TEMPLATE)
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

    async def _do(self, statement: str, *names: str) -> None:
        url = for_psycopg(self._stores.database_url)
        async with await AsyncConnection.connect(url, autocommit=True) as db:
            await db.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _url(self, name: str) -> str:
        before, after = self._stores.database_url.split("?")
        return f"{before.rpartition('/')[0]}/{name}?{after}"
