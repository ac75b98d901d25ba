"""The client of a Redis Cluster: where a command goes, and what is said when none takes it."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from functools import partial

import pytest
from redis.asyncio import Redis
from redis.exceptions import ClusterCrossSlotError

from app.kit.errors import Unavailable
from app.settings import RedisSettings
from app.storage.addresses import BadAddress
from app.storage.redis import connect, redis_errors
from tests.support.until import until
from tests.support.valkey_cluster import Cluster, running_cluster, running_server

SETTINGS = RedisSettings(command_seconds=2)
COUNT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Redis]:
    client = connect(cluster.url, SETTINGS)
    yield client
    await client.aclose()


async def keys_everywhere(cluster: Cluster, prefix: str) -> list[str]:
    """Return names of keys, one for each server in turn."""
    owner = await cluster.owners()
    names = [f"{prefix}-{number}" for number in range(200)]
    of_each = [[name for name in names if owner(name) is one][:10] for one in cluster.servers]
    return [name for row in zip(*of_each, strict=True) for name in row]


async def test_each_key_is_found_on_the_server_that_has_its_slot(
    cluster: Cluster, client: Redis
) -> None:
    keys = await keys_everywhere(cluster, "found")
    before = await cluster.refusals()

    await asyncio.gather(*(client.set(key, key) for key in keys))

    owner = await cluster.owners()
    for key in keys:
        assert await owner(key).client.get(key) == key
        assert await client.getdel(key) == key.encode()
    assert await cluster.refusals() == before


async def test_a_pipeline_over_all_servers_answers_in_order(
    cluster: Cluster, client: Redis
) -> None:
    """Scripts, too, on servers that never heard of them: that is one that was restarted."""
    script = client.register_script(COUNT)
    keys = await keys_everywhere(cluster, "order")
    for server in cluster.servers:
        await server.says("SCRIPT", "FLUSH")

    async with client.pipeline(transaction=False) as pipe:
        for number, key in enumerate(keys):
            await script(keys=[key], args=[number], client=pipe)
            _ = pipe.set(f"{{{key}}}:beside", number)
        answers = await pipe.execute()
    alone = [await script(keys=[key], args=[1]) for key in keys]

    assert answers[::2] == list(range(len(keys)))
    assert all(answer is True for answer in answers[1::2])
    assert alone == [number + 1 for number in range(len(keys))]


async def test_in_a_slot_on_its_way_everything_works_at_once(
    cluster: Cluster, client: Redis
) -> None:
    """The ASKING that lets a command in must precede it on its own connection."""
    move = await cluster.move("{moving}")
    script = client.register_script(COUNT)
    await client.set("{moving}:old", 0)
    await asyncio.gather(*(client.ping() for _ in range(50)))  # many connections
    await move.begin()

    async def add(number: int) -> None:
        await client.set(f"{{moving}}:{number}", number)
        await script(keys=["{moving}:old"], args=[1])

    numbers = itertools.count()
    async with asyncio.timeout(10):
        await asyncio.gather(*(add(next(numbers)) for _ in range(50)))
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(add(next(numbers)))
            group.create_task(move.finish())
        await asyncio.gather(*(add(next(numbers)) for _ in range(50)))

    assert int(await client.get("{moving}:old") or 0) == 150
    for number in range(150):
        assert int(await client.get(f"{{moving}}:{number}") or 0) == number
    assert (await cluster.owners())("{moving}") is move.target


async def test_keys_that_lie_apart_for_a_moment_are_waited_for(
    cluster: Cluster, client: Redis
) -> None:
    move = await cluster.move("{apart}")
    sum_up = client.register_script(
        "return redis.call('GET', KEYS[1]) + redis.call('GET', KEYS[2])"
    )
    await client.set("{apart}:a", 1)
    await client.set("{apart}:b", 2)
    await move.begin()
    await move.carry("{apart}:a")

    async with asyncio.TaskGroup() as group:
        summed = group.create_task(sum_up(keys=["{apart}:a", "{apart}:b"]))
        before = (await cluster.refusals())["TRYAGAIN"]
        await until(partial(_more, cluster, "TRYAGAIN", before))
        await move.carry("{apart}:b")

    assert summed.result() == 3
    await move.finish()


async def _more(cluster: Cluster, error: str, before: int) -> bool:
    return (await cluster.refusals())[error] > before


async def test_keys_that_lie_apart_for_longer_are_unavailable(cluster: Cluster) -> None:
    client = connect(cluster.url, RedisSettings(command_seconds=0.3))
    move = await cluster.move("{longer}")
    await client.set("{longer}:a", 1)
    await client.set("{longer}:b", 2)
    await move.begin()
    await move.carry("{longer}:a")

    with pytest.raises(Unavailable), redis_errors():
        await client.unlink("{longer}:a", "{longer}:b")

    await move.finish()
    assert await client.unlink("{longer}:a", "{longer}:b") == 2
    await client.aclose()


async def test_a_cancelled_task_does_not_go_on(cluster: Cluster, client: Redis) -> None:
    keys = await keys_everywhere(cluster, "cancel")

    async def work_for_ever() -> None:
        for number in itertools.count():
            await client.set(keys[number % len(keys)], number)

    for turns in range(60):
        task = asyncio.create_task(work_for_ever())
        for _ in range(10 + turns):
            await asyncio.sleep(0)
        task.cancel()

        done, _ = await asyncio.wait([task], timeout=1)

        assert done
        assert task.cancelled()


async def test_what_is_published_is_heard_on_every_server(cluster: Cluster, client: Redis) -> None:
    listeners = [client.pubsub() for _ in cluster.servers]
    for listener in listeners:
        await listener.subscribe("news")
        assert (await listener.parse_response())[0] == b"subscribe"
    connected = [await server.says("CLIENT LIST", "TYPE", "pubsub") for server in cluster.servers]

    await client.publish("news", "word")

    for listener in listeners:
        assert await listener.parse_response() == [b"message", b"news", b"word"]
        await listener.aclose()  # type: ignore[no-untyped-call]
    assert all(connected)


async def test_after_a_failover_the_replica_is_found() -> None:
    async with running_cluster(replica=True) as cluster:
        client = connect(cluster.url, RedisSettings(command_seconds=1))
        primary = cluster.servers[0]
        keys = await keys_everywhere(cluster, "kept")
        for key in keys:
            await client.set(key, key)
        assert await primary.says("WAIT", 1, 5_000) == 1

        primary.stop()

        with pytest.raises(Unavailable), redis_errors():
            await client.get(keys[0])
        await until(partial(_is_there, client, keys[0]), seconds=20)
        assert [await client.get(key) for key in keys] == [key.encode() for key in keys]
        async with client.pipeline(transaction=False) as pipe:
            for key in keys:
                _ = pipe.getdel(key)
            assert await pipe.execute() == [key.encode() for key in keys]
        await client.aclose()


async def _is_there(client: Redis, key: str) -> bool:
    try:
        with redis_errors():
            return bool(await client.get(key))
    except Unavailable:
        return False


async def test_keys_of_two_slots_in_one_command_are_our_own_mistake(running: Cluster) -> None:
    client = connect(running.url, SETTINGS)
    a, b, *_ = await keys_everywhere(running, "two")

    with pytest.raises(ClusterCrossSlotError), redis_errors():
        await client.unlink(a, b)

    with pytest.raises(ValueError, match="transaction"):
        _ = client.pipeline()
    await client.aclose()


async def test_one_server_that_answers_is_enough_to_find_the_others(cluster: Cluster) -> None:
    port = cluster.servers[2].port
    client = connect(f"redis://127.0.0.1:1,localhost:{port}?cluster=true", SETTINGS)

    async with asyncio.timeout(2):
        for key in await keys_everywhere(cluster, "enough"):
            await client.set(key, 1)
        assert await client.ping()
    await client.aclose()


async def test_a_cluster_that_is_not_there_is_unavailable() -> None:
    client = connect("redis://127.0.0.1:1?cluster=true", RedisSettings(command_seconds=0.5))

    for _ in range(3):
        with pytest.raises(Unavailable), redis_errors():
            await client.set("k", 1)
        with pytest.raises(Unavailable), redis_errors():
            await client.ping()
    await client.aclose()


async def test_a_server_of_no_cluster_says_that_it_has_no_slots() -> None:
    async with running_server() as server:
        client = connect(f"redis://127.0.0.1:{server.port}?cluster=true", SETTINGS)

        with pytest.raises(Unavailable) as caught, redis_errors():
            await client.set("k", 1)

        await client.aclose()
    assert "no node has any slot" in str(caught.value.__cause__)


async def test_an_address_that_does_not_say_cluster_is_told_that_it_is_one(
    cluster: Cluster,
) -> None:
    client = connect(f"redis://127.0.0.1:{cluster.servers[0].port}", SETTINGS)

    first, second, *_ = await keys_everywhere(cluster, "which")

    await client.set(first, 1)
    with pytest.raises(BadAddress, match=r"\?cluster=true is missing"), redis_errors():
        await client.set(second, 1)

    await client.aclose()
