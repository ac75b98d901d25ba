"""Retention as a running node does it, on chats that were really used."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from app.embedded.servers import Addresses
from app.kit.ids import ChatId
from tests.conftest import make_settings
from tests.ownership.scene import DUE, THREADS, Scene
from tests.support.node import Node, running_node
from tests.support.scripted import GATES, NAME
from tests.support.until import until

QUICK = {"every_seconds": 0.05, "pause_seconds": 0, "late_seconds": 1}


@pytest.fixture
async def node(own: Addresses) -> AsyncIterator[Node]:
    async with running_node(make_settings(own, retention=QUICK)) as one:
        yield one


async def test_a_node_sweeps_by_itself_until_nothing_is_left(node: Node, scene: Scene) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    chat = ChatId(UUID(session["chat_id"]))
    async with client.socket(session, hello={}) as socket:
        await socket.ask("say:words")
        await socket.until("run_completed")
    assert set(THREADS) & set(await scene.left())

    await scene.age(chat, DUE)

    async def is_gone() -> bool:
        return not await scene.left() and not await scene.keys(chat)

    await until(is_gone)
    answer = await client.http.get("/chat/conversations")
    assert answer.json()["conversations"] == []


async def test_what_a_run_writes_after_its_chat_was_forgotten_goes_too(
    node: Node, scene: Scene
) -> None:
    """A run at work is not asked: it finds out when it wants to write a checkpoint, which
    Postgres refuses, or to end. Words of it may have reached Redis by then.
    """
    client = node.client()
    session = await client.start(agent=NAME)
    chat = ChatId(UUID(session["chat_id"]))
    async with client.socket(session, hello={}) as socket:
        await socket.ask("say:words wait:forgotten say:more")
        await GATES.wait_until_reached("forgotten")

        counts = await scene.forgetting.forget_chats([chat])
        assert (counts["chats"], await scene.keys(chat)) == (1, 0)
        GATES.open("forgotten")

        async def has_written() -> bool:
            return bool(await scene.keys(chat))

        await until(has_written)
    await until(lambda: not node.services.worker._running)
    assert not await scene.left(*THREADS)

    await scene.pass_time()

    async def is_gone() -> bool:
        return not await scene.left() and not await scene.keys(chat)

    await until(is_gone)
