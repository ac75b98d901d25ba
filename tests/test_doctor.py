"""What the doctor finds, and what it says to do."""

import pytest
from redis.asyncio import Redis

from app.doctor import Finding, examine
from app.embedded.servers import Addresses
from app.kit.ids import NodeId
from app.liveness.store import LivenessStore
from app.settings import Settings, load_settings
from app.storage.postgres import Postgres
from app.storage.redis import connect
from tests.conftest import SECRET, make_settings


async def findings(stores: Addresses, **given: object) -> dict[str, Finding]:
    found = await examine(make_settings(stores, **given))
    assert len({one.what for one in found}) == len(found)
    assert all(one.ok or one.advice for one in found)
    return {one.what: one for one in found}


async def test_where_everything_is_well_nothing_is_advised(stores: Addresses) -> None:
    found = await findings(stores)

    assert all(one.ok and not one.advice for one in found.values())
    assert set(found) == {"Postgres", "pools", "clock", "tables", "Redis", "eviction", "secret"}
    assert found["Postgres"].says.startswith("version 18")
    assert found["Redis"].says.startswith("Valkey 9")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://someone@127.0.0.1:1/none", "111"),
        ("postgresql://someone@192.0.2.1:5432/none?connect_timeout=1", "does not answer"),
        ("mysql://x/y", "must begin with postgresql://"),
        ("nonsense", "is not a URL"),
        ("elsewhere", 'database "elsewhere" does not exist'),
    ],
)
async def test_a_database_that_cannot_be_used_is_one_finding_of_several(
    stores: Addresses, url: str, says: str
) -> None:
    """What the server itself refused broke the examination off with a traceback."""
    if url == "elsewhere":
        url = stores.database_url.replace("/colloquy?", "/elsewhere?")

    found = await findings(
        stores, database_url=url, database={"connect_seconds": 1, "migrate": False}
    )

    assert not found["Postgres"].ok
    assert says in found["Postgres"].says
    assert "COLLOQUY_DATABASE_URL" in found["Postgres"].advice
    assert found["Redis"].ok


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:1", "111"),
        ("unix:///tmp/there-is-none.sock", "No such file"),
        ("nonsense", "must begin with redis://"),
        ("redis://127.0.0.1:port", "COLLOQUY_REDIS_URL"),
    ],
)
async def test_a_redis_that_cannot_be_used_is_one_finding_of_several(
    stores: Addresses, url: str, says: str
) -> None:
    found = await findings(stores, redis_url=url, redis={"command_seconds": 1})

    assert not found["Redis"].ok
    assert says in found["Redis"].says
    assert "COLLOQUY_REDIS_URL" in found["Redis"].advice
    assert found["Postgres"].ok


async def test_pools_that_do_not_fit_are_told(stores: Addresses) -> None:
    found = await findings(stores, database={"pool_size": 5_000, "migrate": False})

    assert not found["pools"].ok
    assert "max_connections" in found["pools"].advice


async def test_a_redis_that_throws_things_away_is_told(stores: Addresses, redis: Redis) -> None:
    before = str((await redis.config_get("maxmemory-policy"))["maxmemory-policy"])
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = await findings(stores)
    finally:
        await redis.config_set("maxmemory-policy", before)

    assert not found["eviction"].ok
    assert "noeviction" in found["eviction"].advice


async def test_tables_that_are_not_there_are_told(stores: Addresses, postgres: Postgres) -> None:
    async with postgres.statement() as db:
        await db.exec_driver_sql("CREATE DATABASE doctor_bare")
    try:
        bare = stores.database_url.replace("/colloquy?", "/doctor_bare?")
        found = await findings(stores, database_url=bare)
    finally:
        async with postgres.statement() as db:
            await db.exec_driver_sql("DROP DATABASE doctor_bare WITH (FORCE)")

    assert not found["tables"].ok
    assert found["tables"].says.startswith("revision none, newest ")
    assert found["tables"].advice == "Run: colloquy db upgrade"


async def test_a_node_that_executes_nothing_needs_workers(
    stores: Addresses, settings: Settings
) -> None:
    url, runs = f"{stores.redis_url}?db=7", {"concurrency": 0}  # where no test's nodes are
    alone = await findings(stores, redis_url=url, runs=runs)
    redis = connect(url, settings.redis)
    worker = LivenessStore(redis, settings.liveness, NodeId("one"))
    try:
        await worker.beat({})
        helped = await findings(stores, redis_url=url, runs=runs)
    finally:
        await worker.forget_node()
        await redis.aclose()

    assert not alone["workers"].ok
    assert "colloquy worker" in alone["workers"].advice
    assert (helped["workers"].ok, helped["workers"].says) == (True, "1 there")


async def test_nodes_with_stores_of_their_own_need_a_secret_in_common(stores: Addresses) -> None:
    settings = load_settings({}, database_url=stores.database_url, redis_url=stores.redis_url)

    found = {one.what: one for one in await examine(settings)}

    assert not found["secret"].ok
    assert "COLLOQUY_SECRET" in found["secret"].advice
    assert SECRET not in str(found)
