"""POST /chat/start: what is stored, whose it is, what the answer says."""

import datetime as dt
import re
import uuid
from asyncio import TaskGroup
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from app.auth.identity import SECURE_VISITOR_COOKIE, VISITOR_COOKIE
from app.auth.tokens import Tokens
from app.embedded.servers import Addresses
from app.kit.ids import new_visitor_id
from app.storage.postgres import Postgres
from tests.auth.scene import registered
from tests.conftest import SECRET, make_settings
from tests.sessions.rows import count, rows, session_row
from tests.support.answers import bearer, error_of
from tests.support.node import Node, running_node
from tests.support.scripted import NAME

PATHS = ["/chat/start", "/api/v1/chat/start"]
SESSION_ID = re.compile(r"session-[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}")


def cookie_of(answer: httpx.Response) -> tuple[str, str, dict[str, Any]]:
    """Return name, value and attributes of the one cookie an answer sets."""
    [header] = answer.headers.get_list("set-cookie")
    [morsel] = SimpleCookie(header).values()
    return morsel.key, morsel.value, {name: value for name, value in morsel.items() if value}


@pytest.mark.parametrize("path", PATHS)
async def test_a_start_stores_the_row_it_tells_of(
    node: Node, postgres: Postgres, path: str
) -> None:
    client = node.client()
    metadata = {"page": "/pricing", "tags": ["a", 1, None, True, 0.5], "이름": {"deep": {}}}

    answer = await client.http.post(path, json={"agent": NAME, "metadata": metadata})

    assert answer.status_code == 201
    told = answer.json()
    row = await session_row(postgres, told["session_id"])
    assert SESSION_ID.fullmatch(row["session_id"])
    assert row["chat_id"] == uuid.UUID(told["chat_id"])
    assert (row["user_id"], row["agent"], row["status"]) == (None, NAME, "active")
    assert row["visitor_id"] is not None
    assert row["metadata"] == metadata
    assert row["expires_at"] - row["created_at"] == dt.timedelta(days=1)
    assert row["last_activity"] == row["created_at"]
    assert (row["request_count"], row["turn_count"], row["total_tokens"]) == (0, 0, 0)
    assert told == {
        "session_id": row["session_id"],
        "chat_id": str(row["chat_id"]),
        "agent": NAME,
        "user_id": None,
        "created_at": wire(row["created_at"]),
        "expires_at": wire(row["expires_at"]),
        "ttl_seconds": 86_400,
        "ws_path": f"/ws/{row['session_id']}",
        "token": told["token"],
        "protocol": "colloquy.v1",
    }
    [stored] = await rows(
        postgres,
        "SELECT jsonb_typeof(metadata) AS kind FROM sessions WHERE session_id = :id",
        id=row["session_id"],
    )
    assert stored["kind"] == "object"


