"""What happens on a session is counted a little later, and moves its end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.embedded.servers import Addresses
from app.sessions.types import Activity
from app.storage.postgres import Postgres
from tests.conftest import make_settings
from tests.sessions.rows import rows, session_row
from tests.sessions.test_routes import path_of
from tests.support.answers import error_of
from tests.support.node import Node, running_node
from tests.support.scripted import NAME
from tests.support.waiting import eventually

TTL, MAX, SLIDE = 400, 1_000, 60


@pytest.fixture(scope="module")
async def sliding(stores: Addresses) -> AsyncIterator[Node]:
    settings = make_settings(
        stores, sessions={"ttl_seconds": TTL, "max_seconds": MAX, "slide_seconds": SLIDE}
    )
    async with running_node(settings) as node:
        yield node


async def lifetime(postgres: Postgres, session: dict[str, Any]) -> tuple[float, float]:
    """Seconds from now, and from its start, to a session's end."""
    [row] = await rows(
        postgres,
        "SELECT extract(epoch FROM expires_at - now())::float8 AS left_,"
        " extract(epoch FROM expires_at - created_at)::float8 AS whole"
        " FROM sessions WHERE session_id = :id",
        id=session["session_id"],
    )
    return row["left_"], row["whole"]


async def age(postgres: Postgres, session: dict[str, Any], seconds: float) -> None:
    """Move a session into the past, as if this much time had gone by."""
    await rows(
        postgres,
        "UPDATE sessions SET created_at = created_at - make_interval(secs => :by),"
        " expires_at = expires_at - make_interval(secs => :by),"
        " last_activity = last_activity - make_interval(secs => :by) WHERE session_id = :id",
        by=seconds,
        id=session["session_id"],
    )


async def use(node: Node, session: dict[str, Any]) -> None:
    service = node.services.sessions
    service.note(Activity(session["session_id"], requests=1, turns=1, slides=True))
    await service.flush()


async def test_activity_moves_the_end_to_one_ttl_from_now(
    sliding: Node, postgres: Postgres
) -> None:
    session = await sliding.client().start()
    await age(postgres, session, 100)

    await use(sliding, session)

    left, _ = await lifetime(postgres, session)
    assert TTL - 5 < left <= TTL


async def test_activity_moves_the_end_at_most_once_in_the_pause_between_slides(
    sliding: Node, postgres: Postgres
) -> None:
    session = await sliding.client().start()
    await age(postgres, session, SLIDE - 10)
    before = (await session_row(postgres, session["session_id"]))["expires_at"]

    await use(sliding, session)
    await use(sliding, session)

    row = await session_row(postgres, session["session_id"])
    assert row["expires_at"] == before
    assert row["request_count"] == 2

    await age(postgres, session, 20)
    await use(sliding, session)
    slid = (await session_row(postgres, session["session_id"]))["expires_at"]
    await age(postgres, session, SLIDE / 2)
    held = (await session_row(postgres, session["session_id"]))["expires_at"]
    await use(sliding, session)

    assert (await lifetime(postgres, session))[0] < TTL - SLIDE / 2 + 5
    assert (await session_row(postgres, session["session_id"]))["expires_at"] == held < slid


async def test_activity_never_moves_the_end_past_the_longest_life(
    sliding: Node, postgres: Postgres
) -> None:
    session = await sliding.client().start()
    for _ in range(3):
        await age(postgres, session, 300)
        await use(sliding, session)

    left, whole = await lifetime(postgres, session)

    assert whole == MAX
    assert left < 150


async def test_activity_that_is_written_late_brings_nothing_back(
    sliding: Node, postgres: Postgres
) -> None:
    client = sliding.client()
    expired, ended = await client.start(), await client.start()
    await age(postgres, expired, TTL + 1)
    await client.http.delete(path_of(ended))

    for session in (expired, ended):
        await use(sliding, session)

    states = [(await client.http.get(path_of(one))).json() for one in (expired, ended)]
    assert [state["status"] for state in states] == ["expired", "completed"]
    assert (await lifetime(postgres, expired))[0] < 0
    assert [state["request_count"] for state in states] == [1, 1]


async def test_a_ttl_shorter_than_the_pause_between_slides_slides_too(
    stores: Addresses, postgres: Postgres
) -> None:
    """It never slid: sessions of half a minute ended in the middle of a conversation."""
    settings = make_settings(stores, sessions={"ttl_seconds": 30, "slide_seconds": 60})
    async with running_node(settings) as node:
        session = await node.client().start()
        await age(postgres, session, 20)

        await use(node, session)

        assert (await lifetime(postgres, session))[0] > 25


async def test_counters_are_behind_for_a_moment_and_then_true(
    node: Node, postgres: Postgres
) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        for text in ("one", "two", "three"):
            await socket.ask(text)
            await socket.until_end()

    async def counted() -> dict[str, Any] | None:
        state: dict[str, Any] = (await client.http.get(path_of(session))).json()
        return state if state["turn_count"] == 3 else None

    state = await eventually(counted)
    assert state is not None
    assert (state["request_count"], state["turn_count"]) == (3, 3)
    assert state["last_activity"] > session["created_at"]


async def test_counters_are_flushed_when_the_node_stops(
    stores: Addresses, postgres: Postgres
) -> None:
    async with running_node(make_settings(stores)) as node:
        session = await node.client().start()
        for _ in range(5):
            node.services.sessions.note(Activity(session["session_id"], requests=1, tokens=7))

    row = await session_row(postgres, session["session_id"])
    assert (row["request_count"], row["total_tokens"]) == (5, 35)


async def test_a_tiny_ttl_ends_a_session_on_every_way_in(
    stores: Addresses, quick_watch: None
) -> None:
    settings = make_settings(stores, sessions={"ttl_seconds": 1})
    async with running_node(settings) as node:
        client = node.client()
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            code, _ = await socket.closed()
            assert code == 4004
            assert "session_ended" in socket.types()

        async with client.socket(session) as socket:
            assert (await socket.closed())[0] == 4004
        assert (await client.http.get(path_of(session))).json()["status"] == "expired"
        error_of(await client.http.post(path_of(session, "/extend")), 404, "session_not_found")
        assert (await client.http.get(f"/chats/{session['chat_id']}")).status_code == 200
