"""People sign in by the word of a provider, and link and unlink providers."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from app.storage.postgres import Postgres
from tests.auth.scene import PASSWORD, link_to, registered, signed_in
from tests.auth.social_scene import Scene

ALL = ["google", "apple", "kakao", "naver", "work"]
BELIEVED = ["google", "apple", "kakao", "work"]  # these say that an address was checked


async def test_a_page_learns_which_providers_there_are(social: Scene) -> None:
    answer = await social.node.client().http.get("/auth/providers")

    assert answer.json() == {"providers": ALL}


@pytest.mark.parametrize("name", ALL)
async def test_somebody_new_gets_an_account_and_finds_it_again(social: Scene, name: str) -> None:
    person = social.provider.somebody()

    first = await social.me(await social.signed_in(name))
    second = await social.me(await social.signed_in(name))

    assert first == second
    assert first["display_name"] == "Ann Lee"
    is_believed = name in BELIEVED
    assert first["email"] == (person["email"] if is_believed else None)
    assert first["email_verified"] is is_believed


@pytest.mark.parametrize("name", ALL)
async def test_the_browser_is_sent_with_all_that_protects_the_way_back(
    social: Scene, name: str
) -> None:
    answer = await social.begin(social.node.client(), name)

    asked = {
        key: one[0] for key, one in parse_qs(urlsplit(answer.headers["location"]).query).items()
    }
    assert asked["redirect_uri"] == f"{social.node.url}/auth/{name}/callback"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) >= 43
    assert ("nonce" in asked) == (name not in {"kakao", "naver"})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Max-Age=600" in cookie
    assert ("SameSite=None; Secure" in cookie) == (name == "apple")
    assert ("SameSite=Lax" in cookie) == (name != "apple")
    assert asked["state"] not in cookie


async def test_the_way_back_does_not_depend_on_what_a_request_calls_its_host(
    social: Scene,
) -> None:
    client = social.node.client()

    answer = await client.http.get("/auth/google/login", headers={"host": "evil.example"})

    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{social.node.url}/auth/google/callback"]


@pytest.mark.parametrize("name", ["google", "apple"])
async def test_the_chats_of_a_visitor_become_the_account_s(social: Scene, name: str) -> None:
    social.provider.somebody()
    client = social.node.client()
    session = await client.start()

    await social.go(client, name)

    assert "colloquy_visitor" not in client.http.cookies
    assert (await client.http.get(f"/chats/{session['chat_id']}")).status_code == 200


async def test_one_ends_on_the_page_where_one_began(social: Scene) -> None:
    social.provider.somebody()

    answer = await social.go(social.node.client(), "google", next="/?chat=1#here")

    assert answer.headers["location"] == "/?chat=1#here"


async def test_a_sign_in_is_a_new_one_each_time(social: Scene) -> None:
    social.provider.somebody()
    client = await social.signed_in("google")
    before = dict(client.http.cookies)

    await social.go(client, "google")

    assert dict(client.http.cookies)["colloquy_login"] != before["colloquy_login"]


@pytest.mark.parametrize("name", BELIEVED)
async def test_an_account_whose_address_is_proved_is_found_by_a_proved_address(
    social: Scene, name: str
) -> None:
    first = social.provider.somebody()
    account = await social.me(await social.signed_in("google"))
    social.provider.somebody(email=first["email"].upper())

    assert (await social.me(await social.signed_in(name)))["user_id"] == account["user_id"]


async def test_nobody_gets_into_an_account_by_an_address_that_its_account_has_not_proved(
    social: Scene,
) -> None:
    person = social.provider.somebody()
    await registered(social.node, email=person["email"])

    answer = await social.go(social.node.client(), "google")

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "email_taken"
    assert "link" in answer.json()["error"]["message"]
    assert "colloquy_login" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("name", ["google", "kakao", "naver", "apple"])
async def test_nobody_gets_into_an_account_by_an_address_that_the_provider_has_not_checked(
    social: Scene, name: str
) -> None:
    person = social.provider.somebody()
    await social.signed_in("google")
    social.provider.somebody(email=person["email"], email_verified=False)

    answer = await social.go(social.node.client(), name)

    assert answer.json()["error"]["code"] == "email_taken"


async def test_an_address_that_nobody_has_checked_is_not_kept_from_its_owner(
    social: Scene,
) -> None:
    person = social.provider.somebody(email_verified=False)
    squatter = await social.me(await social.signed_in("google"))

    _, owner = await registered(social.node, email=person["email"])

    assert squatter["email"] is None
    assert owner["user"]["user_id"] != squatter["user_id"]


async def test_whoever_signed_up_with_another_s_address_is_out_when_its_owner_comes(
    social: Scene,
) -> None:
    person = social.provider.somebody()
    squatter, _ = await registered(social.node, email="x" + person["email"])
    await social.go(squatter, "google", link="1")
    owner = social.node.client()
    await owner.http.post("/auth/password/forgot", json={"email": "x" + person["email"]})
    token = await link_to(social.node, "x" + person["email"], "reset")
    await owner.http.post("/auth/password/reset", json={"token": token, "password": PASSWORD})

    again = await social.me(await social.signed_in("google"))

    assert again["email"] == person["email"]  # another account


async def test_a_provider_is_linked_and_unlinked(social: Scene) -> None:
    person = social.provider.somebody()
    client, answer = await registered(social.node)
    before = client.http.cookies["colloquy_login"]

    done = await social.go(client, "kakao", link="1", next="/settings")

    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    assert client.http.cookies["colloquy_login"] == before
    linked = (await client.http.get("/users/me/providers")).json()["providers"]
    assert [(one["provider"], one["email"]) for one in linked] == [("kakao", person["email"])]
    by_kakao = await social.me(await social.signed_in("kakao"))
    assert by_kakao["user_id"] == answer["user"]["user_id"]
    assert (await client.http.delete("/auth/kakao")).json() == {"providers": []}
    again = await client.http.delete("/auth/kakao")
    assert (again.status_code, again.json()["error"]["code"]) == (404, "unknown_provider")


async def test_apple_links_too_though_its_answer_brings_no_cookies(social: Scene) -> None:
    social.provider.somebody()
    client, answer = await registered(social.node)

    await social.go(client, "apple", link="1")

    by_apple = await social.me(await social.signed_in("apple"))
    assert by_apple["user_id"] == answer["user"]["user_id"]


async def test_the_last_way_to_sign_in_stays(social: Scene) -> None:
    social.provider.somebody()
    client = await social.signed_in("google")
    refused = await client.http.delete("/auth/google")
    await social.go(client, "naver", link="1")

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "last_sign_in")
    both = await asyncio.gather(
        client.http.delete("/auth/google"), client.http.delete("/auth/naver")
    )
    assert sorted(one.status_code for one in both) == [200, 409]


async def test_a_person_of_a_provider_belongs_to_one_account(social: Scene) -> None:
    social.provider.somebody()
    await social.signed_in("google")
    other, _ = await registered(social.node)

    answer = await social.go(other, "google", link="1")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_linked")


async def test_only_who_has_signed_in_links(social: Scene) -> None:
    nobody = await social.begin(social.node.client(), "google", link="1")

    assert nobody.status_code == 401


async def test_a_sign_in_that_ended_at_the_provider_s_page_links_nothing(social: Scene) -> None:
    social.provider.somebody()
    client, _ = await registered(social.node)
    request = await social.at_provider(client, "google", link="1")
    await client.http.post("/auth/logout")

    answer = await client.http.send(request)

    assert answer.status_code == 401


async def test_a_disabled_account_stays_closed(social: Scene, postgres: Postgres) -> None:
    social.provider.somebody()
    me = await social.me(await social.signed_in("google"))
    async with postgres.unit() as db:
        statement = text("UPDATE users SET is_active = false WHERE id = :id")
        await db.execute(statement, {"id": me["user_id"]})

    answer = await social.go(social.node.client(), "google")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "account_disabled")


async def test_ten_first_sign_ins_at_once_make_one_account(social: Scene) -> None:
    social.provider.somebody()
    clients = [social.node.client() for _ in range(10)]

    answers = await asyncio.gather(*(social.go(one, "google") for one in clients))

    assert {one.status_code for one in answers} == {303}
    assert len({(await social.me(one))["user_id"] for one in clients}) == 1


async def test_what_was_done_is_in_the_audit_log(social: Scene, postgres: Postgres) -> None:
    social.provider.somebody()
    client = await social.signed_in("google")
    me = await social.me(client)
    await social.go(client, "kakao", link="1")
    await client.http.delete("/auth/kakao")

    async with postgres.statement() as db:
        statement = text("SELECT action FROM audit_log WHERE user_id = :id ORDER BY id")
        actions = [row.action for row in await db.execute(statement, {"id": me["user_id"]})]
    assert actions == ["registered", "linked", "signed_in", "linked", "unlinked"]


async def test_keys_that_a_provider_has_changed_are_asked_for(social: Scene) -> None:
    social.provider.somebody()
    await social.signed_in("google")
    old = social.provider.key
    social.provider.key = type(old).generate_key(2048, {"kid": "k2", "use": "sig"})
    try:
        async with asyncio.timeout(5):
            while (await social.go(social.node.client(), "google")).status_code != 303:
                pass  # it was asked a moment ago
    finally:
        social.provider.key = old


async def test_one_signs_in_by_password_to_an_account_that_is_linked(social: Scene) -> None:
    social.provider.somebody()
    client, answer = await registered(social.node)
    await social.go(client, "google", link="1")

    again = await signed_in(social.node, answer["user"]["email"])

    assert (await social.me(again))["user_id"] == answer["user"]["user_id"]
