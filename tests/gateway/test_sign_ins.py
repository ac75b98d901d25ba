"""Sockets hang on the sign-in they were opened under, on every node."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.embedded.servers import Addresses
from app.storage.postgres import Postgres
from tests.auth.scene import PASSWORD, registered, signed_in
from tests.conftest import make_settings
from tests.support.client import Client, Socket
from tests.support.node import Node, running_node

pytestmark = pytest.mark.usefixtures("quick_watch")

REVOKED_SECONDS = 2.0  # what is promised of revocation, on every node


@pytest.fixture(scope="module")
async def other(stores: Addresses) -> AsyncIterator[Node]:
    liveness = {"beat_seconds": 0.2, "ttl_seconds": 1}
    async with running_node(make_settings(stores, liveness=liveness)) as node:
        yield node


@contextlib.asynccontextmanager
async def socket_of(
    client: Client, session: dict[str, Any], *, at: Node, **options: Any
) -> AsyncIterator[Socket]:
    """Open a socket with a browser's cookies on a node that is not the browser's."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
    elsewhere = at.client()
    async with elsewhere.socket(
        session, hello={}, additional_headers={"cookie": cookies}, **options
    ) as socket:
        yield socket


async def closed_in_time(socket: Socket) -> int:
    async with asyncio.timeout(REVOKED_SECONDS):
        return (await socket.closed())[0]


async def test_signing_out_closes_the_sockets_of_this_sign_in_on_every_node(
    node: Node, other: Node
) -> None:
    client, answer = await registered(node)
    second = await signed_in(node, answer["user"]["email"])
    session = await client.start()
    async with (
        socket_of(client, session, at=node) as here,
        socket_of(client, session, at=other) as there,
        socket_of(second, session, at=other) as stays,
    ):
        await client.http.post("/auth/logout")

        assert [await closed_in_time(one) for one in (here, there)] == [4001, 4001]
        await stays.ask("Hello")


async def test_another_password_closes_the_sockets_of_all_other_sign_ins(
    node: Node, other: Node
) -> None:
    client, answer = await registered(node)
    second = await signed_in(node, answer["user"]["email"])
    session = await client.start()
    async with (
        socket_of(second, session, at=other) as goes,
        socket_of(client, session, at=other) as stays,
    ):
        await client.http.post("/auth/password", json={"old": PASSWORD, "new": "new" * 4})

        assert await closed_in_time(goes) == 4001
        await stays.ask("Hello")


async def test_a_deleted_account_loses_its_sockets(node: Node, other: Node) -> None:
    client, _ = await registered(node)
    session = await client.start()
    async with socket_of(client, session, at=other) as socket:
        await client.http.request("DELETE", "/users/me", json={"password": PASSWORD})

        assert await closed_in_time(socket) == 4001


async def test_a_sign_in_that_was_ended_without_a_word_is_noticed(
    node: Node, other: Node, postgres: Postgres
) -> None:
    """The node that ended it died, or Redis lost what it said."""
    client, answer = await registered(node)
    session = await client.start()
    async with socket_of(client, session, at=other) as socket:
        async with postgres.unit() as db:
            await db.execute(
                text("DELETE FROM logins WHERE user_id = :id"),
                {"id": answer["user"]["user_id"]},
            )

        assert await closed_in_time(socket) == 4001


async def test_a_ticket_dies_with_the_sign_in_it_was_given_out_under(node: Node) -> None:
    client, _ = await registered(node)
    session = await client.start()
    path = f"/chat/sessions/{session['session_id']}/ticket"
    ticket = (await client.http.post(path)).json()["ticket"]
    await client.http.post("/auth/logout")

    async with node.client().socket(session) as socket:
        await socket.send("hello", ticket=ticket)
        assert (await socket.closed())[0] == 4001


async def test_a_ticket_from_before_a_claim_opens_nothing(node: Node) -> None:
    visitor = node.client()
    session = await visitor.start()
    path = f"/chat/sessions/{session['session_id']}/ticket"
    ticket = (await visitor.http.post(path)).json()["ticket"]
    client, _ = await registered(node)
    await client.http.post(
        f"/chat/sessions/{session['session_id']}/claim", json={"token": session["token"]}
    )

    async with node.client().socket(session) as socket:
        await socket.send("hello", ticket=ticket)
        assert (await socket.closed())[0] == 4004


async def test_a_socket_closes_when_its_sign_in_runs_out(stores: Addresses) -> None:
    auth = {"login_seconds": 2, "tries_per_address": 100_000}
    settings = make_settings(stores, auth=auth)
    async with running_node(settings) as node:
        client, _ = await registered(node)
        session = await client.start()
        async with socket_of(client, session, at=node) as socket:
            assert (await socket.closed())[0] == 4101


async def test_a_new_ticket_keeps_a_socket_open_beyond_the_end_of_its_sign_in(
    node: Node,
) -> None:
    client, answer = await registered(node)
    second = await signed_in(node, answer["user"]["email"])
    session = await client.start()
    path = f"/chat/sessions/{session['session_id']}/ticket"
    async with socket_of(client, session, at=node) as socket:
        ticket = (await second.http.post(path)).json()["ticket"]
        await socket.send("auth", id="a", ticket=ticket)
        assert (await socket.until(lambda one: one.get("id") == "a"))["type"] == "ack"

        await client.http.post("/auth/logout")
        await socket.ask("Hello")
        await second.http.post("/auth/logout")
        assert await closed_in_time(socket) == 4001


@pytest.mark.parametrize("kind", ["used", "unknown", "another session's", "another user's"])
async def test_a_ticket_that_is_not_good_changes_nothing(node: Node, kind: str) -> None:
    client, _ = await registered(node)
    stranger, _ = await registered(node)
    session = await client.start()
    tickets = {
        "used": (client, session),
        "another session's": (client, await client.start()),
        "another user's": (stranger, await stranger.start()),
    }
    ticket = "tkt_unknown"
    if kind in tickets:
        owner, of = tickets[kind]
        ticket = (await owner.http.post(f"/chat/sessions/{of['session_id']}/ticket")).json()[
            "ticket"
        ]
    async with socket_of(client, session, at=node) as socket:
        if kind == "used":
            await node.services.tickets.redeem(ticket)
        await socket.send("auth", id="a", ticket=ticket)
        reply = await socket.until(lambda one: one.get("id") == "a")

        assert reply["type"] == "error"
        assert reply["code"] in {"unauthenticated", "session_not_found"}
        await socket.ask("Hello")
