"""A node that puts its mails into a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.embedded.servers import Addresses
from tests.conftest import make_settings
from tests.support.node import Node, running_node


@pytest.fixture(scope="package")
async def mailing(
    stores: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Node]:
    folder: Path = tmp_path_factory.mktemp("data")
    async with running_node(make_settings(stores, data_dir=folder)) as node:
        yield node
