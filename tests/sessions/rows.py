"""Looks at rows, past the service."""

from typing import Any

from sqlalchemy import text

from app.storage.postgres import Postgres


async def rows(postgres: Postgres, statement: str, **values: Any) -> list[dict[str, Any]]:
    async with postgres.unit() as db:
        found = await db.execute(text(statement), values)
        return [dict(row._mapping) for row in found] if found.returns_rows else []


async def session_row(postgres: Postgres, session_id: str) -> dict[str, Any]:
    [row] = await rows(postgres, "SELECT * FROM sessions WHERE session_id = :id", id=session_id)
    return row


async def count(postgres: Postgres, table: str) -> int:
    [row] = await rows(postgres, f"SELECT count(*) AS n FROM {table}")
    return int(row["n"])
