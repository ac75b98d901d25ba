"""Two nodes that share stores nobody else uses, and nodes with settings of their own."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from app.embedded.servers import Addresses
from app.settings import Settings
from tests.conftest import make_settings
from tests.runs.agents import AGENTS
from tests.support.databases import Databases
from tests.support.node import Node, running_node

# Whatever moves, moves by a signal or a wake-up: nothing in these tests waits for a poll.
PATIENT = {"poll_seconds": 600}
# A node that vanishes is missed soon.
HASTY = {"lease_seconds": 0.8, "heartbeat_seconds": 0.15, "poll_seconds": 0.1}


def begin(settings: Settings) -> AbstractAsyncContextManager[Node]:
    """Run a node with every agent of these tests."""
    return running_node(settings, agents=AGENTS)


def heedless(settings: Settings, **runs: float) -> Settings:
    """Return settings no operator can give: a node that may forget to renew its leases."""
    return settings.model_copy(update={"runs": settings.runs.model_copy(update=runs)})


@pytest.fixture(scope="session")
def databases(stores: Addresses) -> Databases:
    return Databases.of(stores)


@pytest.fixture(scope="session")
async def pair(databases: Databases) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes on one pair of stores; tests keep to their own chats."""
    async with contextlib.AsyncExitStack() as stack:
        shared = await stack.enter_async_context(databases.clone())
        settings = make_settings(shared, runs=PATIENT)
        here = await stack.enter_async_context(begin(settings))
        there = await stack.enter_async_context(begin(settings))
        yield here, there


@pytest.fixture
def node(pair: tuple[Node, Node]) -> Node:
    return pair[0]


@pytest.fixture
def other(pair: tuple[Node, Node]) -> Node:
    return pair[1]


@pytest.fixture
async def own(databases: Databases) -> AsyncIterator[Addresses]:
    """Stores for one test: its nodes claim no other test's runs."""
    async with databases.clone() as addresses:
        yield addresses
