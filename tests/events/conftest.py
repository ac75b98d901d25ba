"""The log and the publisher on the test's stores."""

import pytest
from redis.asyncio import Redis

from app.events.log import EventLog
from app.events.outbox import EventPublisher
from app.kit.ids import ChatId, new_chat_id
from app.settings import EventSettings
from app.storage.postgres import Postgres


@pytest.fixture
def event_log(redis: Redis) -> EventLog:
    return EventLog(redis, EventSettings())


@pytest.fixture
def publisher(event_log: EventLog, postgres: Postgres) -> EventPublisher:
    return EventPublisher(event_log=event_log, postgres=postgres, settings=EventSettings())


@pytest.fixture
def chat() -> ChatId:
    """A chat nobody has said anything in."""
    return new_chat_id()
