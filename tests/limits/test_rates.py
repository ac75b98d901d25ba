"""How often: exact, the same on all nodes, and never in the way when Redis is gone."""

import asyncio
import time
import uuid

import pytest
from redis.asyncio import Redis

from app.embedded.servers import Addresses
from app.limits import rates as module
from app.limits.errors import RateLimited
from app.limits.rates import Rates
from app.settings import BadSettings, LimitSettings, RedisSettings, load_settings
from app.storage.redis import connect
from tests.support.proxy import proxied
from tests.support.valkey_cluster import running_cluster


def new_rates(redis: Redis, rate: str) -> Rates:
    return Rates(redis, LimitSettings(queries=rate), monotonic=time.monotonic)


async def wait_of(rates: Rates, who: str) -> int:
    """Return for how many milliseconds a message is refused; 0 if it is not."""
    try:
        await rates.count("queries", who)
    except RateLimited as refused:
        return refused.retry_after_ms or -1
    return 0


async def test_so_many_pass_on_all_nodes_together_and_no_more(redis: Redis) -> None:
    one, other, who = new_rates(redis, "5/minute"), new_rates(redis, "5/minute"), uuid.uuid4().hex

    waits = await asyncio.gather(*(wait_of(rates, who) for rates in (one, other) * 20))

    assert waits.count(0) == 5
    assert all(59_000 < wait <= 60_001 for wait in waits if wait)


async def test_somebody_else_is_not_touched(redis: Redis) -> None:
    rates, who = new_rates(redis, "1/minute"), uuid.uuid4().hex
    await wait_of(rates, who)

    assert await wait_of(rates, who) > 0

    assert await wait_of(rates, uuid.uuid4().hex) == 0
    await rates.count("anonymous_queries", who)


async def test_who_waits_as_long_as_is_said_passes_and_not_before(redis: Redis) -> None:
    rates, other, who = new_rates(redis, "2/second"), new_rates(redis, "2/second"), uuid.uuid4().hex
    for _ in range(2):
        assert await wait_of(rates, who) == 0

    wait = await wait_of(rates, who)

    assert 0 < wait <= 1_001
    await asyncio.sleep(wait / 2_000)
    assert 0 < await wait_of(other, who) < wait
    await asyncio.sleep(await wait_of(rates, who) / 1_000)
    assert await wait_of(rates, who) == 0


async def test_a_refusal_is_remembered_and_costs_no_round_trip(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KNOWN", 2)
    rates, crowd = new_rates(redis, "1/minute"), [uuid.uuid4().hex for _ in range(4)]
    for who in crowd:
        await wait_of(rates, who)
        assert await wait_of(rates, who) > 0

    monkeypatch.setattr(rates, "_limiter", None)  # who asks it now fails

    assert all([await wait_of(rates, who) > 0 for who in crowd[:2]])
    assert len(rates._refused) == 2  # however many are refused


async def test_what_is_off_or_nobodys_is_not_counted(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = new_rates(redis, "off")
    monkeypatch.setattr(rates, "_limiter", None)

    await rates.count("queries", "a")
    await rates.count("starts", None)


async def test_without_redis_everything_passes_and_few_wait_for_its_answer(
    stores: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.5)
    async with proxied(stores) as proxies:
        redis = connect(proxies.addresses.redis_url, RedisSettings())
        rates, who = new_rates(redis, "1/minute"), uuid.uuid4().hex
        await rates.count("queries", who)
        proxies.redis.stall()

        began = time.monotonic()
        assert await wait_of(rates, who) == 0
        first = time.monotonic() - began
        assert await wait_of(rates, who) == 0
        rest = time.monotonic() - began - first

        assert first < module._ANSWER_SECONDS["queries"] + 0.1
        assert rest < 0.05
        await proxies.restore()
        async with asyncio.timeout(5):
            while not await wait_of(rates, who):  # noqa: ASYNC110 - counted again soon after
                await asyncio.sleep(0.02)
        await redis.aclose()


async def test_a_redis_cluster_will_do(stores: Addresses) -> None:
    async with running_cluster() as cluster:
        redis = connect(cluster.url, RedisSettings())
        one, other = new_rates(redis, "2/minute"), new_rates(redis, "2/minute")
        for who in (uuid.uuid4().hex for _ in range(20)):  # on all its servers
            waits = [await wait_of(rates, who) for rates in (one, other, one)]
            assert [wait > 0 for wait in waits] == [False, False, True]
        await redis.aclose()


@pytest.mark.parametrize("rate", ["", "0/minute", "20", "5/fortnight", "20/minute;1/second"])
def test_what_is_no_rate_is_refused_at_the_start(rate: str) -> None:
    with pytest.raises(BadSettings, match="COLLOQUY_LIMITS__STARTS"):
        load_settings({}, limits={"starts": rate})


@pytest.mark.parametrize("rate", ["off", "20/minute", "5/10 seconds", "1/day"])
async def test_a_rate_is_written_as(redis: Redis, rate: str) -> None:
    new_rates(redis, rate)
