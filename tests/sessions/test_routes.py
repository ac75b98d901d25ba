"""GET, extend, heartbeat, ticket and DELETE of a session: for its owner and its token only."""

import uuid
from typing import Any

import pytest

from app.storage.postgres import Postgres
from tests.sessions.rows import rows, session_row
from tests.support.answers import bearer, error_of
from tests.support.client import Client
from tests.support.node import Node
from tests.support.waiting import eventually

ACTIONS = {
    "get": ("GET", ""),
    "extend": ("POST", "/extend"),
    "heartbeat": ("POST", "/heartbeat"),
    "ticket": ("POST", "/ticket"),
    "end": ("DELETE", ""),
}


def path_of(session: dict[str, Any] | str, tail: str = "") -> str:
    session_id = session if isinstance(session, str) else session["session_id"]
    return f"/chat/sessions/{session_id}{tail}"


async def end(client: Client, session: dict[str, Any]) -> None:
    answer = await client.http.delete(path_of(session), headers=bearer(session))
    assert answer.status_code == 200


async def expire(postgres: Postgres, session: dict[str, Any]) -> None:
    """Let a session's time pass; nothing else has noticed yet."""
    await rows(
        postgres,
        "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE session_id = :id",
        id=session["session_id"],
    )


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("proof", ["cookie", "token"])
async def test_the_owner_and_whoever_holds_the_token_may(
    node: Node, action: str, proof: str
) -> None:
    owner = node.client()
    session = await owner.start()
    method, tail = ACTIONS[action]
    client = owner if proof == "cookie" else node.client()

    answer = await client.http.request(
        method, path_of(session, tail), headers=bearer(session) if proof == "token" else {}
    )

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_foreign_session_looks_like_one_that_does_not_exist(
    node: Node, postgres: Postgres, action: str
) -> None:
    theirs = await node.client().start()
    client = node.client()
    mine = await client.start()
    method, tail = ACTIONS[action]

    answers = [
        await client.http.request(method, path_of(theirs, tail)),
        await client.http.request(method, path_of(theirs, tail), headers=bearer(mine)),
        await client.http.request(method, path_of(f"session-{uuid.uuid4()}", tail)),
        await client.http.request(method, path_of("session-1", tail)),
        await client.http.request(method, path_of(theirs["session_id"].upper(), tail)),
    ]

    errors = [error_of(answer, 404, "session_not_found") for answer in answers]
    assert all(error == errors[0] for error in errors)
    assert (await session_row(postgres, theirs["session_id"]))["status"] == "active"


