"""One real Postgres and one real Valkey for each test process, from the code users run."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.embedded.servers import Addresses, servers
from app.observability import logs
from app.settings import LogSettings, Settings, load_settings
from app.storage import migrations
from app.storage.postgres import Postgres
from app.storage.redis import connect
from tests.support.limits import UNLIMITED
from tests.support.node import Node, running_node

logs.configure(LogSettings(level="warning", format="console"))

SECRET = "a secret that is only good for tests, 32 bytes or more"


@pytest.fixture(scope="session")
async def stores() -> AsyncIterator[Addresses]:
    """Running servers with migrated tables. Tests share them and keep to their own rows."""
    base = Path(tempfile.gettempdir()) / f"colloquy-tests-{os.getpid()}"
    try:
        async with servers(base) as addresses:
            await asyncio.to_thread(migrations.upgrade, addresses.database_url)
            yield addresses
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def settings(stores: Addresses) -> Settings:
    return make_settings(stores)


def make_settings(stores: Addresses, **given: object) -> Settings:
    """Return settings on the test's stores; groups are given as dictionaries."""
    base = {
        "database_url": stores.database_url,
        "redis_url": stores.redis_url,
        "secret": SECRET,
        "data_dir": Path(tempfile.gettempdir()) / f"colloquy-tests-{os.getpid()}" / "data",
        "limits": UNLIMITED,
        "auth": {"tries_per_address": 100_000},  # all of them come from one
        "database": {"pool_size": 5, "checkpoint_pool_size": 5, "migrate": False},
    }
    return load_settings({}, **{**base, **given})


@pytest.fixture(scope="session")
async def postgres(settings: Settings) -> AsyncIterator[Postgres]:
    assert settings.database_url is not None
    postgres = Postgres(settings.database_url.get_secret_value(), settings.database)
    yield postgres
    await postgres.close()


@pytest.fixture(scope="session")
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    assert settings.redis_url is not None
    redis = connect(settings.redis_url.get_secret_value(), settings.redis)
    yield redis
    await redis.aclose()


@pytest.fixture(scope="session")
async def node(settings: Settings) -> AsyncIterator[Node]:
    """A whole running node with the scripted agent, shared by tests that change no settings."""
    async with running_node(settings) as node:
        yield node


@pytest.fixture(scope="session")
def quick_watch() -> Iterator[None]:
    """Let nodes look after their sockets more often than each second; nothing else changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.gateway.watch._LOOK_SECONDS", 0.05)
        yield
