"""Chats and their messages over HTTP: in pages, and for their owner only."""

import uuid
from typing import Any

import pytest

from app.storage.postgres import Postgres
from tests.sessions.rows import rows
from tests.support.answers import bearer, error_of
from tests.support.client import Client
from tests.support.node import Node
from tests.support.scripted import GATES, NAME

QUESTIONS = [f"say:answer{number}" for number in range(4)]


@pytest.fixture(scope="module")
async def talk(node: Node) -> tuple[Client, dict[str, Any]]:
    """A chat of four questions and four answers, and its owner."""
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        for number, question in enumerate(QUESTIONS):
            await socket.ask(question, client_message_id=f"m{number}")
            await socket.until_end()
    return client, session


async def test_a_chat_says_what_it_is(talk: tuple[Client, dict[str, Any]]) -> None:
    client, session = talk

    chat = (await client.http.get(f"/chats/{session['chat_id']}")).json()

    assert chat | {"updated_at": ""} == {
        "chat_id": session["chat_id"],
        "agent": NAME,
        "title": "say:answer0",
        "message_count": 8,
        "created_at": session["created_at"],
        "updated_at": "",
    }
    assert chat["updated_at"] > chat["created_at"]


async def test_messages_come_oldest_first_as_they_are_stored(
    talk: tuple[Client, dict[str, Any]], postgres: Postgres
) -> None:
    client, session = talk

    page = (await client.http.get(f"/chats/{session['chat_id']}/messages")).json()

    assert page["next"] is None
    assert [(one["role"], one["text"]) for one in page["messages"]] == [
        part
        for number, question in enumerate(QUESTIONS)
        for part in (("user", question), ("assistant", f"answer{number}"))
    ]
    stored = await rows(
        postgres,
        "SELECT * FROM messages WHERE chat_id = :id ORDER BY seq",
        id=session["chat_id"],
    )
    assert [one["message_id"] for one in page["messages"]] == [str(row["id"]) for row in stored]
    assert [one["client_message_id"] for one in page["messages"]] == [
        "m0", None, "m1", None, "m2", None, "m3", None,
    ]  # fmt: skip
    assert {one["status"] for one in page["messages"]} == {"complete"}
    assert len({one["run_id"] for one in page["messages"]}) == 4


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 200])
async def test_pages_of_messages_together_hold_each_once(
    talk: tuple[Client, dict[str, Any]], limit: int
) -> None:
    client, session = talk
    whole = (await client.http.get(f"/chats/{session['chat_id']}/messages")).json()["messages"]
    seen: list[dict[str, Any]] = []
    before: str | None = ""

    while before is not None:
        answer = await client.http.get(
            f"/chats/{session['chat_id']}/messages", params={"limit": limit, "before": before}
        )
        page = answer.json()
        assert 1 <= len(page["messages"]) <= limit
        seen = page["messages"] + seen
        before = page["next"]

    assert seen == whole


@pytest.mark.parametrize("tail", ["", "/messages", "/snapshot"])
async def test_a_chat_of_somebody_else_looks_like_none(
    node: Node, talk: tuple[Client, dict[str, Any]], tail: str
) -> None:
    _, session = talk
    stranger = node.client()
    await stranger.start()
    theirs = f"/chats/{session['chat_id']}{tail}"

    answers = [
        await stranger.http.get(theirs),
        await node.client().http.get(theirs),
        await node.client().http.get(theirs, headers=bearer(session)),
        await stranger.http.get(f"/chats/{uuid.uuid4()}{tail}"),
        await stranger.http.get(f"/chats/{session['session_id']}{tail}"),
        await stranger.http.get(f"/chats/%00{tail}"),
    ]

    errors = [error_of(answer, 404, "chat_not_found") for answer in answers]
    assert all(error == errors[0] for error in errors)


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", "before=1.5", "before=²", f"before={10**30}", "limit=0"]
)
async def test_a_page_that_cannot_be_read_is_refused(
    talk: tuple[Client, dict[str, Any]], query: str
) -> None:
    client, session = talk

    answer = await client.http.get(f"/chats/{session['chat_id']}/messages?{query}")

    error_of(answer, 422, "bad_cursor")


async def test_before_the_first_message_there_is_nothing(
    talk: tuple[Client, dict[str, Any]],
) -> None:
    client, session = talk

    answer = await client.http.get(f"/chats/{session['chat_id']}/messages?before=1")

    assert answer.json() == {"messages": [], "next": None}


async def test_a_chat_nobody_has_spoken_in_is_empty_and_not_absent(node: Node) -> None:
    client = node.client()
    session = await client.start()

    answer = await client.http.get(f"/chats/{session['chat_id']}/messages")

    assert answer.json() == {"messages": [], "next": None}


# The snapshot


async def over_http(client: Client, session: dict[str, Any]) -> dict[str, Any]:
    answer = await client.http.get(f"/chats/{session['chat_id']}/snapshot")
    assert answer.status_code == 200, answer.text
    snapshot: dict[str, Any] = answer.json()
    return snapshot


async def over_socket(client: Client, session: dict[str, Any]) -> dict[str, Any]:
    async with client.socket(session, hello={}) as socket:
        [snapshot] = [one for one in socket.seen if one["type"] == "snapshot"]
        del snapshot["session"]  # of this very session; over HTTP there is none
        return snapshot


async def test_the_snapshot_over_http_is_the_sockets(talk: tuple[Client, dict[str, Any]]) -> None:
    client, session = talk

    assert await over_http(client, session) == await over_socket(client, session)


async def test_in_the_middle_of_an_answer_it_is_still_the_sockets(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    gate = f"middle {uuid.uuid4()}".replace(" ", "-")
    async with client.socket(session, hello={}) as socket:
        await socket.ask(f"progress:planning_started say:Hel say:lo wait:{gate} say:!")
        await GATES.wait_until_reached(gate)
        told = ""
        while told != "Hello":
            told += (await socket.until("message_delta"))["text"]

        snapshot = await over_http(client, session)

        assert snapshot == await over_socket(client, session)
        [run] = snapshot["runs"]
        assert (run["status"], run["partial"]["text"]) == ("running", "Hello")
        assert [one["type"] for one in run["events"]] == ["run_started", "planning_started"]
        GATES.open(gate)
        await socket.until_end()
    after = await over_http(client, session)
    assert after["runs"] == []
    assert after["messages"][-1]["text"] == "Hello!"


async def test_a_long_chat_is_snapshot_by_its_latest_page(node: Node, postgres: Postgres) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    await rows(
        postgres,
        "WITH counted AS (UPDATE chats SET message_count = 60 WHERE id = :chat)"
        " INSERT INTO messages (id, chat_id, seq, role, text, status, run_id)"
        " SELECT gen_random_uuid(), :chat, n, 'user', 'm' || n, 'complete', gen_random_uuid()"
        " FROM generate_series(1, 60) n",
        chat=session["chat_id"],
    )

    await rows(
        postgres,
        "UPDATE chats SET message_count = 60 WHERE id = :chat",
        chat=session["chat_id"],
    )

    snapshot = await over_http(client, session)

    assert snapshot["has_more"] is True
    assert [one["text"] for one in snapshot["messages"]] == [f"m{n}" for n in range(11, 61)]
