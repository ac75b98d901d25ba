"""The same caller with the same Idempotency-Key begins one session, however often it asks."""

import uuid
from asyncio import TaskGroup

import pytest

from app.storage.postgres import Postgres
from tests.sessions.rows import count, rows, session_row
from tests.support.answers import bearer, error_of
from tests.support.node import Node
from tests.support.scripted import NAME


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


async def test_a_repeated_start_gets_the_same_session_and_token(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    await client.start()
    headers = key()
    first = await client.http.post("/chat/start", json={"agent": NAME}, headers=headers)
    before = await count(postgres, "sessions"), await count(postgres, "chats")

    second = await client.http.post("/api/v1/chat/start", json={"agent": NAME}, headers=headers)

    assert second.status_code == 201
    same = ("session_id", "chat_id", "token", "created_at", "expires_at", "agent")
    assert [second.json()[name] for name in same] == [first.json()[name] for name in same]
    assert (await count(postgres, "sessions"), await count(postgres, "chats")) == before


async def test_a_browser_whose_first_answer_was_lost_gets_session_and_cookie_again(
    node: Node,
) -> None:
    headers = key()
    lost = await node.client().http.post("/chat/start", headers=headers)
    client = node.client()

    again = await client.http.post("/chat/start", headers=headers)

    assert again.json()["session_id"] == lost.json()["session_id"]
    assert again.json()["token"] == lost.json()["token"]
    assert again.headers["set-cookie"] == lost.headers["set-cookie"]
    listed = await client.http.get("/chat/sessions")
    assert [one["session_id"] for one in listed.json()["sessions"]] == [again.json()["session_id"]]


async def test_without_a_cookie_a_start_cannot_be_repeated_for_ever(
    node: Node, postgres: Postgres
) -> None:
    """The answer gives a cookie to whoever has the key and the same address, for life."""
    headers = key()
    first = (await node.client().http.post("/chat/start", headers=headers)).json()
    await rows(
        postgres,
        "UPDATE sessions SET created_at = now() - interval '11 minutes' WHERE session_id = :id",
        id=first["session_id"],
    )

    later = await node.client().http.post("/chat/start", headers=headers)

    assert later.status_code == 201
    assert later.json()["session_id"] != first["session_id"]
    assert later.json()["token"] != first["token"]


@pytest.mark.parametrize("known", [True, False], ids=["with a cookie", "without"])
async def test_twenty_starts_at_once_with_one_key_make_one_session(
    node: Node, postgres: Postgres, known: bool
) -> None:
    client = node.client()
    if known:
        await client.start()
    cookies = dict(client.http.cookies)
    headers = key()
    before = [await count(postgres, table) for table in ("sessions", "chats", "visitors")]
    clients = [node.client() for _ in range(20)]
    for one in clients:
        one.http.cookies.update(cookies)

    async with TaskGroup() as group:
        tasks = [
            group.create_task(one.http.post("/chat/start", headers=headers)) for one in clients
        ]

    answers = [task.result() for task in tasks]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert len({answer.json()["token"] for answer in answers}) == 1
    after = [await count(postgres, table) for table in ("sessions", "chats", "visitors")]
    new = [now - then for now, then in zip(after, before, strict=True)]
    assert new == [1, 1, 0 if known else 1]


async def test_another_caller_with_the_same_key_gets_another_session(node: Node) -> None:
    one, other = node.client(), node.client()
    await one.start()
    await other.start()
    headers = key()

    first = await one.http.post("/chat/start", headers=headers)
    second = await other.http.post("/chat/start", headers=headers)

    assert first.json()["session_id"] != second.json()["session_id"]
    assert first.json()["token"] != second.json()["token"]


async def test_a_key_is_free_again_when_its_session_has_ended(node: Node) -> None:
    client = node.client()
    await client.start()
    headers = key()
    first = (await client.http.post("/chat/start", headers=headers)).json()
    await client.http.delete(f"/chat/sessions/{first['session_id']}", headers=bearer(first))

    second = await client.http.post("/chat/start", headers=headers)

    assert second.status_code == 201
    assert second.json()["session_id"] != first["session_id"]


@pytest.mark.parametrize(
    "other", [{"agent": "supervisor"}, {"metadata": {"n": 2}}, {"agent": NAME, "metadata": {}}]
)
async def test_a_key_used_for_something_else_is_a_conflict(
    node: Node, postgres: Postgres, other: dict[str, object]
) -> None:
    """The second request got the first one's session, with an agent it had not asked for."""
    client = node.client()
    await client.start()
    headers = key()
    body = {"agent": NAME, "metadata": {"n": 1}}
    first = await client.http.post("/chat/start", json=body, headers=headers)

    second = await client.http.post("/chat/start", json=other, headers=headers)

    error_of(second, 409, "idempotency_conflict")
    row = await session_row(postgres, first.json()["session_id"])
    assert row["metadata"] == {"n": 1}


async def test_a_key_used_on_another_chat_is_a_conflict(node: Node) -> None:
    client = node.client()
    one, other = await client.start(), await client.start()
    headers = key()
    await client.http.post("/chat/start", json={"chat_id": one["chat_id"]}, headers=headers)

    answer = await client.http.post(
        "/chat/start", json={"chat_id": other["chat_id"]}, headers=headers
    )

    error_of(answer, 409, "idempotency_conflict")


@pytest.mark.parametrize("value", ["", "k" * 256])
async def test_a_key_has_1_to_255_characters(node: Node, value: str) -> None:
    answer = await node.client().http.post("/chat/start", headers={"idempotency-key": value})

    error_of(answer, 422, "bad_request")


async def test_the_key_itself_is_not_stored(node: Node, postgres: Postgres) -> None:
    headers = key()
    session = (await node.client().http.post("/chat/start", headers=headers)).json()

    row = await session_row(postgres, session["session_id"])

    assert len(row["idempotency_hash"]) == 32
    assert headers["idempotency-key"].encode() not in row["idempotency_hash"]
