"""However many chats there are, a sweep reads those that are due and not the others."""

import pytest
from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import TextualSelect

from app.chats import repository as chats
from app.ownership import repository as ownership
from app.ownership.retention import _BEGINNING
from app.runs import repository as runs
from app.sessions import repository as sessions
from tests.ownership.scene import Scene
from tests.ownership.test_races import session_on

PAGE = {"seconds": 60, "at": _BEGINNING.at, "id": _BEGINNING.id, "limit": 10}

_FILL = (
    "INSERT INTO visitors (id, secret_hash)"
    " SELECT gen_random_uuid(), '' FROM generate_series(1, 5000)",
    "INSERT INTO chats (id, visitor_id, agent, thread_id, message_count, created_at, updated_at)"
    " SELECT gen_random_uuid(), id, 'a', gen_random_uuid(), n % 10, now() - n * interval '1 s',"
    " now() - n * interval '1 s'"
    " FROM (SELECT id, row_number() OVER () * 4 + m AS n FROM visitors, generate_series(1, 4) m) v",
    "INSERT INTO sessions (session_id, chat_id, visitor_id, agent, status, expires_at)"
    " SELECT id::text, id, visitor_id, 'a', 'expired', updated_at FROM chats",
    "INSERT INTO runs (id, chat_id, session_id, message_id, seq, answer_id, status)"
    " SELECT id, id, 's', id, 1, id, 'completed' FROM chats",
    "INSERT INTO forgotten_chats (chat_id, thread_id, due_at)"
    " SELECT gen_random_uuid(), id, now() + interval '1 h' - n * interval '1 s'"
    " FROM chats, generate_series(1, 2) AS n",
    "ANALYZE visitors, chats, sessions, runs, forgotten_chats",
)


@pytest.fixture
async def crowd(scene: Scene) -> Scene:
    """Twenty thousand chats of five thousand visitors, each with a session, a run and notes."""
    for statement in _FILL:
        await scene.sql(statement)
    return scene


async def plan(
    scene: Scene, statement: TextClause | TextualSelect, values: dict[str, object]
) -> str:
    async with scene.postgres.unit() as db:
        rows = await db.execute(text(f"EXPLAIN {statement}"), values)
        return "\n".join(str(row[0]) for row in rows)


async def test_every_statement_of_a_sweep_goes_by_an_index(crowd: Scene) -> None:
    some = [row.id for row in await crowd.sql("SELECT id FROM chats LIMIT 20")]
    visitors = [row.id for row in await crowd.sql("SELECT id FROM visitors LIMIT 20")]
    young = PAGE | {"seconds": 19_900}
    of_chats = {"chat_ids": some, "seconds": 60}
    plans = {
        "ix_chats_user_recent": await plan(crowd, chats._LOCK_IDLE, young),
        "ix_chats_empty": await plan(crowd, chats._LOCK_EMPTY, young),
        "ix_sessions_over": await plan(
            crowd, sessions._DELETE_OVER, {"seconds": 19_900, "limit": 10}
        ),
        "ix_sessions_chat": await plan(crowd, sessions._USED_SINCE, of_chats),
        "ix_runs_open": await plan(crowd, runs._UNDER_WAY, {"chat_ids": some}),
        "ix_forgotten_chats_due_at": await plan(
            crowd, ownership._TAKE_DUE, {"again": 60, "limit": 10}
        ),
        "ix_chats_visitor_recent": await plan(
            crowd, ownership._DELETE_VISITORS, {"visitor_ids": visitors}
        ),
    }

    for index, found in plans.items():
        assert index in found, found
        assert "Seq Scan" not in found, found
        assert "Sort" not in found or index == "ix_sessions_chat", found


async def test_whoever_begins_a_session_reads_only_their_own_rows(crowd: Scene) -> None:
    [row] = await crowd.sql("SELECT id, visitor_id FROM chats LIMIT 1")
    item = session_on(row.id, row.visitor_id)
    values = {
        "session_ids": [item.session_id],
        "chat_ids": [item.chat_id],
        "user_ids": [None],
        "visitor_ids": [item.visitor_id],
        "agents": [item.agent],
        "metadata": [item.metadata],
        "new_chats": [item.new_chat],
        "visitor_hashes": [item.visitor_hash],
        "idempotency_hashes": [None],
        "ttl": 60,
    }

    found = await plan(crowd, sessions._START, values)

    assert "pk_visitors" in found
    assert "pk_chats" in found
    assert "Seq Scan" not in found, found


async def test_the_cascade_finds_a_chats_runs_by_an_index(crowd: Scene) -> None:
    """Without one, each deleted chat would read all runs there are."""
    statement = text("DELETE FROM runs WHERE chat_id = :id")
    [row] = await crowd.sql("SELECT id FROM chats LIMIT 1")

    assert "ix_runs_chat" in await plan(crowd, statement, {"id": row.id})
