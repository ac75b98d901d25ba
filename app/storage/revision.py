"""Whether the tables are at the newest revision, without loading what would bring them there.

Nearly every start finds them up to date; Alembic would cost it half a second.
"""

from pathlib import Path

import psycopg

import app
from app.storage.addresses import for_psycopg

_ID_CHARS = len("20261120_0100")  # a revision's file begins with its id


def folder() -> Path:
    """Return where the revisions are: inside the installed package, or in a checkout."""
    package = Path(app.__file__).parent
    installed = package / "_alembic"
    return installed if installed.is_dir() else package.parent / "alembic"


def newest() -> str:
    """Return the id of the newest revision this code knows."""
    return max(path.name[:_ID_CHARS] for path in (folder() / "versions").glob("*.py"))


def is_newest(url: str) -> bool:
    """Tell whether the database is at that revision. False, too, if that cannot be found out.
    Blocking.
    """
    try:
        with psycopg.connect(for_psycopg(url), connect_timeout=5) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.Error:
        return False
    return row is not None and row[0] == newest()
