"""What somebody planted in a browser before its owner signed in is worth nothing afterwards."""

import contextlib
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from app.auth.identity import LOGIN_COOKIE, VISITOR_COOKIE
from tests.auth.scene import PASSWORD, new_email, registered
from tests.support.answers import bearer, error_of
from tests.support.client import Client
from tests.support.node import Node

WAYS = ("login", "register")


@pytest.mark.parametrize("way", WAYS)
async def test_a_planted_login_cookie_is_replaced_and_opens_nothing(
    guarded: Node, way: str
) -> None:
    victim = guarded.client()
    planted = {"cookie": f"{LOGIN_COOKIE}=clg_known_to_the_attacker"}

    await _signs_in(guarded, victim, way, headers=planted)

    assert victim.http.cookies[LOGIN_COOKIE] != "clg_known_to_the_attacker"
    error_of(await guarded.client().http.get("/users/me", headers=planted), 401, "unauthenticated")


@pytest.mark.parametrize("way", WAYS)
async def test_a_planted_sign_in_of_the_attacker_stays_the_attackers(
    guarded: Node, way: str
) -> None:
    _, attacker = await registered(guarded)
    victim = guarded.client()

    signed_in = await _signs_in(
        guarded, victim, way, headers={"cookie": f"{LOGIN_COOKIE}={attacker['token']}"}
    )

    seen = await guarded.client().http.get("/users/me", headers=bearer(attacker))
    assert seen.json()["user_id"] == attacker["user"]["user_id"] != signed_in["user"]["user_id"]
    assert victim.http.cookies[LOGIN_COOKIE] != attacker["token"]


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_attacker_kept_of_a_planted_session_opens_nothing_after_the_claim(
    guarded: Node, way: str
) -> None:
    """The attacker plants a visitor's cookie, whose session, token and ticket stay known."""
    attacker = guarded.client()
    session = await attacker.start()
    cookie = f"{VISITOR_COOKIE}={attacker.http.cookies[VISITOR_COOKIE]}"
    path = f"/chat/sessions/{session['session_id']}"
    ticket = (await attacker.http.post(f"{path}/ticket")).json()["ticket"]
    victim = guarded.client()

    signed_in = await _signs_in(guarded, victim, way, headers={"cookie": cookie})

    assert signed_in["claimed_chats"] == 1
    for headers in ({"cookie": cookie}, bearer(session)):
        for method, at, code in [
            ("GET", path, "session_not_found"),
            ("POST", f"{path}/ticket", "session_not_found"),
            ("GET", f"/chats/{session['chat_id']}", "chat_not_found"),
        ]:
            answer = await guarded.client().http.request(method, at, headers=headers)
            error_of(answer, 404, code)
    for hello, headers, close in [
        ({}, {}, 4001),
        ({}, {"cookie": cookie}, 4001),
        ({}, bearer(session), 4004),
        ({"ticket": ticket}, {}, 4004),
    ]:
        async with attacker.socket(session, additional_headers=headers) as socket:
            # the server may close before it reads a hello
            with contextlib.suppress(ConnectionClosed):
                await socket.send("hello", **hello)
            assert (await socket.closed())[0] == close
            assert socket.seen == []


@pytest.mark.parametrize("way", WAYS)
async def test_the_attackers_open_socket_does_not_stay_in_the_chat(guarded: Node, way: str) -> None:
    attacker = guarded.client()
    session = await attacker.start()
    cookie = f"{VISITOR_COOKIE}={attacker.http.cookies[VISITOR_COOKIE]}"
    async with attacker.socket(session, hello={}) as socket:
        await _signs_in(guarded, guarded.client(), way, headers={"cookie": cookie})

        assert (await socket.closed())[0] == 4101


@pytest.mark.parametrize("way", WAYS)
async def test_a_planted_visitor_cookie_is_taken_out_of_the_browser(
    guarded: Node, way: str
) -> None:
    victim = guarded.client()
    await victim.start()
    assert VISITOR_COOKIE in victim.http.cookies

    await _signs_in(guarded, victim, way)

    assert VISITOR_COOKIE not in victim.http.cookies


async def _signs_in(
    node: Node, victim: Client, way: str, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    email = new_email()
    if way == "login":
        await registered(node, email=email)
    answer = await victim.http.post(
        f"/auth/{way}", json={"email": email, "password": PASSWORD}, headers=headers
    )
    assert answer.is_success, answer.text
    signed_in: dict[str, Any] = answer.json()
    return signed_in
