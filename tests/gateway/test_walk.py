"""A person's message, from a real socket to the graph and back."""

from tests.support.node import Node
from tests.support.scripted import NAME


async def test_a_question_is_acknowledged_and_then_answered_in_order(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={"tab": "t1"}) as socket:
        ack = await socket.ask("say:Hel say:lo", client_message_id="m1")
        await socket.until_end()

    assert ack["type"] == "ack"
    assert ack["duplicate"] is False
    events = socket.numbered()
    assert [event["type"] for event in events] == [
        "user_message",
        "run_started",
        "message_started",
        "message_delta",
        "message_completed",
        "run_completed",
    ]
    assert [event["offset"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[3]["text"] == "Hello"
    assert events[4]["text"] == "Hello"
