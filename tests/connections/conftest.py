"""A chat, and a hub on the test's Valkey."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.kit.ids import ChatId, new_chat_id
from tests.connections.scene import Station, station


@pytest.fixture
async def here(redis: Redis) -> AsyncIterator[Station]:
    async with station(redis) as one:
        yield one


@pytest.fixture
def chat() -> ChatId:
    return new_chat_id()
