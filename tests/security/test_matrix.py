"""Everybody at every address: who gets in, who does not, and that nothing leaks or moves."""

import asyncio
import contextlib
import typing
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed

from app.embedded.servers import Addresses
from app.main import SOCKET_PATHS, create_app
from app.protocol.frames import ClientFrame
from app.storage.postgres import Postgres
from tests.auth.scene import PASSWORD, new_email
from tests.conftest import make_settings
from tests.security.matrix import (
    ANSWERS,
    BODIES,
    ERRORS,
    FIELDS,
    FRAMES,
    HTTP,
    QUERIES,
    Row,
    rows,
)
from tests.security.people import DEAD, OTHERS, People, Things, Who
from tests.support.answers import error_of
from tests.support.client import Socket
from tests.support.node import Node, running_node

HTTP_ROWS = rows(HTTP)
FRAME_ROWS = rows(FRAMES)
WORDS = {error: word for word, error in ERRORS.items()}


@pytest.fixture(scope="module")
def people(guarded: Node, postgres: Postgres) -> People:
    return People(guarded, postgres)


def test_no_address_is_missing_from_the_table(guarded: Node) -> None:
    served = set()
    sockets = set()
    for route in create_app(guarded.services.settings).routes:
        if isinstance(route, WebSocketRoute):
            sockets.add(route.path)
        elif isinstance(route, Route):
            served |= {f"{method} {route.path}" for method in (route.methods or set()) - {"HEAD"}}
        else:
            assert isinstance(route, Mount)
            served.add(f"GET {route.path}/{{name}}")

    assert served == {f"{row.method} {row.path}" for row in HTTP_ROWS}
    assert sockets == set(SOCKET_PATHS)


def test_no_frame_is_missing_from_the_table() -> None:
    known = {
        typing.get_args(kind.model_fields["type"].annotation)[0]
        for kind in typing.get_args(ClientFrame)
    }

    assert known == {row.name for row in FRAME_ROWS}


@pytest.mark.parametrize("row", HTTP_ROWS, ids=lambda row: row.name)
async def test_everybody_gets_what_the_table_says(people: People, row: Row) -> None:
    async def come(who: Who) -> str:
        things, headers = await people.scene(who)
        return await _outcome(people, row, things, headers, row.cells[who])

    assert await _of_each(come, Who) == row.cells


@pytest.mark.parametrize("row", HTTP_ROWS, ids=lambda row: row.name)
async def test_a_visitors_things_are_as_safe_as_a_users(people: People, row: Row) -> None:
    async def come(who: Who) -> str:
        things, headers = await people.scene(who, anonymous=True)
        return await _outcome(people, row, things, headers, row.cells[who])

    assert await _of_each(come, OTHERS) == {who: row.cells[who] for who in OTHERS}


@pytest.mark.parametrize("row", HTTP_ROWS, ids=lambda row: row.name)
async def test_a_dead_sign_in_in_a_cookie_is_as_good_as_none(people: People, row: Row) -> None:
    async def come(who: Who) -> str:
        things, _ = await people.scene(who)
        return await _outcome(people, row, things, things.cookie, row.cells[Who.NOBODY])

    assert await _of_each(come, DEAD) == dict.fromkeys(DEAD, row.cells[Who.NOBODY])


@pytest.mark.parametrize("path", SOCKET_PATHS)
@pytest.mark.parametrize("row", FRAME_ROWS, ids=lambda row: row.name)
async def test_every_frame_of_everybody_is_answered_as_the_table_says(
    people: People, row: Row, path: str
) -> None:
    async def come(who: Who) -> str:
        things, headers = await people.scene(who, anonymous=row.cells[who] == "id")
        async with people.node.client().socket(
            things.session,
            path=path.replace("{session_id}", "{}"),
            additional_headers=headers,
        ) as socket:
            if row.cells[who] in {"open", "id"}:
                await _check_taken(socket, row.name)
                return row.cells[who]
            return await _refusal(socket, row.name)

    assert await _of_each(come, Who) == row.cells


