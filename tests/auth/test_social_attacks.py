"""What a provider, a network or another page may do to somebody's sign-in, and may not."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwk, jwt

from app.settings import BadSettings, load_settings
from tests.auth.scene import registered
from tests.auth.social_scene import Scene
from tests.support.provider import Provider, signed_by_public_key, unsigned


def refused(answer: httpx.Response, code: str) -> bool:
    """Whether nobody was signed in, for this reason."""
    assert answer.json()["error"]["code"] == code, answer.text
    return answer.status_code >= 400 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["google", "apple", "kakao", "naver"])
async def test_an_answer_with_another_state_is_refused(social: Scene, name: str) -> None:
    social.provider.somebody()
    client = social.node.client()
    request = await social.at_provider(client, name)
    if request.method == "GET":
        url = request.url.copy_set_param("state", "another")
        request = client.http.build_request("GET", url)
    else:
        cookie = request.headers["cookie"]
        request = client.http.build_request(
            "POST", request.url, data={"state": "another", "code": "c"}, headers={"cookie": cookie}
        )

    assert refused(await client.http.send(request), "sign_in_expired")


async def test_an_answer_in_another_browser_is_refused(social: Scene) -> None:
    """A link with somebody else's answer would sign its victim in as the attacker."""
    social.provider.somebody()
    request = await social.at_provider(social.node.client(), "google")
    victim = social.node.client()

    assert refused(await victim.http.get(str(request.url)), "sign_in_expired")


async def test_an_answer_in_a_browser_with_an_attempt_of_its_own_is_refused(
    social: Scene,
) -> None:
    social.provider.somebody()
    request = await social.at_provider(social.node.client(), "google")
    victim = social.node.client()
    await social.begin(victim, "google")

    assert refused(await victim.http.get(str(request.url)), "sign_in_expired")


async def test_an_answer_counts_once(social: Scene) -> None:
    social.provider.somebody()
    client = social.node.client()
    request = await social.at_provider(client, "google")
    cookies = dict(client.http.cookies)
    assert (await client.http.send(request)).status_code == 303

    again = await social.node.client().http.get(
        str(request.url),
        headers={"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())},
    )

    assert refused(again, "sign_in_expired")


@pytest.mark.parametrize("name", ["google", "kakao", "naver"])
async def test_a_code_that_was_used_is_refused(social: Scene, name: str) -> None:
    social.provider.somebody()
    client = social.node.client()
    request = await social.at_provider(client, name)
    social.provider.grants.pop(request.url.params["code"])

    assert refused(await client.http.send(request), "sign_in_refused")


async def test_a_code_of_another_attempt_is_refused(social: Scene) -> None:
    """PKCE: a code that was intercepted is good for nothing in the thief's own attempt."""
    social.provider.somebody()
    victim = await social.at_provider(social.node.client(), "google")
    thief = social.node.client()
    social.provider.somebody()
    own = await social.at_provider(thief, "google")

    url = own.url.copy_set_param("code", victim.url.params["code"])

    assert refused(await thief.http.get(str(url)), "sign_in_refused")


async def test_an_answer_meant_for_another_provider_is_refused(social: Scene) -> None:
    social.provider.somebody()
    client = social.node.client()
    request = await social.at_provider(client, "google")

    there = str(request.url).replace("/auth/google/", "/auth/work/")

    assert refused(await client.http.get(there), "sign_in_expired")


async def test_a_person_who_says_no_is_not_signed_in(social: Scene) -> None:
    social.provider.somebody()
    social.provider.refuses = True

    assert refused(await social.go(social.node.client(), "google"), "sign_in_refused")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": ""},
        {"aud": "another"},
        {"aud": ["id-google", "another"]},
        {"aud": []},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": time.time() - 60},
        {"exp": "never"},
        {"iat": time.time() + 3_600},
        {"nbf": time.time() + 3_600},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"at_hash": "wrong"},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["google", "apple"])
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    social: Scene, name: str, claims: dict[str, Any]
) -> None:
    social.provider.somebody()
    if claims.get("aud") and isinstance(claims["aud"], list):
        claims = {"aud": [f"id-{name}", "another"]}
    social.provider.claims = claims

    assert refused(await social.go(social.node.client(), name), "bad_identity")


