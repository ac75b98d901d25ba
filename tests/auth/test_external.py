"""A deployment's own login: whoever brings a token that it has signed is signed in."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from joserfc import jwk, jwt

from app.embedded.servers import Addresses
from app.operators import Operators
from app.storage.postgres import Postgres
from tests.conftest import make_settings
from tests.support.answers import bearer
from tests.support.node import Node, running_node
from tests.support.provider import Provider, running_provider, signed_by_public_key, unsigned

pytestmark = pytest.mark.usefixtures("quick_watch")

ISSUER, AUDIENCE, SECRET = (
    "https://login.example",
    "colloquy",
    "shared by the two, 32 bytes or more",
)
SHARED = jwk.OctKey.import_key(SECRET)


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[Provider]:
    async with running_provider("http://127.0.0.1:1") as provider:
        yield provider


def settings_of(issuer: Provider, **given: Any) -> dict[str, Any]:
    base = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": f"{issuer.url}/work/keys"}
    return {**base, "leeway_seconds": 0, "refresh_seconds": 0.2, **given}


@pytest.fixture(scope="module")
async def by_keys(stores: Addresses, issuer: Provider) -> AsyncIterator[Node]:
    async with running_node(make_settings(stores, external=settings_of(issuer))) as node:
        yield node


@pytest.fixture(scope="module")
async def by_secret(stores: Addresses, issuer: Provider) -> AsyncIterator[Node]:
    external = settings_of(issuer, jwks_url=None, secret=SECRET)
    async with running_node(make_settings(stores, external=external)) as node:
        yield node


def claims(**given: Any) -> dict[str, Any]:
    """Return good claims of somebody new; None takes one away."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"sub-{uuid.uuid4().hex}",
        "iat": now,
        "exp": now + 600,
        "name": "Ann Lee",
        "email": "ann@example.org",
    }
    return {name: value for name, value in {**good, **given}.items() if value is not None}


async def me(node: Node, token: str) -> httpx.Response:
    return await node.client().http.get("/users/me", headers=bearer({"token": token}))


async def test_somebody_new_gets_an_account_and_finds_it_again(
    by_keys: Node, issuer: Provider
) -> None:
    first = claims()

    answers = [
        await me(by_keys, issuer.sign(first)),
        await me(by_keys, issuer.sign(first)),
        await me(by_keys, issuer.sign({**first, "jti": "another"})),
    ]

    assert [one.status_code for one in answers] == [200, 200, 200]
    assert len({one.json()["user_id"] for one in answers}) == 1
    assert answers[0].json()["display_name"] == "Ann Lee"
    assert answers[0].json()["email"] is None  # nobody signs in by it here


async def test_a_secret_that_is_shared_serves_as_well(by_secret: Node) -> None:
    answer = await me(by_secret, jwt.encode({"alg": "HS256"}, claims(), SHARED))

    assert answer.status_code == 200


async def test_ten_first_requests_at_once_make_one_account(by_keys: Node, issuer: Provider) -> None:
    token = issuer.sign(claims())

    answers = await asyncio.gather(*(me(by_keys, token) for _ in range(10)))

    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["user_id"] for one in answers}) == 1


async def test_a_chat_is_its_person_s_alone(by_keys: Node, issuer: Provider) -> None:
    ann, bob = (bearer({"token": issuer.sign(claims())}) for _ in range(2))
    client = by_keys.client()
    session = (await client.http.post("/chat/start", json={}, headers=ann)).json()
    path = f"/chats/{session['chat_id']}"

    codes = [(await client.http.get(path, headers=one)).status_code for one in (ann, bob)]

    assert codes == [200, 404]
    assert session["user_id"] is not None


@pytest.mark.parametrize(
    "given",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"exp": 10**30},
        {"iat": None},
        {"iat": 10**10},
        {"nbf": 10**10},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
    ],
    ids=lambda given: " ".join(f"{name}={value!s:.12}" for name, value in given.items()),
)
async def test_a_token_that_is_not_for_us_and_now_is_refused(
    by_keys: Node, issuer: Provider, given: dict[str, Any]
) -> None:
    answer = await me(by_keys, issuer.sign(claims(**given)))

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


async def test_a_token_that_lives_too_long_is_refused(by_keys: Node, issuer: Provider) -> None:
    now = int(time.time())

    answer = await me(by_keys, issuer.sign(claims(iat=now, exp=now + 3_601)))

    assert answer.status_code == 401


