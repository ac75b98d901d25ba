"""Signing up, in and out, over HTTP."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from app.auth.identity import LOGIN_COOKIE, VISITOR_COOKIE
from app.storage.postgres import Postgres
from tests.auth.scene import PASSWORD, link_to, mails_to, new_email, registered, signed_in
from tests.support.answers import error_of
from tests.support.node import Node


async def test_who_signs_up_is_signed_in_by_cookie_and_by_token(mailing: Node) -> None:
    email = new_email()
    client, answer = await registered(mailing, email=f" {email.upper()} ", display_name="Ann")

    by_cookie = await client.http.get("/users/me")
    bearer = {"authorization": f"Bearer {answer['token']}"}
    by_token = await mailing.client().http.get("/users/me", headers=bearer)

    assert by_cookie.json() == by_token.json() == answer["user"]
    assert (answer["user"]["email"], answer["user"]["display_name"]) == (email, "Ann")
    assert answer["user"]["email_verified"] is False


async def test_the_cookie_of_a_sign_in_is_out_of_a_scripts_reach(mailing: Node) -> None:
    answer = await mailing.client().http.post(
        "/auth/register", json={"email": new_email(), "password": PASSWORD}
    )

    [cookie] = [one for one in answer.headers.get_list("set-cookie") if LOGIN_COOKIE in one]
    assert "; HttpOnly; SameSite=Lax" in cookie
    assert "Domain" not in cookie


async def test_a_chat_of_somebody_who_signed_in_is_theirs(mailing: Node) -> None:
    client, answer = await registered(mailing)
    session = await client.start()
    other = await signed_in(mailing, answer["user"]["email"])

    mine = await other.http.get(f"/chats/{session['chat_id']}")

    assert session["user_id"] == answer["user"]["user_id"]
    assert mine.status_code == 200
    foreign = await mailing.client().http.get(f"/chats/{session['chat_id']}")
    error_of(foreign, 404, "chat_not_found")


async def test_an_address_has_one_account_however_it_is_written(mailing: Node) -> None:
    email = new_email()
    await registered(mailing, email=email)

    again = await mailing.client().http.post(
        "/auth/register", json={"email": email.title(), "password": PASSWORD}
    )

    error_of(again, 409, "email_taken")


async def test_of_many_who_take_an_address_at_once_one_gets_it(mailing: Node) -> None:
    body = {"email": new_email(), "password": PASSWORD}

    answers = await asyncio.gather(
        *(mailing.client().http.post("/auth/register", json=body) for _ in range(4))
    )

    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "short"}, "bad_password"),
        ({"password": "x" * 129}, "bad_password"),
        ({"password": "x" * 2_000}, "malformed_body"),
        ({"email": "nobody"}, "bad_email"),
        ({"email": "a@b@example.org"}, "bad_email"),
        ({"email": "a\r\nBcc: b@example.org"}, "bad_email"),
        ({"email": "a\x00@example.org"}, "bad_email"),
        ({"email": f"{'a' * 300}@example.org"}, "malformed_body"),
        ({"display_name": "two\nlines"}, "malformed_body"),
        ({"display_name": "x" * 101}, "malformed_body"),
    ],
)
async def test_what_cannot_be_an_account_is_refused(
    mailing: Node, change: dict[str, Any], code: str
) -> None:
    body = {"email": new_email(), "password": PASSWORD, **change}

    error_of(await mailing.client().http.post("/auth/register", json=body), 422, code)


async def test_the_address_is_no_password(mailing: Node) -> None:
    email = new_email()

    answer = await mailing.client().http.post(
        "/auth/register", json={"email": email, "password": email.upper()}
    )

    error_of(answer, 422, "bad_password")


@pytest.mark.parametrize("email", [None, "nobody@example.org", "", "no address", "\x00"])
async def test_nobody_is_told_which_part_of_a_sign_in_is_wrong(
    mailing: Node, email: str | None
) -> None:
    known = new_email()
    await registered(mailing, email=known)

    answer = await mailing.client().http.post(
        "/auth/login", json={"email": known if email is None else email, "password": "wrong one"}
    )

    assert error_of(answer, 401, "wrong_password")["message"] == (
        "The e-mail address or the password is wrong."
    )


async def test_signing_in_makes_a_new_token_each_time(mailing: Node) -> None:
    """Whoever knew, or planted, an older cookie has nothing of it."""
    client, answer = await registered(mailing)
    before = client.http.cookies[LOGIN_COOKIE]

    again = await client.http.post(
        "/auth/login", json={"email": answer["user"]["email"], "password": PASSWORD}
    )

    assert client.http.cookies[LOGIN_COOKIE] not in {before, ""}
    assert again.json()["token"] != answer["token"]


async def test_signing_out_ends_this_sign_in_only(mailing: Node) -> None:
    client, answer = await registered(mailing)
    other = await signed_in(mailing, answer["user"]["email"])
    token = {"authorization": f"Bearer {answer['token']}"}

    ended = await client.http.post("/auth/logout")

    assert ended.json() == {"ended": 1}
    assert LOGIN_COOKIE not in client.http.cookies
    error_of(await client.http.get("/users/me"), 401, "unauthenticated")
    error_of(await mailing.client().http.get("/users/me", headers=token), 401, "unauthenticated")
    assert (await other.http.get("/users/me")).status_code == 200


async def test_signing_out_everywhere_ends_them_all(mailing: Node) -> None:
    client, answer = await registered(mailing)
    other = await signed_in(mailing, answer["user"]["email"])

    ended = await client.http.post("/auth/logout", json={"everywhere": True})

    assert ended.json() == {"ended": 2}
    error_of(await other.http.get("/users/me"), 401, "unauthenticated")


async def test_signing_out_twice_is_harmless(mailing: Node) -> None:
    client, _ = await registered(mailing)

    await client.http.post("/auth/logout")

    assert (await client.http.post("/auth/logout")).json() == {"ended": 0}


async def test_a_token_of_a_session_dies_with_the_sign_in_it_was_given_out_under(
    mailing: Node,
) -> None:
    client, _ = await registered(mailing)
    session = await client.start()
    token = {"authorization": f"Bearer {session['token']}"}
    path = f"/chat/sessions/{session['session_id']}"
    stranger = mailing.client()
    assert (await stranger.http.get(path, headers=token)).status_code == 200

    await client.http.post("/auth/logout")

    error_of(await stranger.http.get(path, headers=token), 401, "unauthenticated")


async def test_a_sessions_token_does_not_open_the_account(mailing: Node) -> None:
    client, _ = await registered(mailing)
    session = await client.start()
    token = {"authorization": f"Bearer {session['token']}"}

    for path in ("/users/me", f"/chats/{session['chat_id']}"):
        answer = await mailing.client().http.get(path, headers=token)
        assert answer.status_code in {401, 404}


async def test_another_password_ends_all_other_sign_ins(mailing: Node) -> None:
    client, answer = await registered(mailing)
    email = answer["user"]["email"]
    other = await signed_in(mailing, email)

    wrong = await client.http.post("/auth/password", json={"old": "wrong one", "new": "new" * 5})
    done = await client.http.post("/auth/password", json={"old": PASSWORD, "new": "new" * 5})

    error_of(wrong, 401, "wrong_password")
    assert done.status_code == 200
    assert (await client.http.get("/users/me")).status_code == 200
    error_of(await other.http.get("/users/me"), 401, "unauthenticated")
    old = {"email": email, "password": PASSWORD}
    error_of(await mailing.client().http.post("/auth/login", json=old), 401, "wrong_password")
    await signed_in(mailing, email, "new" * 5)


async def test_a_forgotten_password_is_replaced_by_a_mailed_link_once(mailing: Node) -> None:
    client, answer = await registered(mailing)
    email = answer["user"]["email"]

    asked = await mailing.client().http.post("/auth/password/forgot", json={"email": email})
    body = {"token": await link_to(mailing, email, "reset"), "password": "another one"}
    short = await mailing.client().http.post(
        "/auth/password/reset", json={**body, "password": "short"}
    )
    done = await mailing.client().http.post("/auth/password/reset", json=body)
    again = await mailing.client().http.post("/auth/password/reset", json=body)

    assert asked.status_code == 202
    error_of(short, 422, "bad_password")
    assert done.status_code == 200
    error_of(again, 422, "link_expired")
    error_of(await client.http.get("/users/me"), 401, "unauthenticated")
    await signed_in(mailing, email, "another one")


async def test_asking_for_a_link_tells_nobody_whether_there_is_an_account(mailing: Node) -> None:
    email = new_email()

    known = await mailing.client().http.post(
        "/auth/password/forgot", json={"email": (await registered(mailing))[1]["user"]["email"]}
    )
    unknown = await mailing.client().http.post("/auth/password/forgot", json={"email": email})

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert mails_to(mailing, email) == []


async def test_a_newer_link_voids_the_older_one(mailing: Node) -> None:
    _, answer = await registered(mailing)
    email = answer["user"]["email"]
    http = mailing.client().http
    await http.post("/auth/password/forgot", json={"email": email})
    first = await link_to(mailing, email, "reset")
    await http.post("/auth/password/forgot", json={"email": email})
    second = first
    async with asyncio.timeout(5):
        while second == first:
            second = await link_to(mailing, email, "reset")

    late = await http.post("/auth/password/reset", json={"token": first, "password": "x" * 9})

    error_of(late, 422, "link_expired")


async def test_a_link_for_one_purpose_is_none_for_another(mailing: Node) -> None:
    _, answer = await registered(mailing)
    token = await link_to(mailing, answer["user"]["email"], "verify")

    crossed = await mailing.client().http.post(
        "/auth/password/reset", json={"token": token, "password": "x" * 9}
    )

    error_of(crossed, 422, "link_expired")


async def test_an_old_link_is_good_for_nothing(mailing: Node, postgres: Postgres) -> None:
    _, answer = await registered(mailing)
    token = await link_to(mailing, answer["user"]["email"], "verify")
    async with postgres.unit() as db:
        await db.execute(
            text("UPDATE mail_tokens SET expires_at = now() WHERE user_id = :id"),
            {"id": answer["user"]["user_id"]},
        )

    late = await mailing.client().http.post("/auth/verify", json={"token": token})

    error_of(late, 422, "link_expired")


async def test_the_link_of_the_first_mail_proves_the_address(mailing: Node) -> None:
    client, answer = await registered(mailing)
    token = await link_to(mailing, answer["user"]["email"], "verify")

    await mailing.client().http.post("/auth/verify", json={"token": token})

    assert (await client.http.get("/users/me")).json()["email_verified"] is True


async def test_links_begin_with_the_address_that_was_set_whatever_a_request_says(
    mailing: Node,
) -> None:
    email = new_email()
    await mailing.client().http.post(
        "/auth/register",
        json={"email": email, "password": PASSWORD},
        headers={"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"},
    )
    await link_to(mailing, email, "verify")

    [mail] = mails_to(mailing, email)
    assert "evil.example" not in str(mail.get_payload())
    assert "http://127.0.0.1:" in str(mail.get_payload())


async def test_a_profile_keeps_what_is_left_out_and_loses_what_is_empty(mailing: Node) -> None:
    client, _ = await registered(mailing, display_name="Ann")

    first = await client.http.patch("/users/me", json={"locale": "ko-KR", "timezone": "Asia/Seoul"})
    second = await client.http.patch("/users/me", json={"display_name": "앤", "locale": ""})

    assert (first.json()["display_name"], first.json()["timezone"]) == ("Ann", "Asia/Seoul")
    expected = {"display_name": "앤", "locale": None, "timezone": "Asia/Seoul"}
    assert expected.items() <= second.json().items()
    assert (await client.http.get("/users/me")).json() == second.json()


@pytest.mark.parametrize(
    "change",
    [
        {"timezone": "Nowhere/City"},
        {"locale": "not a language"},
        {"avatar_url": "javascript:alert(1)"},
        {"display_name": "\x00"},
        {"display_name": 7},
    ],
)
async def test_a_profile_says_nothing_that_makes_no_sense(
    mailing: Node, change: dict[str, Any]
) -> None:
    client, _ = await registered(mailing)

    error_of(await client.http.patch("/users/me", json=change), 422, "malformed_body")


async def test_a_deleted_account_leaves_nothing_that_can_be_reached(
    mailing: Node, postgres: Postgres
) -> None:
    client, answer = await registered(mailing)
    session, user_id = await client.start(), answer["user"]["user_id"]

    wrong = await client.http.request("DELETE", "/users/me", json={"password": "wrong one"})
    error_of(wrong, 401, "wrong_password")
    done = await client.http.request("DELETE", "/users/me", json={"password": PASSWORD})

    assert done.status_code == 200
    error_of(await client.http.get("/users/me"), 401, "unauthenticated")
    async with postgres.statement() as db:
        for table in ("users", "user_profiles", "local_auths", "logins", "chats", "sessions"):
            column = "id" if table == "users" else "user_id"
            count = await db.scalar(
                text(f"SELECT count(*) FROM {table} WHERE {column} = :id"), {"id": user_id}
            )
            assert count == 0, table
        noted = await db.scalar(
            text("SELECT count(*) FROM forgotten_chats WHERE chat_id = CAST(:id AS uuid)"),
            {"id": session["chat_id"]},
        )
        actions = await db.scalars(
            text("SELECT action FROM audit_log WHERE user_id = :id ORDER BY id"), {"id": user_id}
        )
    assert noted == 1
    assert list(actions) == ["registered", "signed_out_everywhere", "deleted"]
    body = {"email": answer["user"]["email"], "password": PASSWORD}
    error_of(await mailing.client().http.post("/auth/login", json=body), 401, "wrong_password")


async def test_a_disabled_account_is_told_so_only_by_its_password(
    mailing: Node, postgres: Postgres
) -> None:
    client, answer = await registered(mailing)
    async with postgres.unit() as db:
        await db.execute(
            text("UPDATE users SET is_active = false WHERE id = :id"),
            {"id": answer["user"]["user_id"]},
        )
    email = answer["user"]["email"]
    http = mailing.client().http

    right = await http.post("/auth/login", json={"email": email, "password": PASSWORD})
    wrong = await http.post("/auth/login", json={"email": email, "password": "wrong one"})

    error_of(right, 403, "account_disabled")
    error_of(wrong, 401, "wrong_password")
    error_of(await client.http.get("/users/me"), 401, "unauthenticated")


async def test_signing_in_takes_a_visitors_chats_along(mailing: Node) -> None:
    client = mailing.client()
    session = await client.start()

    answer = await client.http.post(
        "/auth/register", json={"email": new_email(), "password": PASSWORD}
    )

    assert answer.json()["claimed_chats"] == 1
    assert VISITOR_COOKIE not in client.http.cookies
    assert (await client.http.get(f"/chats/{session['chat_id']}")).status_code == 200


async def test_a_visitors_chats_stay_behind_if_that_is_asked_for(mailing: Node) -> None:
    client = mailing.client()
    path = f"/chats/{(await client.start())['chat_id']}"

    answer = await client.http.post(
        "/auth/register", json={"email": new_email(), "password": PASSWORD, "claim": False}
    )

    assert answer.json()["claimed_chats"] == 0
    error_of(await client.http.get(path), 404, "chat_not_found")
    await client.http.post("/auth/logout")
    assert (await client.http.get(path)).status_code == 200
