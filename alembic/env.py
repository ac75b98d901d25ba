"""How Alembic reaches the database: the URL comes from the caller, never from a file.

A ``%`` in a password would break ``set_main_option``, hence ``config.attributes``. Run by
hand (``alembic check``), the URL is ``COLLOQUY_DATABASE_URL``.
"""

import os
from typing import Any

from sqlalchemy import text

from alembic import context
from app.storage.migrations import engine
from app.tables import CHECKPOINT_TABLES, METADATA

# Any number; it must only be the same on every node.
_LOCK = 4_157_221


def _ours(_: Any, name: str | None, kind: str, *__: Any) -> bool:
    return not (kind == "table" and name in CHECKPOINT_TABLES)


def run() -> None:
    url = context.config.attributes.get("url") or os.environ.get("COLLOQUY_DATABASE_URL")
    if not url:
        raise SystemExit("Set COLLOQUY_DATABASE_URL, or use: colloquy db upgrade")
    with engine(url).connect() as connection, connection.begin():
        # Nodes that start together upgrade one after the other, each in one transaction.
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.configure(connection=connection, target_metadata=METADATA, include_object=_ours)
        context.run_migrations()


run()
