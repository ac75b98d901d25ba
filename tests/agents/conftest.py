"""Savers over the tests' Postgres, and a connection beside them."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from app.agents.saver import Savers, open_savers
from app.embedded.servers import Addresses
from app.settings import Settings


@pytest.fixture
async def savers(settings: Settings) -> AsyncIterator[Savers]:
    assert settings.database_url is not None
    async with open_savers(settings.database_url.get_secret_value(), settings.database) as savers:
        yield savers


@pytest.fixture
async def sql(stores: Addresses) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    connection = await psycopg.AsyncConnection.connect(stores.database_url, autocommit=True)
    async with connection:
        yield connection
