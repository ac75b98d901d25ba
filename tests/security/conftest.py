"""A node that puts its mails into a folder of its own, and a browser."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.auth import throttle
from app.embedded.servers import Addresses
from tests.browser.conftest import browser
from tests.conftest import make_settings
from tests.support.node import Node, running_node

__all__ = ["browser"]


@pytest.fixture
async def no_tries(redis: Redis) -> AsyncIterator[None]:
    """Forget the tries with what is no address: they count together, for all tests."""
    await redis.delete(throttle._key("account", ""))
    yield
    await redis.delete(throttle._key("account", ""))


@pytest.fixture(scope="package")
async def guarded(
    stores: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Node]:
    settings = make_settings(stores, data_dir=tmp_path_factory.mktemp("data"))
    async with running_node(settings) as node:
        yield node
