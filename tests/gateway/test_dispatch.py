"""What counts as a message with nothing in it."""

import pytest

from tests.support.node import Node
from tests.support.scripted import NAME


@pytest.mark.parametrize(
    "text", ["🫨", "\ue000", "👍", "ㅋ"], ids=["new emoji", "private", "emoji", "jamo"]
)
async def test_what_can_be_seen_is_a_message(node: Node, text: str) -> None:
    """An emoji newer than Python's tables was once taken for a blank."""
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        reply = await socket.ask(text)

    assert reply["type"] == "ack"


@pytest.mark.parametrize("text", ["\u3164", "\u2800\u200b", "\ufeff \u00a0", "\u115f"], ids=ascii)
async def test_what_cannot_be_seen_is_none(node: Node, text: str) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={}) as socket:
        reply = await socket.ask(text)

    assert (reply["type"], reply["code"]) == ("error", "blank_text")
