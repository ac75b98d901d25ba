"""The clients printed in the README run as printed, but for the server's address."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.node import Node, running_node

README = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
PRINTED_ADDRESS = "127.0.0.1:8000"


def printed(language: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


@pytest.fixture(scope="module")
async def default_node(settings: Settings) -> AsyncIterator[Node]:
    async with running_node(settings, agents=[]) as node:
        yield node


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_python_client_prints_the_answer(default_node: Node) -> None:
    code = printed("python").replace(PRINTED_ADDRESS, default_node.url.removeprefix("http://"))

    assert "397.8" in await run(sys.executable, "-c", code)


async def test_the_javascript_client_prints_the_answer(default_node: Node, tmp_path: Path) -> None:
    script = tmp_path / "client.mjs"
    script.write_text(
        printed("javascript").replace(PRINTED_ADDRESS, default_node.url.removeprefix("http://"))
    )

    assert "397.8" in await run(node_with_websocket(), str(script))


def node_with_websocket() -> str:
    """Node 22 or newer, which has WebSocket built in: the development tools bring one."""
    beside = Path(sys.executable).with_name("node")
    found = str(beside) if beside.exists() else shutil.which("node")
    assert found is not None
    return found
