"""One address for each store, as libpq writes it, and what each driver makes of it."""

from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from app.embedded.servers import Addresses
from app.settings import DatabaseSettings
from app.storage.addresses import (
    BadAddress,
    RedisNode,
    for_asyncpg,
    for_psycopg,
    parse_database_url,
    parse_redis_url,
)
from app.storage.postgres import Postgres

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@given(password=texts, user=texts)
def test_both_drivers_get_any_name_and_password_unharmed(password: str, user: str) -> None:
    """A space stays a space in a URL that SQLAlchemy writes, and libpq refuses it."""
    text = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@db.example:5433/chat"

    ours, _ = for_asyncpg(text)
    theirs = conninfo_to_dict(for_psycopg(text))
    assert (ours.username, ours.password) == (user, password)
    assert (theirs["user"], theirs["password"]) == (user, password)
    assert (theirs["host"], theirs["port"], theirs["dbname"]) == ("db.example", "5433", "chat")


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"]
)
def test_every_usual_scheme_is_understood(scheme: str) -> None:
    text = f"{scheme}://u@h/d"

    assert parse_database_url(text).drivername == "postgresql"
    assert for_asyncpg(text)[0].drivername == "postgresql+asyncpg"
    assert for_psycopg(text) == "postgresql://u@h/d"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a URL"),
        ("localhost", "not a URL"),
        ("postgresql://u@h:port/d", "not a URL"),
        ("mysql://u@h/d", "must begin with postgresql://"),
        ("sqlite:///d", "must begin with postgresql://"),
        ("postgresql://u@h", "names no database"),
        ("postgresql://u@h/", "names no database"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(text: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        parse_database_url(text)


def test_the_password_is_in_no_error() -> None:
    with pytest.raises(BadAddress) as caught:
        for_asyncpg("postgresql://u:hush@h:port/d")

    assert "hush" not in str(caught.value)
    assert "hush" not in str(caught.value.__cause__)


@pytest.mark.parametrize("option", ["ssl", "timeout", "command_timeout", "sslrootcert", "frob"])
def test_options_that_one_driver_would_refuse_are_refused_at_once(option: str) -> None:
    """``ssl`` and ``command_timeout`` passed here once, and failed in the checkpointer's pool."""
    with pytest.raises(BadAddress, match=f"the option '{option}' is not known"):
        for_asyncpg(f"postgresql://u@h/d?{option}=1")


def test_options_reach_each_driver_by_its_own_name() -> None:
    text = (
        "postgresql://u@h/d?sslmode=require&connect_timeout=3"
        "&application_name=my%20own&target_session_attrs=read-write"
    )

    ours, server_settings = for_asyncpg(text)

    assert dict(ours.query) == {"ssl": "require", "target_session_attrs": "read-write"}
    assert server_settings == {"application_name": "my own"}
    theirs = conninfo_to_dict(for_psycopg(text))
    assert (theirs["sslmode"], theirs["application_name"]) == ("require", "my own")


async def test_both_drivers_connect_with_every_option_there_is(stores: Addresses) -> None:
    text = (
        make_url(stores.database_url)
        .update_query_dict(
            {
                "sslmode": "disable",
                "connect_timeout": "3",
                "application_name": "mine",
                "target_session_attrs": "any",
            }
        )
        .render_as_string(hide_password=False)
    )
    postgres = Postgres(text, DatabaseSettings(pool_size=1))

    try:
        async with postgres.statement() as db:
            ours = await db.exec_driver_sql("SHOW application_name")
        async with await psycopg.AsyncConnection.connect(for_psycopg(text)) as connection:
            theirs = await connection.execute("SHOW application_name")
            assert await theirs.fetchone() == ("mine",)
    finally:
        await postgres.close()

    assert ours.scalar() == "mine"


@pytest.mark.parametrize(
    ("url", "options", "nodes"),
    [
        ("redis://h:7000/3", {"host": "h", "port": 7000, "db": 3}, []),
        ("redis://h?cluster=false", {"host": "h"}, []),
        ("unix:///run/a,b.sock?db=2", {"path": "/run/a,b.sock", "db": 2}, []),
        ("redis://h?cluster=true", {"host": "h"}, [("h", 6379)]),
        (
            "redis://ann:p,w%40@h1:7000,h2,[::1]:7002/0?cluster=true",
            {"username": "ann", "password": "p,w@", "host": "h1", "port": 7000, "db": 0},
            [("h1", 7000), ("h2", 6379), ("::1", 7002)],
        ),
    ],
)
def test_the_address_of_redis_may_name_the_nodes_of_a_cluster(
    url: str, options: dict[str, object], nodes: list[tuple[str, int]]
) -> None:
    address = parse_redis_url(url)

    address.options.pop("connection_class", None)
    assert address.options == options
    assert address.nodes == [RedisNode(*node) for node in nodes]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://h1,h2", "is \\?cluster=true missing"),
        ("redis://h?cluster=maybe", "cluster is true or false"),
        ("redis://h/1?cluster=true", "only database 0"),
        ("unix:///a.sock?cluster=true", "no socket file"),
        ("redis://h1,h2:port?cluster=true", "must begin with redis://"),
    ],
)
def test_an_address_that_cannot_be_a_clusters_says_why(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        parse_redis_url(url)
