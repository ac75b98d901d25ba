"""What was used once, or was another's, is not good again."""

import pytest

from app.auth.identity import LOGIN_COOKIE
from tests.auth.scene import PASSWORD, link_to, new_email, registered
from tests.support.answers import bearer, error_of
from tests.support.client import Client
from tests.support.node import Node


@pytest.fixture
async def owner(guarded: Node) -> Client:
    return (await registered(guarded))[0]


async def test_a_ticket_opens_one_socket(guarded: Node, owner: Client) -> None:
    session = await owner.start()
    ticket = await _ticket(owner, session["session_id"])
    async with (
        guarded.client().socket(session, hello={"ticket": ticket}),
        guarded.client().socket(session) as again,
    ):
        await again.send("hello", ticket=ticket)
        assert (await again.closed())[0] == 4001


async def test_a_ticket_opens_no_other_session_and_is_used_up_by_the_try(
    guarded: Node, owner: Client
) -> None:
    session, other = await owner.start(), await owner.start()
    ticket = await _ticket(owner, session["session_id"])

    for wanted, code in ((other, 4004), (session, 4001)):
        async with guarded.client().socket(wanted) as socket:
            await socket.send("hello", ticket=ticket)
            assert (await socket.closed())[0] == code


async def test_a_stolen_ticket_is_no_bearer_token(guarded: Node, owner: Client) -> None:
    session = await owner.start()
    ticket = await _ticket(owner, session["session_id"])

    answer = await guarded.client().http.get(
        f"/chat/sessions/{session['session_id']}", headers={"authorization": f"Bearer {ticket}"}
    )

    error_of(answer, 401, "unauthenticated")


@pytest.mark.parametrize("purpose", ["verify", "reset"])
async def test_a_mailed_link_is_good_once_and_for_its_purpose(guarded: Node, purpose: str) -> None:
    email = new_email()
    await registered(guarded, email=email)
    http = guarded.client().http
    await http.post("/auth/password/forgot", json={"email": email})
    token = await link_to(guarded, email, purpose)
    right, wrong = "/auth/verify", "/auth/password/reset"
    if purpose == "reset":
        right, wrong = wrong, right
    body = {"token": token, "password": "another password"}

    error_of(await http.post(wrong, json=body), 422, "link_expired")
    assert (await http.post(right, json=body)).status_code == 200
    error_of(await http.post(right, json=body), 422, "link_expired")


async def test_a_link_is_void_for_an_account_that_is_gone(guarded: Node) -> None:
    email = new_email()
    client, _ = await registered(guarded, email=email)
    token = await link_to(guarded, email, "verify")
    await client.http.request("DELETE", "/users/me", json={"password": PASSWORD})
    await registered(guarded, email=email)

    answer = await guarded.client().http.post("/auth/verify", json={"token": token})

    error_of(answer, 422, "link_expired")


async def test_another_persons_idempotency_key_brings_nobody_into_their_session(
    guarded: Node, owner: Client
) -> None:
    key = {"idempotency-key": new_email()}
    visitor = guarded.client()
    await visitor.start()
    other, _ = await registered(guarded)

    answers = [
        await client.http.post("/chat/start", headers=key)
        for client in (owner, other, visitor, guarded.client())
    ]

    assert len({one.json()["session_id"] for one in answers}) == 4
    assert len({one.json()["chat_id"] for one in answers}) == 4


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_token_that_was_signed_out_is_good_for_nothing(
    guarded: Node, owner: Client, everywhere: bool
) -> None:
    token = owner.http.cookies[LOGIN_COOKIE]
    session = await owner.start()
    await owner.http.post("/auth/logout", json={"everywhere": everywhere})

    for headers in ({"authorization": f"Bearer {token}"}, bearer(session)):
        answer = await guarded.client().http.get("/chat/sessions", headers=headers)
        error_of(answer, 401, "unauthenticated")


async def test_a_credential_of_one_kind_is_none_of_another(guarded: Node, owner: Client) -> None:
    """A visitor's cookie, a session's token and a sign-in are signed or kept apart."""
    visitor = guarded.client()
    session = await visitor.start()
    [cookie] = visitor.http.cookies.values()

    for token in (cookie, session["session_id"], session["chat_id"], f"clg_{session['token']}"):
        answer = await guarded.client().http.get(
            f"/chat/sessions/{session['session_id']}", headers={"authorization": f"Bearer {token}"}
        )
        error_of(answer, 401, "unauthenticated")
    as_login = {"cookie": f"{LOGIN_COOKIE}={session['token']}"}
    error_of(await guarded.client().http.get("/users/me", headers=as_login), 401, "unauthenticated")


async def _ticket(client: Client, session_id: str) -> str:
    answer = await client.http.post(f"/chat/sessions/{session_id}/ticket")
    ticket: str = answer.json()["ticket"]
    return ticket
