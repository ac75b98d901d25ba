"""A knowledge room on an empty corpus, in a database that nobody else looks into."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.kit.clock import SystemClock
from app.knowledge.service import KnowledgeService
from app.settings import KnowledgeSettings, Settings
from app.storage import migrations
from app.storage.addresses import parse_database_url
from app.storage.postgres import Postgres

CORPUS = Path(__file__).with_name("corpus")
_DATABASE = "knowledge_tests"


@pytest.fixture(scope="session")
async def postgres(settings: Settings, postgres: Postgres) -> AsyncIterator[Postgres]:
    """Another database of the same server: the corpus is one for a whole database."""
    assert settings.database_url is not None
    address = parse_database_url(settings.database_url.get_secret_value())
    url = address.set(database=_DATABASE).render_as_string(hide_password=False)
    async with postgres.statement() as db:
        await db.execute(text(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)"))
        await db.execute(text(f"CREATE DATABASE {_DATABASE}"))
    await asyncio.to_thread(migrations.upgrade, url)
    own = Postgres(url, settings.database)
    yield own
    await own.close()


@pytest.fixture
async def knowledge(postgres: Postgres) -> KnowledgeService:
    async with postgres.unit() as db:
        await db.execute(text("DELETE FROM documents"))
    settings = KnowledgeSettings(file_bytes=200_000, chunk_chars=600)
    return KnowledgeService(postgres=postgres, settings=settings, clock=SystemClock())


@pytest.fixture
async def harbour(knowledge: KnowledgeService) -> KnowledgeService:
    """The same, with the documents of an invented product."""
    report = await knowledge.ingest(CORPUS)
    assert report.is_clean
    return knowledge
