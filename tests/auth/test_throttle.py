"""After some free tries, each takes twice as long."""

import asyncio
import hashlib
import uuid

import pytest
from redis.asyncio import Redis

from app.auth.errors import TooManyTries
from app.auth.throttle import Throttle
from app.settings import AuthSettings


def throttle(redis: Redis, **given: int) -> Throttle:
    settings = {"tries_per_account": 3, "tries_per_address": 1_000, **given}
    return Throttle(redis, AuthSettings(**settings))


def key_of(account: str) -> str:
    return f"tries:account:{hashlib.sha256(account.encode()).hexdigest()}"


def new_name() -> str:
    return uuid.uuid4().hex


async def test_each_try_after_the_free_ones_makes_the_next_wait_longer(redis: Redis) -> None:
    tries, account = throttle(redis, wait_seconds=5), new_name()
    waits: list[int] = []

    for _ in range(3):
        await tries.enter(account=account, address="a")
    for _ in range(3):
        with pytest.raises(TooManyTries) as caught:
            await tries.enter(account=account, address="a")
        waits.append(caught.value.retry_after_ms or 0)
        await redis.hset(key_of(account), "until", "0")
        await tries.enter(account=account, address="a")

    assert [round(wait / 1000) for wait in waits] == [2, 4, 5]


async def test_many_tries_at_once_are_no_way_around_it(redis: Redis) -> None:
    tries, account = throttle(redis), new_name()

    answers = await asyncio.gather(
        *(tries.enter(account=account, address="a") for _ in range(50)), return_exceptions=True
    )

    assert sum(one is None for one in answers) == 3


async def test_who_succeeds_begins_anew(redis: Redis) -> None:
    tries, account = throttle(redis), new_name()

    for _ in range(10):
        await tries.enter(account=account, address="a")
        await tries.enter(account=account, address="a")
        await tries.succeeded(account=account, address="a")


async def test_one_address_cannot_go_through_all_accounts(redis: Redis) -> None:
    tries, address = throttle(redis, tries_per_address=3), new_name()

    for _ in range(3):
        await tries.enter(account=new_name(), address=address)

    with pytest.raises(TooManyTries):
        await tries.enter(account=new_name(), address=address)
    await tries.enter(account=new_name(), address=new_name())


async def test_tries_are_forgotten_in_time(redis: Redis) -> None:
    tries, account = throttle(redis, tries_seconds=100), new_name()

    await tries.enter(account=account, address=new_name())

    assert 0 < await redis.ttl(key_of(account)) <= 100
