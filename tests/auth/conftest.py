"""A node that puts its mails into a folder of its own, and one that believes providers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.embedded.servers import Addresses
from tests.auth.social_scene import Scene
from tests.conftest import make_settings
from tests.support.node import Node, running_node
from tests.support.provider import free_port, running_provider


@pytest.fixture(scope="package")
async def mailing(
    stores: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Node]:
    folder: Path = tmp_path_factory.mktemp("data")
    async with running_node(make_settings(stores, data_dir=folder)) as node:
        yield node


@pytest.fixture(scope="package")
async def social(
    stores: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with running_provider(url) as provider:
        settings = make_settings(
            stores,
            data_dir=tmp_path_factory.mktemp("social"),
            server={"public_url": url},
            social=provider.settings(),
        )
        async with running_node(settings, port=port) as node:
            yield Scene(node, provider)
