"""One libpq-style URL for each store, translated for each driver."""

from sqlalchemy.engine import URL, make_url

from app.kit.errors import AppError, Kind


class BadAddress(AppError):
    """A store's address cannot be used as it is written."""

    code = "bad_address"
    kind = Kind.INVALID


# libpq's words that asyncpg knows under another name
_ASYNCPG_NAMES = {"sslmode": "ssl", "connect_timeout": "timeout"}
_ASYNCPG_KNOWS = {"host", "port", "ssl", "timeout", "target_session_attrs", "command_timeout"}


def parse_database_url(text: str) -> URL:
    """Read ``postgresql://user:password@host:port/name?sslmode=…``.

    Raises:
        BadAddress: not a PostgreSQL URL, or without a database name.
    """
    try:
        url = make_url(text)
    except Exception as error:
        raise BadAddress("COLLOQUY_DATABASE_URL is not a URL.") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise BadAddress("COLLOQUY_DATABASE_URL must begin with postgresql://")
    if not url.database:
        raise BadAddress("COLLOQUY_DATABASE_URL names no database: …/NAME at its end.")
    return url.set(drivername="postgresql")


def for_asyncpg(text: str) -> tuple[URL, dict[str, str]]:
    """Return the URL for SQLAlchemy on asyncpg, and the server settings it carried."""
    url = parse_database_url(text)
    query: dict[str, str] = {}
    server_settings: dict[str, str] = {}
    for name, value in url.query.items():
        one = value if isinstance(value, str) else value[-1]
        known_as = _ASYNCPG_NAMES.get(name, name)
        if known_as in _ASYNCPG_KNOWS:
            query[known_as] = one
        elif name == "application_name":
            server_settings[name] = one
        else:
            raise BadAddress(f"COLLOQUY_DATABASE_URL: the option {name!r} is not known.")
    return url.set(drivername="postgresql+asyncpg", query=query), server_settings


def for_psycopg(text: str) -> str:
    """Return the URL as psycopg's libpq reads it."""
    return parse_database_url(text).render_as_string(hide_password=False)