@pytest.mark.parametrize("row", FRAME_ROWS, ids=lambda row: row.name)
async def test_where_a_credential_is_demanded_the_id_of_a_session_is_not_enough(
    strict: People, row: Row
) -> None:
    async def come(who: Who) -> str:
        things, headers = await strict.scene(who, anonymous=True)
        client = strict.node.client()
        async with client.socket(things.session, additional_headers=headers) as socket:
            return await _refusal(socket, row.name)

    assert await _of_each(come, OTHERS) == dict.fromkeys(OTHERS, "4001")


@pytest.mark.parametrize("row", FRAME_ROWS, ids=lambda row: row.name)
async def test_no_frame_is_done_for_a_sign_in_that_ended_while_its_socket_was_open(
    people: People, row: Row
) -> None:
    things, headers = await people.scene(Who.OWNER)
    async with people.node.client().socket(
        things.session, hello={}, additional_headers=headers
    ) as socket:
        socket.seen.clear()
        ended = await people.http.post("/auth/logout", headers=headers)
        assert ended.json() == {"ended": 1}

        assert await _refusal(socket, row.name) == "4001"


@pytest.fixture(scope="module")
async def strict(stores: Addresses, postgres: Postgres) -> typing.AsyncIterator[People]:
    settings = make_settings(stores, sessions={"require_credential": True})
    async with running_node(settings) as node:
        yield People(node, postgres)


async def _of_each(come: Callable[[Who], Awaitable[str]], people: Iterable[Who]) -> dict[Who, str]:
    """Let them all come at once; return what each of them gets."""
    people = list(people)
    outcomes = await asyncio.gather(*(come(who) for who in people))
    return dict(zip(people, outcomes, strict=True))


async def _outcome(
    people: People, row: Row, things: Things, headers: dict[str, str], cell: str
) -> str:
    """Do what a row says; return what came of it, in the table's words."""
    before = await people.state(things)
    answer = await _request(people, row, things, headers)

    if answer.is_success and cell == "own":
        return cell
    moved = await people.state(things) != before
    shown = [mark for mark in things.marks if mark in answer.text]
    if moved or shown:
        return f"{answer.status_code}: moved {moved}, shown {shown}"
    if answer.is_success:
        return str(answer.status_code)
    code = answer.json()["error"]["code"]
    error_of(answer, answer.status_code, code)
    return WORDS.get((answer.status_code, code), f"{answer.status_code} {code}")


async def _refusal(socket: Socket, name: str) -> str:
    """Send a frame that must not be done; return the code that the server closes with."""
    with contextlib.suppress(ConnectionClosed):  # it may have closed already
        await socket.send(name, **_fields(name))
    code, _ = await socket.closed()
    assert [one for one in socket.seen if one["type"] != "pong"] == []  # which tells nothing
    return str(code)


async def _request(
    people: People, row: Row, things: Things, headers: dict[str, str]
) -> httpx.Response:
    account = things.account
    names = {
        "$chat_id": things.session["chat_id"],
        "$user_id": account.user_id if account else 0,
        "$email": account.email if account else new_email(),
        "$new_email": new_email(),
        "$password": PASSWORD,
    }

    def filled(given: dict[str, Any] | None) -> dict[str, Any] | None:
        return given and {key: names.get(value, value) for key, value in given.items()}

    return await people.http.request(
        row.method,
        row.path.format_map({**things.session, "name": "none.js", "provider": "nobody"}),
        json=filled(BODIES.get(row.name)),
        params=filled(QUERIES.get(row.name)),
        headers=headers,
    )


def _fields(name: str) -> dict[str, str]:
    known = {} if name in {"hello", "pong"} else {"id": "f"}
    return known | FIELDS.get(name, {})


async def _check_taken(socket: Socket, name: str) -> None:
    await socket.send(name, **_fields(name))
    if name not in ANSWERS:  # not answered; that the socket lives on shows in the next answer
        await socket.send("ping", id="f")
        name = "ping"
    kind, code = ANSWERS[name]
    reply = await socket.until(
        lambda event: event["type"] == kind if kind == "welcome" else event.get("id") == "f"
    )
    assert (reply["type"], reply.get("code")) == (kind, code)