def by_nobody(_: Provider) -> Callable[[dict[str, Any]], str]:
    return unsigned


def by_a_stranger(provider: Provider) -> Callable[[dict[str, Any]], str]:
    stranger = jwk.RSAKey.generate_key(2048)
    header = {"alg": "RS256", "kid": provider.key.kid}
    return lambda claims: jwt.encode(header, claims, stranger)


def by_an_unknown_key(_: Provider) -> Callable[[dict[str, Any]], str]:
    stranger = jwk.RSAKey.generate_key(2048)
    return lambda claims: jwt.encode({"alg": "RS256", "kid": "k9"}, claims, stranger)


def with_the_public_key_as_a_secret(provider: Provider) -> Callable[[dict[str, Any]], str]:
    return lambda claims: signed_by_public_key(provider.key, claims)


def with_a_key_of_its_own(_: Provider) -> Callable[[dict[str, Any]], str]:
    own = jwk.RSAKey.generate_key(2048)
    header = {"alg": "RS256", "jwk": own.as_dict(private=False)}
    return lambda claims: jwt.encode(header, claims, own)


def not_at_all(_: Provider) -> Callable[[dict[str, Any]], str]:
    return lambda _: "no token"


@pytest.mark.parametrize(
    "how",
    [
        by_nobody,
        by_a_stranger,
        by_an_unknown_key,
        with_the_public_key_as_a_secret,
        with_a_key_of_its_own,
        not_at_all,
    ],
)
async def test_a_token_that_the_provider_has_not_signed_is_refused(
    social: Scene, how: Callable[[Provider], Callable[[dict[str, Any]], str]]
) -> None:
    social.provider.somebody()
    social.provider.forge = how(social.provider)

    assert refused(await social.go(social.node.client(), "google"), "bad_identity")


async def test_naver_s_own_refusal_is_one(social: Scene) -> None:
    social.provider.somebody()
    social.provider.claims = {"resultcode": "024"}

    assert refused(await social.go(social.node.client(), "naver"), "bad_identity")


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "evil",
        "",
        "/é",
    ],
    ids=repr,
)
async def test_one_never_ends_on_another_site(social: Scene, there: str) -> None:
    social.provider.somebody()

    answer = await social.go(social.node.client(), "google", next=there)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_another_site_s_page_cannot_link_its_person_with_this_browser_s_account(
    social: Scene,
) -> None:
    client, _ = await registered(social.node)

    answer = await client.http.get(
        "/auth/google/login?link=1", headers={"sec-fetch-site": "cross-site"}
    )

    assert answer.status_code == 403


async def test_only_apple_s_page_may_post_an_answer(social: Scene) -> None:
    client = social.node.client()
    foreign = {"origin": social.provider.url, "sec-fetch-site": "cross-site"}

    google = await client.http.post("/auth/google/callback", data={"state": "a"}, headers=foreign)
    apple = await client.http.post("/auth/apple/callback", data={"state": "a"}, headers=foreign)

    assert google.json()["error"]["code"] == "foreign_origin"
    assert apple.json()["error"]["code"] == "sign_in_expired"


@pytest.mark.parametrize("path", ["login", "callback"])
async def test_a_provider_that_is_not_configured_is_unknown(social: Scene, path: str) -> None:
    answer = await social.node.client().http.get(f"/auth/myspace/{path}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_provider")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOCIAL__GOOGLE__ISSUER", "http://accounts.example"),
        ("SOCIAL__KAKAO__TOKEN_URL", "http://127.0.0.1.evil.example"),
        ("SOCIAL__APPLE__CLIENT_ID", "alone"),
        ("SOCIAL__OIDC", '{"google": {"issuer": "https://a.example", "client_id": "c"}}'),
        ("SOCIAL__OIDC", '{"a/b": {"issuer": "https://a.example", "client_id": "c"}}'),
        ("EXTERNAL__ISSUER", "https://a.example"),
    ],
)
def test_settings_that_would_be_unsafe_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadSettings):
        load_settings({f"COLLOQUY_{name}": value})
