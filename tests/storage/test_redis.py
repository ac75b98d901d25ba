"""The Redis client: which failures say to come back, and which are our own mistakes."""

import asyncio

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio import Connection, Redis, SSLConnection
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.exceptions import RedisError, ResponseError

from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.settings import RedisSettings
from app.storage.addresses import BadAddress
from app.storage.redis import connect, redis_errors
from tests.support.proxy import proxied


async def test_a_full_store_is_unavailable(redis: Redis) -> None:
    """The client cuts the code from the text of this answer; it passed as our mistake once."""
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable) as caught, redis_errors():
            await redis.set("full", "x")
    finally:
        await redis.config_set("maxmemory", "0")

    assert caught.value.temporary
    assert caught.value.retry_after_ms


@pytest.mark.parametrize(
    "answer",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL.",
        "NOREPLICAS Not enough good replicas to write.",
    ],
    ids=lambda answer: answer.split()[0],
)
def test_what_passes_by_itself_is_unavailable(answer: str) -> None:
    # as the client makes it
    error: RedisError = BaseParser.parse_error(answer)  # type: ignore[no-untyped-call]

    with pytest.raises(Unavailable), redis_errors():
        raise error


async def test_what_passes_by_itself_is_unavailable_in_a_pipeline_too(redis: Redis) -> None:
    """The client puts the command before the answer: a full disk was reported as a bug."""
    pipe = redis.pipeline(transaction=False)
    error: Exception = BaseParser.parse_error("MISCONF Errors writing to the AOF file")  # type: ignore[no-untyped-call]
    pipe.annotate_exception(error, 1, ("EVALSHA", "x"))

    with pytest.raises(Unavailable), redis_errors():
        raise error


async def test_our_own_mistakes_are_not_called_unavailable(redis: Redis) -> None:
    await redis.set("a-string", "x", ex=60)

    with pytest.raises(ResponseError, match="WRONGTYPE"), redis_errors():
        await redis.lpush("a-string", "y")


async def test_a_store_that_is_not_there_is_unavailable() -> None:
    redis = connect("unix:///nowhere/at/all.sock", RedisSettings(command_seconds=0.3))

    with pytest.raises(Unavailable), redis_errors():
        await redis.ping()

    await redis.aclose()


async def test_a_store_that_hangs_is_unavailable_in_time_and_works_again(
    stores: Addresses,
) -> None:
    async with proxied(stores) as proxies:
        redis = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.2))
        await redis.ping()

        proxies.redis.stall()
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable), redis_errors():
                await redis.ping()
        await proxies.redis.restore()

        assert await redis.ping()
        await redis.aclose()


async def test_a_command_that_failed_is_not_repeated(stores: Addresses, redis: Redis) -> None:
    """Whether it took effect is not known: only its caller can tell whether once more is right."""
    await redis.delete("counted-once")
    async with proxied(stores) as proxies:
        client = connect(proxies.addresses.redis_url, RedisSettings(command_seconds=0.2))
        await client.ping()

        proxies.redis.stall()
        with pytest.raises(Unavailable), redis_errors():
            await client.incr("counted-once")
        await proxies.redis.restore()

        await client.ping()
        await client.aclose()

    assert int(await redis.get("counted-once") or 0) <= 1


async def test_more_callers_than_connections_take_turns(stores: Addresses) -> None:
    redis = connect(stores.redis_url, RedisSettings(connections=2))

    assert all(await asyncio.gather(*(redis.ping() for _ in range(50))))

    await redis.aclose()


async def test_a_cancelled_task_does_not_go_on(stores: Addresses) -> None:
    """Where the client writes, Python 3.11 loses every tenth cancellation or so: the task went
    on as if nothing had been said, and a node that was told to stop did not.
    """
    redis = connect(stores.redis_url, RedisSettings())

    async def work_for_ever() -> None:
        while True:
            await redis.ping()

    for turns in range(60):
        task = asyncio.create_task(work_for_ever())
        for _ in range(10 + turns):
            await asyncio.sleep(0)
        task.cancel()

        done, _ = await asyncio.wait([task], timeout=1)

        assert done
        assert task.cancelled()
    await redis.aclose()


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost:6379"])
def test_an_address_that_is_none_says_so(url: str) -> None:
    with pytest.raises(BadAddress, match="COLLOQUY_REDIS_URL must begin with redis://"):
        _ = connect(url, RedisSettings())


def test_the_url_does_not_outweigh_what_the_code_relies_on() -> None:
    redis = connect("redis://h:7000/3?decode_responses=true&socket_timeout=9", RedisSettings())

    options = redis.connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("h", 7000, 3)
    assert options["decode_responses"] is False
    assert options["socket_timeout"] == RedisSettings().command_seconds


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://h", Connection),
        ("rediss://h", SSLConnection),
        ("unix:///a.sock", UnixDomainSocketConnection),
    ],
)
def test_every_kind_of_address_has_its_kind_of_connection(url: str, kind: type) -> None:
    redis = connect(url, RedisSettings())

    assert issubclass(redis.connection_pool.connection_class, kind)
