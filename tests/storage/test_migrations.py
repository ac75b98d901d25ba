"""Tables: made from nothing, equal to the models, taken back, by several nodes at once."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from langgraph.checkpoint.postgres.base import MIGRATIONS
from sqlalchemy import text
from sqlalchemy.engine import make_url

import app
from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.storage import migrations, revision
from app.storage.addresses import for_psycopg
from app.storage.postgres import Postgres
from app.tables import CHECKPOINT_TABLES, METADATA
from tests.support.until import until


@pytest.fixture
async def empty(stores: Addresses, postgres: Postgres) -> AsyncIterator[str]:
    """The address of a new, empty database."""
    name = "migrations"
    async with postgres.statement() as db:
        await db.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(stores.database_url).set(database=name).render_as_string(hide_password=False)
    finally:
        async with postgres.statement() as db:
            await db.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


async def tables_of(url: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(for_psycopg(url)) as connection:
        rows = await connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return {str(row[0]) for row in await rows.fetchall()}


async def test_an_empty_database_gets_every_table_and_gives_it_back(empty: str) -> None:
    everything = set(METADATA.tables) | CHECKPOINT_TABLES | {"alembic_version"}
    before, head = await asyncio.to_thread(migrations.revisions, empty)
    assert before is None

    for _ in range(2):
        await asyncio.to_thread(migrations.upgrade, empty)
        assert await tables_of(empty) == everything
        await asyncio.to_thread(migrations.check, empty)  # raises where models differ
        assert await asyncio.to_thread(migrations.revisions, empty) == (head, head)
        await asyncio.to_thread(migrations.upgrade, empty)  # again: nothing to do
        await asyncio.to_thread(migrations.downgrade, empty, "base")
        assert await tables_of(empty) == {"alembic_version"}


async def test_nodes_that_start_together_upgrade_one_after_the_other(
    empty: str, postgres: Postgres
) -> None:
    """Both are let go at the same moment, from the lock they both wait for."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'migrations'"
        " AND wait_event_type = 'Lock' AND wait_event = 'advisory'"
    )

    async def both_wait() -> bool:
        async with postgres.statement() as db:
            return bool(await db.scalar(waiting) == 2)

    code = "import sys; from app.storage.migrations import upgrade; upgrade(sys.argv[1])"
    async with await psycopg.AsyncConnection.connect(for_psycopg(empty)) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(4157221)")
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, empty, cwd=Path(app.__file__).parent.parent
        )
        one = asyncio.create_task(asyncio.to_thread(migrations.upgrade, empty))
        await until(both_wait, seconds=30)

    await one
    assert await other.wait() == 0
    await asyncio.to_thread(migrations.check, empty)


async def test_a_start_can_tell_whether_there_is_anything_to_do(
    empty: str, stores: Addresses
) -> None:
    nowhere = "postgresql:///x?host=/nowhere"

    told = [
        await asyncio.to_thread(revision.is_newest, url)
        for url in (stores.database_url, empty, nowhere)
    ]

    assert told == [True, False, False]


def test_a_database_that_lets_nobody_in_is_explained_in_one_sentence() -> None:
    with pytest.raises(Unavailable) as caught:
        migrations.upgrade("postgresql:///x?host=/nowhere")

    assert caught.value.message.startswith("The database cannot be used: ")
    assert "\n" not in caught.value.message


def test_the_checkpoint_tables_are_those_of_the_installed_library() -> None:
    """A newer library brings more statements: they need a revision of their own."""
    assert len(MIGRATIONS) == 10


async def test_the_checkpointer_finds_its_tables_complete(stores: Addresses) -> None:
    async with await psycopg.AsyncConnection.connect(
        for_psycopg(stores.database_url)
    ) as connection:
        rows = await connection.execute("SELECT v FROM checkpoint_migrations ORDER BY v")
        versions = [row[0] for row in await rows.fetchall()]

    assert versions == list(range(len(MIGRATIONS)))


def test_the_newest_revision_is_found_by_its_file_name(stores: Addresses) -> None:
    """Starting must not need Alembic to see that there is nothing to do."""
    _, head = migrations.revisions(stores.database_url)

    assert revision.newest() == head
    assert revision.is_newest(stores.database_url)