def wire(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{instant.microsecond // 1000:03d}Z"
    )


@pytest.mark.parametrize("content", [b"", b"{}", b'{"agent":null,"chat_id":null,"metadata":null}'])
async def test_a_start_that_says_nothing_takes_the_defaults(
    node: Node, postgres: Postgres, content: bytes
) -> None:
    answer = await node.client().http.post("/chat/start", content=content)

    assert answer.status_code == 201
    row = await session_row(postgres, answer.json()["session_id"])
    assert (row["agent"], row["metadata"]) == ("supervisor", {})


async def test_fields_this_server_does_not_know_are_ignored(node: Node) -> None:
    answer = await node.client().http.post("/chat/start", json={"from": "the future", "x": [1]})

    assert answer.status_code == 201


async def test_many_starts_at_once_each_get_their_own_session(node: Node) -> None:
    client = node.client()
    await client.start(metadata={"n": -1})
    async with TaskGroup() as group:
        tasks = [group.create_task(client.start(metadata={"n": n})) for n in range(60)]

    started = [task.result() for task in tasks]
    assert len({one["session_id"] for one in started}) == 60
    assert len({one["chat_id"] for one in started}) == 60
    listed = await client.http.get("/chat/sessions", params={"limit": 200})
    told = {one["session_id"]: one["metadata"]["n"] for one in listed.json()["sessions"]}
    assert [told[one["session_id"]] for one in started] == list(range(60))


async def test_a_session_never_lives_longer_than_sessions_may(stores: Addresses) -> None:
    """The TTL alone decided: with a maximum life below it, a session outlived its maximum."""
    settings = make_settings(stores, sessions={"ttl_seconds": 500, "max_seconds": 100})
    async with running_node(settings) as node:
        session = await node.client().start()

    assert session["ttl_seconds"] == 100


# The visitor's cookie


async def test_a_new_browser_gets_one_cookie_that_scripts_cannot_read(node: Node) -> None:
    answer = await node.client().http.post("/chat/start")

    name, _, attributes = cookie_of(answer)
    assert name == VISITOR_COOKIE
    assert attributes == {
        "path": "/",
        "max-age": str(400 * 86_400),
        "httponly": True,
        "samesite": "Lax",
    }


async def test_away_from_loopback_the_cookie_is_for_https_and_this_host_only(node: Node) -> None:
    answer = await node.client().http.post("/chat/start", headers={"host": "chat.example.org"})

    name, _, attributes = cookie_of(answer)
    assert name == SECURE_VISITOR_COOKIE
    assert attributes["secure"] is True
    assert "domain" not in attributes


async def test_the_cookie_is_kept_for_all_chats_of_the_browser(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    first = await client.http.post("/chat/start")

    second = await client.http.post("/chat/start")

    assert "set-cookie" not in second.headers
    owners = {
        (await session_row(postgres, answer.json()["session_id"]))["visitor_id"]
        for answer in (first, second)
    }
    assert len(owners) == 1


async def test_only_the_hash_of_the_cookie_is_stored(node: Node, postgres: Postgres) -> None:
    answer = await node.client().http.post("/chat/start")

    _, value, _ = cookie_of(answer)
    row = await session_row(postgres, answer.json()["session_id"])
    [visitor] = await rows(postgres, "SELECT * FROM visitors WHERE id = :id", id=row["visitor_id"])
    assert visitor["secret_hash"] == Tokens(SECRET.encode()).hash(value)
    assert value.partition(".")[2].encode() not in visitor["secret_hash"]


async def test_a_cookie_that_is_not_ours_is_taken_for_none(node: Node, postgres: Postgres) -> None:
    victim = await node.client().http.post("/chat/start")
    owner = (await session_row(postgres, victim.json()["session_id"]))["visitor_id"]
    forged = Tokens(b"somebody else's secret, of 32 bytes or more").visitor_cookie(owner)

    answer = await node.client().http.post(
        "/chat/start", headers={"cookie": f"{VISITOR_COOKIE}={forged}"}
    )

    assert answer.status_code == 201
    assert cookie_of(answer)[1] != forged
    assert (await session_row(postgres, answer.json()["session_id"]))["visitor_id"] != owner


async def test_a_cookie_outlives_the_database_that_knew_its_visitor(
    node: Node, postgres: Postgres
) -> None:
    """A start with a good cookie and no row behind it broke a foreign key: 500, for this
    browser for ever, and for whoever else's start was in the same statement.
    """
    visitor = new_visitor_id()
    cookie = Tokens(SECRET.encode()).visitor_cookie(visitor)
    headers = {"cookie": f"{VISITOR_COOKIE}={cookie}"}
    client = node.client()
    async with TaskGroup() as group:
        tasks = [
            group.create_task(client.http.post("/chat/start", headers=headers)) for _ in range(5)
        ]

    assert [task.result().status_code for task in tasks] == [201] * 5
    row = await session_row(postgres, tasks[0].result().json()["session_id"])
    assert row["visitor_id"] == visitor


# Refusals that are about who and what


@pytest.mark.parametrize("user_id", [1, 0, -1, 2**63])
async def test_nobody_starts_in_the_name_of_another(
    node: Node, postgres: Postgres, user_id: int
) -> None:
    before = await count(postgres, "sessions")

    answer = await node.client().http.post("/chat/start", json={"user_id": user_id})

    error_of(answer, 403, "forbidden")
    assert await count(postgres, "sessions") == before


async def test_an_agent_that_does_not_exist_is_refused(node: Node, postgres: Postgres) -> None:
    before = await count(postgres, "sessions")

    answer = await node.client().http.post("/chat/start", json={"agent": "nobody"})

    error_of(answer, 422, "unknown_agent")
    assert await count(postgres, "sessions") == before


# On a chat that is there already


async def test_a_start_on_ones_own_chat_is_another_session_with_its_agent(node: Node) -> None:
    client = node.client()
    first = await client.start(agent=NAME)

    second = await client.start(chat_id=first["chat_id"])

    assert second["session_id"] != first["session_id"]
    assert (second["chat_id"], second["agent"]) == (first["chat_id"], NAME)


async def test_a_chat_keeps_its_agent(node: Node) -> None:
    client = node.client()
    first = await client.start(agent=NAME)

    answer = await client.http.post(
        "/chat/start", json={"chat_id": first["chat_id"], "agent": "supervisor"}
    )

    error_of(answer, 422, "unknown_agent")


@pytest.mark.parametrize("with_cookie", [True, False], ids=["another visitor", "nobody"])
async def test_a_chat_of_somebody_else_looks_like_none(node: Node, with_cookie: bool) -> None:
    theirs = await node.client().start()
    mine = node.client()
    if with_cookie:
        await mine.start()

    foreign = await mine.http.post("/chat/start", json={"chat_id": theirs["chat_id"]})
    absent = await mine.http.post("/chat/start", json={"chat_id": str(uuid.uuid4())})

    assert error_of(foreign, 404, "chat_not_found") == error_of(absent, 404, "chat_not_found")


async def test_a_session_token_alone_does_not_open_its_chat_for_a_new_session(node: Node) -> None:
    theirs = await node.client().start()

    answer = await node.client().http.post(
        "/chat/start",
        json={"chat_id": theirs["chat_id"]},
        headers={"authorization": f"Bearer {theirs['token']}"},
    )

    error_of(answer, 404, "chat_not_found")


async def test_who_starts_with_the_token_of_a_users_session_can_use_what_they_started(
    node: Node,
) -> None:
    client, _ = await registered(node)
    theirs = await client.start()
    http = node.client().http

    started = (await http.post("/chat/start", headers=bearer(theirs))).json()
    answer = await node.client().http.get(
        f"/chat/sessions/{started['session_id']}", headers=bearer(started)
    )

    assert answer.json()["user_id"] is None
