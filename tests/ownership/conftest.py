"""Stores of one's own, and one node's retention on them."""

from collections.abc import AsyncIterator

import pytest
import structlog
from structlog.testing import LogCapture

from app.embedded.servers import Addresses
from app.ownership import retention
from tests.ownership.scene import Scene, scene_on
from tests.support.databases import Databases


@pytest.fixture
async def own(stores: Addresses) -> AsyncIterator[Addresses]:
    async with Databases.of(stores).clone() as addresses:
        yield addresses


@pytest.fixture
async def scene(own: Addresses) -> AsyncIterator[Scene]:
    async with scene_on(own) as one:
        yield one
        await one.sql("DELETE FROM users")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What retention logs."""
    capture = LogCapture()
    logger = structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr(retention, "log", logger)
    return capture
