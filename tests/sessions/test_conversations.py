"""GET /chat/conversations: one's own chats, in pages, most recent first."""

import base64
from typing import Any

import pytest

from app.storage.postgres import Postgres
from tests.sessions.rows import rows
from tests.sessions.test_routes import path_of
from tests.support.answers import bearer, error_of
from tests.support.client import Client
from tests.support.node import Node
from tests.support.scripted import NAME

PATHS = ["/chat/conversations", "/api/v1/chat/conversations"]


async def say(client: Client, session: dict[str, Any], text: str) -> None:
    async with client.socket(session, hello={}) as socket:
        await socket.ask(text)
        assert (await socket.until_end())["type"] == "run_completed"


async def listed(client: Client, **params: Any) -> dict[str, Any]:
    answer = await client.http.get("/chat/conversations", params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


@pytest.fixture(scope="module")
async def talker(node: Node) -> tuple[Client, list[dict[str, Any]]]:
    """A visitor with five chats, the last of which was spoken in most lately."""
    client = node.client()
    sessions = [await client.start(agent=NAME) for _ in range(5)]
    for number, session in enumerate(sessions):
        await say(client, session, f"say:answer{number}")
    return client, sessions


@pytest.mark.parametrize("path", PATHS)
async def test_chats_come_most_recent_first_with_their_last_words(
    talker: tuple[Client, list[dict[str, Any]]], path: str
) -> None:
    client, sessions = talker

    answer = await client.http.get(path)

    page = answer.json()
    assert page["next"] is None
    assert [one["chat_id"] for one in page["conversations"]] == [
        session["chat_id"] for session in sessions[::-1]
    ]
    assert page["conversations"][0] | {"created_at": "", "updated_at": ""} == {
        "chat_id": sessions[-1]["chat_id"],
        "session_id": sessions[-1]["session_id"],
        "agent": NAME,
        "title": "say:answer4",
        "created_at": "",
        "updated_at": "",
        "last_message": "answer4",
        "message_count": 2,
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
async def test_pages_together_hold_every_chat_once(
    talker: tuple[Client, list[dict[str, Any]]], limit: int
) -> None:
    client, sessions = talker
    seen: list[str] = []
    cursor: str | None = ""

    while cursor is not None:
        page = await listed(client, limit=limit, cursor=cursor)
        assert 1 <= len(page["conversations"]) <= limit
        seen += [one["chat_id"] for one in page["conversations"]]
        cursor = page["next"]

    assert seen == [session["chat_id"] for session in sessions[::-1]]


async def test_chats_of_the_same_instant_are_neither_lost_nor_doubled(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    sessions = [await client.start(agent=NAME) for _ in range(5)]
    await rows(
        postgres,
        "UPDATE chats SET message_count = 1, updated_at = '2026-01-01T00:00:00.123456Z'"
        " WHERE id = ANY(CAST(:ids AS uuid[]))",
        ids=[session["chat_id"] for session in sessions],
    )
    seen: list[str] = []
    cursor: str | None = ""

    while cursor is not None:
        page = await listed(client, limit=2, cursor=cursor)
        seen += [one["chat_id"] for one in page["conversations"]]
        cursor = page["next"]

    assert sorted(seen) == sorted(session["chat_id"] for session in sessions)


async def test_a_chat_moves_up_when_something_is_said_in_it(node: Node) -> None:
    client = node.client()
    older, newer = await client.start(agent=NAME), await client.start(agent=NAME)
    await say(client, older, "one")
    await say(client, newer, "two")

    await say(client, older, "three")

    page = await listed(client)
    assert [one["chat_id"] for one in page["conversations"]] == [
        older["chat_id"],
        newer["chat_id"],
    ]


async def test_a_chat_is_reached_through_its_newest_session(node: Node) -> None:
    client = node.client()
    first = await client.start(agent=NAME)
    await say(client, first, "hello")
    second = await client.start(chat_id=first["chat_id"])

    [one] = (await listed(client))["conversations"]

    assert one["session_id"] == second["session_id"]


async def test_a_long_last_message_is_cut_and_an_empty_chat_is_left_out(node: Node) -> None:
    client = node.client()
    session, _ = await client.start(agent=NAME), await client.start(agent=NAME)
    await say(client, session, "say:" + "가" * 500)

    [one] = (await listed(client))["conversations"]

    assert one["last_message"] == "가" * 200
    assert len(one["title"]) <= 80


async def test_nobody_sees_chats_of_another(
    node: Node, talker: tuple[Client, list[dict[str, Any]]]
) -> None:
    _, sessions = talker
    stranger = node.client()
    await stranger.start()

    assert await listed(stranger) == {"conversations": [], "next": None}
    assert await listed(node.client()) == {"conversations": [], "next": None}
    with_token = await node.client().http.get("/chat/conversations", headers=bearer(sessions[0]))
    assert with_token.json() == {"conversations": [], "next": None}


async def test_a_cursor_of_another_visitor_shows_nothing_of_theirs(
    node: Node, talker: tuple[Client, list[dict[str, Any]]]
) -> None:
    client, _ = talker
    cursor = (await listed(client, limit=1))["next"]
    stranger = node.client()
    await stranger.start()

    assert (await listed(stranger, cursor=cursor))["conversations"] == []


@pytest.mark.parametrize("user_id", ["1", "None", "", "null", "-1"])
async def test_asking_for_another_users_chats_is_forbidden(node: Node, user_id: str) -> None:
    """``user_id=None`` was let through: it is how Python writes the id of nobody."""
    client = node.client()
    await client.start()

    answer = await client.http.get("/chat/conversations", params={"user_id": user_id})

    error_of(answer, 403, "forbidden")


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


UUID = "01a1fb4f-a3dd-7f64-9202-6bebb4d33249"


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "%",
        "가",
        "A" * 5_000,
        cursor("2026-01-01T00:00:00+00:00"),
        cursor(f"2026-01-01T00:00:00|{UUID}"),
        cursor(f"yesterday|{UUID}"),
        cursor("2026-01-01T00:00:00+00:00|1"),
        cursor(f"0001-01-01T00:00:00+14:00|{UUID}"),
        cursor(f"9999-12-31T23:59:59-14:00|{UUID}"),
    ],
)
async def test_a_cursor_somebody_made_up_is_refused(node: Node, bad: str) -> None:
    """One outside the calendar of UTC broke the database driver: 500."""
    client = node.client()
    await client.start()

    answer = await client.http.get("/chat/conversations", params={"cursor": bad})

    error_of(answer, 422, "bad_cursor")


async def test_an_ended_session_does_not_hide_its_chat(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    await say(client, session, "hello")
    await client.http.delete(path_of(session))

    [one] = (await listed(client))["conversations"]

    assert one["chat_id"] == session["chat_id"]
