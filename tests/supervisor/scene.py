"""A node whose agent is the built-in one, on documents about ferries."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from app.embedded.servers import Addresses
from app.protocol.events import RUN_ENDS
from tests.conftest import make_settings
from tests.runs.scene import rows
from tests.support.client import Event
from tests.support.databases import Databases
from tests.support.node import Node, running_node


@contextlib.asynccontextmanager
async def supervised(stores: Addresses, **settings: Any) -> AsyncIterator[Node]:
    async with (
        Databases.of(stores).clone() as own,
        running_node(make_settings(own, **settings)) as node,
    ):
        yield node


async def converse(node: Node, *questions: str) -> tuple[str, list[Event]]:
    """Ask one after the other in a new chat; return the chat's id and all its events."""
    client = node.client()
    session = await client.start()
    async with client.socket(session, hello={}) as socket:
        for question in questions:
            await socket.ask(question)
            await socket.until_end()
    return session["chat_id"], socket.numbered()


def only(events: list[Event], type_: str) -> Event:
    [event] = [one for one in events if one["type"] == type_]
    return event


def end(events: list[Event]) -> Event:
    return [one for one in events if one["type"] in RUN_ENDS][-1]


_CHANNEL = (
    "SELECT b.type, b.blob FROM checkpoint_blobs b JOIN checkpoints c"
    " USING (thread_id, checkpoint_ns) WHERE thread_id = :t AND channel = :channel"
    " AND b.version = c.checkpoint -> 'channel_versions' ->> :channel"
    " ORDER BY c.checkpoint_id DESC LIMIT 1"
)


async def kept(node: Node, chat_id: str, channel: str) -> Any:
    """Return what the chat's newest checkpoint holds of one part of the state."""
    [found] = await rows(node, _CHANNEL, t=chat_id, channel=channel)
    return JsonPlusSerializer().loads_typed((found.type, found.blob))