@pytest.mark.parametrize("action", ACTIONS)
async def test_the_id_alone_is_worth_nothing_over_http(node: Node, action: str) -> None:
    session = await node.client().start()
    method, tail = ACTIONS[action]

    answer = await node.client().http.request(method, path_of(session, tail))

    error_of(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("broken", ["other mac", "other session", "no prefix", "rubbish", "cut"])
async def test_a_token_that_was_tampered_with_is_refused_even_beside_a_good_cookie(
    node: Node, action: str, broken: str
) -> None:
    owner = node.client()
    session, other = await owner.start(), await owner.start()
    token: str = session["token"]
    forged = {
        "other mac": token[:-4] + "AAAA",
        "other session": token.replace(session["session_id"], other["session_id"]),
        "no prefix": token.removeprefix("cst_"),
        "rubbish": "\xe9" * 40,
        "cut": token[:-1],
    }[broken]
    method, tail = ACTIONS[action]

    answer = await owner.http.request(
        method,
        path_of(session, tail),
        headers={b"authorization": f"Bearer {forged}".encode("latin-1")},
    )

    error_of(answer, 401, "unauthenticated")


async def test_a_session_says_what_its_row_says(node: Node, postgres: Postgres) -> None:
    client = node.client()
    session = await client.start(metadata={"a": 1})

    state = (await client.http.get(path_of(session))).json()

    assert state == {
        "session_id": session["session_id"],
        "chat_id": session["chat_id"],
        "agent": session["agent"],
        "user_id": None,
        "status": "active",
        "metadata": {"a": 1},
        "created_at": session["created_at"],
        "expires_at": session["expires_at"],
        "last_activity": session["created_at"],
        "request_count": 0,
        "turn_count": 0,
        "total_tokens": 0,
        "connections": [],
        "live": False,
    }


async def test_extending_moves_the_end_as_far_as_one_ttl_from_now(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    session = await client.start()
    await rows(
        postgres,
        "UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE session_id = :id",
        id=session["session_id"],
    )

    answer = await client.http.post(path_of(session, "/extend"))

    [row] = await rows(
        postgres,
        "SELECT extract(epoch FROM expires_at - last_activity) AS s FROM sessions"
        " WHERE session_id = :id",
        id=session["session_id"],
    )
    assert row["s"] == 86_400
    assert answer.json()["expires_at"] > session["expires_at"]


async def test_extending_stops_at_the_longest_life(node: Node, postgres: Postgres) -> None:
    client = node.client()
    session = await client.start()
    await rows(
        postgres,
        "UPDATE sessions SET created_at = now() - interval '29 days 23 hours',"
        " expires_at = now() + interval '1 minute' WHERE session_id = :id",
        id=session["session_id"],
    )

    await client.http.post(path_of(session, "/extend"))

    [row] = await rows(
        postgres,
        "SELECT extract(epoch FROM expires_at - created_at) AS s FROM sessions"
        " WHERE session_id = :id",
        id=session["session_id"],
    )
    assert row["s"] == 30 * 86_400


async def test_a_heartbeat_says_that_a_client_without_a_socket_is_there(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    session = await client.start()
    before = await session_row(postgres, session["session_id"])

    answer = await client.http.post(path_of(session, "/heartbeat"))

    assert answer.json()["live"] is True
    [connection] = answer.json()["connections"]
    assert connection == {"connection_id": "http", "node": node.services.node, "tab": None}
    assert await session_row(postgres, session["session_id"]) == before


async def test_the_end_of_a_session_is_final_and_its_chat_stays(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    session = await client.start()

    first = await client.http.delete(path_of(session))
    second = await client.http.delete(path_of(session))

    ended = {"session_id": session["session_id"], "status": "completed"}
    assert (first.json(), second.json()) == (ended, ended)
    assert (await client.http.get(path_of(session))).json()["status"] == "completed"
    for tail in ("/extend", "/heartbeat", "/ticket"):
        error_of(await client.http.post(path_of(session, tail)), 404, "session_not_found")
    assert (await client.http.get(f"/chats/{session['chat_id']}")).status_code == 200


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_session_past_its_end_is_over_although_no_sweeper_came(
    node: Node, postgres: Postgres, action: str
) -> None:
    client = node.client()
    session = await client.start()
    await expire(postgres, session)
    method, tail = ACTIONS[action]

    answer = await client.http.request(method, path_of(session, tail))

    if action in {"get", "end"}:
        assert answer.json()["status"] == "expired"
    else:
        error_of(answer, 404, "session_not_found")
    assert (await session_row(postgres, session["session_id"]))["status"] == "active"


async def test_the_sweeper_marks_what_has_expired_and_nothing_else(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    past, ended, living = await client.start(), await client.start(), await client.start()
    await end(client, ended)
    for session in (past, ended):
        await expire(postgres, session)

    assert await node.services.sessions.expire() >= 1

    states = [
        (await session_row(postgres, one["session_id"]))["status"] for one in (past, ended, living)
    ]
    assert states == ["expired", "completed", "active"]


# The list


async def test_the_list_holds_ones_own_sessions_newest_first(node: Node) -> None:
    client = node.client()
    started = [await client.start() for _ in range(3)]
    await node.client().start()

    listed = (await client.http.get("/chat/sessions")).json()["sessions"]

    assert [one["session_id"] for one in listed] == [one["session_id"] for one in started[::-1]]
    limited = (await client.http.get("/chat/sessions", params={"limit": 2})).json()["sessions"]
    assert limited == listed[:2]


async def test_the_list_can_be_asked_for_one_status(node: Node, postgres: Postgres) -> None:
    client = node.client()
    sessions = {name: await client.start() for name in ("completed", "expired", "paused", "active")}
    await end(client, sessions["completed"])
    await expire(postgres, sessions["expired"])
    await rows(
        postgres,
        "UPDATE sessions SET last_activity = now() - interval '1 hour' WHERE session_id = :id",
        id=sessions["paused"]["session_id"],
    )

    for name, session in sessions.items():
        answer = await client.http.get("/chat/sessions", params={"status": name})
        [one] = answer.json()["sessions"]
        assert (one["session_id"], one["status"]) == (session["session_id"], name)
        state = (await client.http.get(path_of(session))).json()
        assert state["status"] == name


async def test_an_old_session_is_active_again_while_somebody_is_connected(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    session = await client.start()
    await rows(
        postgres,
        "UPDATE sessions SET last_activity = now() - interval '1 hour' WHERE session_id = :id",
        id=session["session_id"],
    )

    async with client.socket(session, hello={}):

        async def is_active() -> bool:
            return bool((await client.http.get(path_of(session))).json()["status"] == "active")

        await eventually(is_active)
        listed = await client.http.get("/chat/sessions", params={"status": "active"})

    assert [one["status"] for one in listed.json()["sessions"]] == ["active"]


async def test_nobody_has_no_sessions(node: Node) -> None:
    await node.client().start()

    answer = await node.client().http.get("/chat/sessions")

    assert answer.json() == {"sessions": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("status=gone", "bad_request"),
        ("status=", "bad_request"),
        ("limit=0", "bad_cursor"),
        ("limit=201", "bad_cursor"),
        ("limit=-1", "bad_cursor"),
        ("limit=ten", "bad_cursor"),
        ("limit=²", "bad_cursor"),
        ("limit=0002000000", "bad_cursor"),
    ],
)
async def test_a_list_that_cannot_be_read_is_refused(node: Node, query: str, code: str) -> None:
    """``limit=0002000000`` passed as 2 and was used as 2,000,000."""
    client = node.client()
    await client.start()

    answer = await client.http.get(f"/chat/sessions?{query}")

    error_of(answer, 422, code)
