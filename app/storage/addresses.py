"""One libpq-style URL for each store, translated for each driver."""

from typing import Any, NamedTuple

from redis.asyncio.connection import parse_url
from sqlalchemy.engine import URL, make_url

from app.kit.errors import AppError, Kind


class BadAddress(AppError):
    """A store's address cannot be used as it is written."""

    code = "bad_address"
    kind = Kind.INVALID


class RedisNode(NamedTuple):
    """One node of a Redis Cluster."""

    host: str
    port: int


class RedisAddress(NamedTuple):
    """What the URL of Redis says."""

    options: dict[str, Any]
    """For a connection, by the client's names."""
    nodes: list[RedisNode]
    """The nodes of a cluster that are named; empty: it is none."""


# The options both drivers understand, by libpq's name, and what asyncpg calls them.
_ASYNCPG_NAMES = {
    "host": "host",
    "port": "port",
    "sslmode": "ssl",
    "target_session_attrs": "target_session_attrs",
}


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
    """Return the URL for SQLAlchemy on asyncpg, and the server settings it carried.

    Raises:
        BadAddress: as above, or an option that not both drivers know.
    """
    url = parse_database_url(text)
    query: dict[str, str] = {}
    server_settings: dict[str, str] = {}
    for name, value in url.query.items():
        one = value if isinstance(value, str) else value[-1]
        if name in _ASYNCPG_NAMES:
            query[_ASYNCPG_NAMES[name]] = one
        elif name == "application_name":
            server_settings[name] = one
        elif name != "connect_timeout":  # for this driver COLLOQUY_DATABASE__CONNECT_SECONDS is
            raise BadAddress(f"COLLOQUY_DATABASE_URL: the option {name!r} is not known.")
    return url.set(drivername="postgresql+asyncpg", query=query), server_settings


def for_psycopg(text: str) -> str:
    """Return the URL as psycopg's libpq reads it: a space is ``%20`` everywhere."""
    head, mark, query = (
        parse_database_url(text).render_as_string(hide_password=False).partition("?")
    )
    return head.replace(" ", "%20") + mark + query.replace("+", "%20")


def parse_redis_url(text: str) -> RedisAddress:
    """Read ``redis://user:password@host:port/db``, ``rediss://…`` or ``unix://path``.

    ``?cluster=true`` means a Redis Cluster, of which several nodes may be named:
    ``redis://host:port,host:port?cluster=true``.

    Raises:
        BadAddress: not such a URL.
    """
    network = text.partition("://")[2].partition("/")[0].partition("?")[0]
    credentials, at, hosts = network.rpartition("@")
    try:
        parsed: list[dict[str, Any]] = [
            {**parse_url(text.replace(network, f"{credentials}{at}{host}", 1))}
            for host in hosts.split(",")
        ]
    except ValueError as error:
        raise BadAddress("COLLOQUY_REDIS_URL must begin with redis://, rediss:// or unix://") from (
            error
        )
    options = parsed[0]
    cluster = options.pop("cluster", "false")
    if cluster == "false":
        if len(parsed) > 1:
            raise BadAddress("COLLOQUY_REDIS_URL names several servers: is ?cluster=true missing?")
        return RedisAddress(options, [])
    if cluster != "true":
        raise BadAddress("COLLOQUY_REDIS_URL: cluster is true or false.")
    if "path" in options or options.get("db"):
        raise BadAddress("COLLOQUY_REDIS_URL: a cluster has no socket file and only database 0.")
    nodes = [RedisNode(one.get("host", "localhost"), one.get("port", 6379)) for one in parsed]
    return RedisAddress(options, nodes)
