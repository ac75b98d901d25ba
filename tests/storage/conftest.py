"""A Redis Cluster for the tests that need one."""

from collections.abc import AsyncIterator

import pytest

from tests.support.valkey_cluster import Cluster, running_cluster

# Commands that were not executed, for reasons of the cluster's own; each is sent once more.
# Anything else is ours: CROSSSLOT, say, or a key that a script did not declare.
_ITS_OWN = {"MOVED", "ASK", "TRYAGAIN", "NOSCRIPT", "CLUSTERDOWN"}


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Cluster]:
    async with running_cluster() as cluster:
        yield cluster


@pytest.fixture
async def cluster(running: Cluster) -> AsyncIterator[Cluster]:
    """A healthy cluster of three, which in the end has refused nothing that a test sent."""
    before = await running.refusals()
    yield running
    refused = await running.refusals() - before
    assert set(refused) <= _ITS_OWN, refused