FORGED: dict[str, Callable[[Provider], str]] = {
    "unsigned": lambda _: unsigned(claims()),
    "no header": lambda _: unsigned(claims(), {}),
    "hmac with the public key": lambda issuer: signed_by_public_key(issuer.key, claims()),
    "another key": lambda issuer: jwt.encode(
        {"alg": "RS256", "kid": issuer.key.kid}, claims(), jwk.RSAKey.generate_key(2048)
    ),
    "another way to sign": lambda issuer: jwt.encode(
        {"alg": "RS384", "kid": issuer.key.kid}, claims(), issuer.key, algorithms=["RS384"]
    ),
    "changed": lambda issuer: "A".join(issuer.sign(claims()).rsplit("e", 1)),
    "no token": lambda _: "a.b.c",
    "empty": lambda _: "..",
    "nested without end": lambda _: f"{'W1tb' * 5_000}.e30.e30",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_token_that_the_issuer_has_not_signed_is_refused(
    by_keys: Node, issuer: Provider, forge: Callable[[Provider], str]
) -> None:
    answer = await me(by_keys, forge(issuer))

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("how", ["unsigned", "by another secret", "by a key"])
async def test_a_token_without_the_shared_secret_is_refused(
    by_secret: Node, issuer: Provider, how: str
) -> None:
    other = jwk.OctKey.import_key("another secret, also of 32 bytes or more")
    token = {
        "unsigned": unsigned(claims()),
        "by another secret": jwt.encode({"alg": "HS256"}, claims(), other),
        "by a key": issuer.sign(claims()),
    }[how]

    assert (await me(by_secret, token)).status_code == 401


async def test_without_an_issuer_such_a_token_is_nothing(node: Node, issuer: Provider) -> None:
    assert (await me(node, issuer.sign(claims()))).status_code == 401


async def test_made_up_keys_do_not_have_the_issuer_asked_at_will(
    stores: Addresses, issuer: Provider
) -> None:
    external = settings_of(issuer, refresh_seconds=60)
    async with running_node(make_settings(stores, external=external)) as node:
        await me(node, issuer.sign(claims()))
        before = issuer.keys_read
        for number in range(20):
            header = {"alg": "RS256", "kid": f"made-up-{number}"}
            assert (await me(node, jwt.encode(header, claims(), issuer.key))).status_code == 401

        assert issuer.keys_read == before


async def test_a_new_key_of_the_issuer_is_learned(by_keys: Node, issuer: Provider) -> None:
    await me(by_keys, issuer.sign(claims()))
    old, issuer.key = issuer.key, jwk.RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
    try:
        async with asyncio.timeout(5):
            while (await me(by_keys, issuer.sign(claims()))).status_code != 200:
                pass  # it was asked a moment ago
    finally:
        issuer.key = old


async def test_known_keys_serve_while_the_issuer_is_away_and_unknown_ones_wait(
    stores: Addresses,
) -> None:
    async with running_provider("http://127.0.0.1:1") as gone:
        external = settings_of(gone, cache_seconds=0.001, refresh_seconds=0.001)
        async with (
            running_node(make_settings(stores, external=external)) as knowing,
            running_node(make_settings(stores, external=external)) as new,
        ):
            assert (await me(knowing, gone.sign(claims()))).status_code == 200
            gone.broken = True

            assert (await me(knowing, gone.sign(claims()))).status_code == 200
            answer = await me(new, gone.sign(claims()))
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert "retry_after_ms" in answer.json()["error"]


@pytest.mark.parametrize("way", ["header", "ticket"])
async def test_a_socket_closes_when_its_token_runs_out(
    by_keys: Node, issuer: Provider, way: str
) -> None:
    person = claims(exp=int(time.time()) + 3)
    header = bearer({"token": issuer.sign(person)})
    client = by_keys.client()
    session = (await client.http.post("/chat/start", json={}, headers=header)).json()
    headers: dict[str, Any] = {"additional_headers": header}
    hello: dict[str, str] = {}
    if way == "ticket":
        path = f"/chat/sessions/{session['session_id']}/ticket"
        given = await client.http.post(path, headers=header)
        headers, hello = {}, {"ticket": given.json()["ticket"]}
    async with by_keys.client().socket(session, hello=hello, **headers) as socket:
        await socket.ask("Hello")

        assert (await socket.closed())[0] == 4101
    assert time.time() >= person["exp"]
    assert (await me(by_keys, header["authorization"].removeprefix("Bearer "))).status_code == 401


async def test_a_disabled_account_stays_closed_to_good_tokens(
    by_keys: Node, issuer: Provider, postgres: Postgres
) -> None:
    person = claims()
    user = (await me(by_keys, issuer.sign(person))).json()
    operators = Operators(postgres, by_keys.services.signals)
    await operators.set_active(str(user["user_id"]), is_active=False)

    old, new = issuer.sign(person), issuer.sign({**person, "jti": "another"})

    assert [(await me(by_keys, one)).status_code for one in (old, new)] == [401, 401]
