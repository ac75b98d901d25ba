"""The OpenAPI document says what is served, and what is served is what it says."""

import re
from typing import Any

import httpx
import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.routing import Route

from app.main import create_app
from app.protocol import schemas
from app.settings import load_settings
from app.embedded.servers import Addresses
from tests.conftest import make_settings
from tests.auth.scene import PASSWORD, link_to, new_email, registered
from tests.support.answers import bearer
from tests.support.client import Client
from tests.support.limits import UNLIMITED
from tests.support.node import Node, running_node
from tests.support.scripted import NAME

# Served, but no part of the API: the page, the figures, the descriptions themselves.
_APART = {"/", "/metrics", "/openapi.json", "/protocol.json"}

# What is asked of anybody: a credential beside it is not looked at.
_NEEDS_NOBODY = {
    "/health/live",
    "/health/ready",
    "/auth/password/forgot",
    "/auth/password/reset",
    "/auth/verify",
    "/auth/providers",
    "/auth/{provider}/callback",
}

# Their answers need a provider beside the node (tests/auth).
_SOCIAL = {
    "/auth/providers",
    "/auth/{provider}",
    "/auth/{provider}/login",
    "/auth/{provider}/callback",
    "/users/me/providers",
}


@pytest.fixture(scope="module")
async def document(node: Node) -> dict[str, Any]:
    answer = await node.client().http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


class Checker:
    """Finds what the document says of an answer, and checks the answer against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.seen: set[tuple[str, str, int]] = set()
        resource: Resource[Any] = Resource.from_contents(document, DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("urn:openapi", resource)

    def check(self, answer: httpx.Response) -> None:
        method, path = answer.request.method, self._template(answer.request.url.path)
        operation = self.document["paths"][path][method.lower()]
        said = operation["responses"][str(answer.status_code)]
        schema = said["content"]["application/json"]["schema"]
        self.validate(schema, answer.json())
        self.seen.add((method, path, answer.status_code))

    def validate(self, schema: dict[str, Any], value: Any) -> None:
        whole = {"$ref": "urn:openapi" + schema["$ref"]}
        jsonschema.Draft202012Validator(whole, registry=self._registry).validate(value)

    def _template(self, path: str) -> str:
        paths: list[str] = list(self.document["paths"])
        fitting = [one for one in paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", one), path)]
        return path if path in paths else fitting[0]


def mounted() -> set[tuple[str, str]]:
    found = set()
    for route in create_app(load_settings({})).routes:
        if isinstance(route, Route) and route.path not in _APART and "." not in route.path:
            found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
    return found


def test_every_route_is_described_and_every_description_is_a_route(
    document: dict[str, Any],
) -> None:
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }

    assert described == mounted()
    assert len(described) >= 15


def test_the_document_is_openapi_and_every_reference_leads_somewhere(
    document: dict[str, Any],
) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Colloquy"
    assert re.fullmatch(r"0|\d+\.\d+\.\d+.*", document["info"]["version"])
    schemas_ = document["components"]["schemas"]
    names = set(re.findall(r'#/components/schemas/([^"\']+)', str(document)))
    assert names == set(schemas_)
    for schema in schemas_.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_says_what_it_takes_and_gives(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"][-1] == "."
            in_path = [one for one in operation.get("parameters", []) if one["in"] == "path"]
            assert [one["name"] for one in in_path] == re.findall(r"{(\w+)}", path)
            codes = set(operation["responses"])
            assert codes & {"200", "201", "202", "302", "303"}, (method, path)
            assert "500" in codes
            asks = not path.startswith("/health") and path != "/auth/providers"
            assert not asks or "503" in codes, (method, path)
            assert path in _NEEDS_NOBODY or "401" in codes, (method, path)
            if method in {"post", "delete"}:
                assert "403" in codes, (method, path)


@pytest.fixture(scope="module")
async def walked(node: Node, stores: Addresses, document: dict[str, Any]) -> Checker:
    """Every kind of answer, good and bad, each checked against the document."""
    checker = Checker(document)
    client, stranger = node.client(), node.client()
    await stranger.start()
    ids = await _good(client, checker)
    await _accounts(node, checker)
    await _bad(node, client, stranger, ids, checker)
    limits = {**UNLIMITED, "starts": "1/minute"}
    async with running_node(make_settings(stores, limits=limits)) as strict:
        for start in ("/chat/start", "/api/v1/chat/start"):
            for _ in range(2):
                checker.check(await strict.client().http.post(start))
    return checker


async def _good(client: Client, checker: Checker) -> dict[str, str]:
    session = await client.start(agent=NAME, metadata={"a": [1, {"b": None}]})
    path, chat = f"/chat/sessions/{session['session_id']}", f"/chats/{session['chat_id']}"
    async with client.socket(session, hello={"tab": "t"}) as socket:
        await socket.ask("say:hello")
        await socket.until_end()
        checker.check(await client.http.get(path))
    for start in ("/chat/start", "/api/v1/chat/start"):
        checker.check(await client.http.post(start, json={"agent": NAME}))
    for get in (
        "/chat/sessions",
        "/chat/conversations?limit=1",
        "/api/v1/chat/conversations",
        chat,
        f"{chat}/messages",
        f"{chat}/snapshot",
        "/health/live",
        "/health/ready",
    ):
        checker.check(await client.http.get(get))
    for tail in ("heartbeat", "extend", "ticket"):
        checker.check(await client.http.post(f"{path}/{tail}"))
    other = await client.start()
    checker.check(await client.http.delete(f"/chat/sessions/{other['session_id']}"))
    return {"session": path, "chat": chat, "chat_id": session["chat_id"]}


async def _accounts(node: Node, checker: Checker) -> None:
    """The life of an account, and what it is refused on the way."""
    email, http = new_email(), node.client().http
    session = await node.client().start()
    login = {"email": email, "password": PASSWORD}

    async def post(path: str, body: Any = None) -> None:
        checker.check(await http.post(path, json=body))

    await post("/auth/register", login)
    await post("/auth/register", login)
    await post("/auth/verify/mail")
    for purpose, path in (("verify", "/auth/verify"), ("reset", "/auth/password/reset")):
        await post("/auth/password/forgot", {"email": email})
        await post(path, {"token": await link_to(node, email, purpose), "password": PASSWORD})
    await post("/auth/login", login)
    await post("/auth/password", {"old": PASSWORD, "new": PASSWORD})
    claim = f"/chat/sessions/{session['session_id']}/claim"
    for _ in range(2):
        await post(claim, {"token": session["token"]})
    checker.check(await http.get("/users/me"))
    checker.check(await http.patch("/users/me", json={"locale": "ko"}))
    for path in ("/auth/password", "/users/me"):
        method = "DELETE" if path == "/users/me" else "POST"
        for _ in range(8):  # wrong ones, until they come too fast
            body = {"password": "wrong", "old": "wrong one", "new": PASSWORD}
            checker.check(await http.request(method, path, json=body))
    for path in ("/auth/login", "/auth/register", "/auth/password/forgot", "/auth/verify/mail"):
        for _ in range(8):
            await post(path, {**login, "email": "nobody@example.org"})
    await post("/auth/logout")
    for method, path in (("POST", "/auth/register"), ("PATCH", "/users/me"), ("POST", claim)):
        bad = {**login, "token": "", "locale": "ko"}
        checker.check(
            await http.request(method, path, json=bad, headers=bearer({"token": "clg_x"}))
        )
    other, _ = await registered(node)
    checker.check(await other.http.request("DELETE", "/users/me", json={"password": PASSWORD}))


async def _bad(
    node: Node, client: Client, stranger: Client, ids: dict[str, str], checker: Checker
) -> None:
    bad = bearer({"token": "cst_x"})
    foreign = {"origin": "https://evil.example"}
    nobody = node.client()
    for path, operations in checker.document["paths"].items():
        if path.startswith("/health") or path in _SOCIAL:
            continue
        there = path.replace("/chat/sessions/{session_id}", ids["session"])
        there = there.replace("/chats/{chat_id}", ids["chat"])
        for method in operations:
            checker.check(await client.http.request(method.upper(), there, headers=bad))
            if method != "get":
                checker.check(await client.http.request(method.upper(), there, headers=foreign))
            if "{" in path:
                checker.check(await stranger.http.request(method.upper(), there))
            if "{session_id}" in path:
                checker.check(await nobody.http.request(method.upper(), there))
    for path, operations in checker.document["paths"].items():
        there = path.replace("/chat/sessions/{session_id}", ids["session"])
        for method, operation in operations.items():
            if "requestBody" in operation:
                ask = client.http.request
                checker.check(await ask(method.upper(), there, content=b" " * 1_100_000))
                checker.check(await ask(method.upper(), there, content=b"["))
    for start in ("/chat/start", "/api/v1/chat/start"):
        for body in ({"agent": "nobody"}, {"agent": 1}, {"user_id": 1}, {"chat_id": "x"}):
            checker.check(await client.http.post(start, json=body))
        checker.check(await stranger.http.post(start, json={"chat_id": ids["chat_id"]}))
        key = {"idempotency-key": f"k {start}"}
        await client.http.post(start, headers=key)
        checker.check(await client.http.post(start, json={"agent": NAME}, headers=key))
    for page in ("/chat/conversations", "/api/v1/chat/conversations"):
        checker.check(await client.http.get(f"{page}?limit=0"))
        checker.check(await client.http.get(f"{page}?user_id=1"))
    checker.check(await client.http.get("/chat/sessions?status=x"))
    checker.check(await client.http.get(f"{ids['chat']}/messages?before=x"))


def test_every_success_that_is_described_was_seen_and_fits(walked: Checker) -> None:
    described = {
        (method.upper(), path, int(status))
        for path, operations in walked.document["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
        if status.startswith("2") and path not in _SOCIAL
    }

    assert described == {one for one in walked.seen if one[2] < 300 and one[1] not in _SOCIAL}


def test_every_refusal_that_is_described_was_seen_and_fits(walked: Checker) -> None:
    described = {
        (method.upper(), path, int(status))
        for path, operations in walked.document["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
        if status.startswith("4") and path not in _SOCIAL
    }

    assert described - walked.seen == set()


def test_a_start_that_the_document_allows_is_taken(document: dict[str, Any]) -> None:
    checker = Checker(document)
    operation = document["paths"]["/chat/start"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]

    checker.validate(schema, {"agent": "a", "metadata": {"x": 1}, "chat_id": None})
    refused: list[Any] = [{"agent": 5}, {"agent": ""}, {"metadata": []}, {"user_id": "1"}, []]
    for bad in refused:
        with pytest.raises(jsonschema.ValidationError):
            checker.validate(schema, bad)
    assert operation["requestBody"]["required"] is False


async def test_the_protocol_document_is_the_types(node: Node) -> None:
    answer = await node.client().http.get("/protocol.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == schemas.document()
    for side in ("client", "server"):
        jsonschema.Draft202012Validator.check_schema(answer.json()[side])


async def test_what_a_real_socket_says_fits_the_protocol_document(node: Node) -> None:
    document = (await node.client().http.get("/protocol.json")).json()
    validator = jsonschema.Draft202012Validator(document["server"])
    client = node.client()
    session = await client.start(agent=NAME)

    async with client.socket(session, hello={"tab": "t"}) as socket:
        await socket.ask("progress:planning_started custom:mine say:Hello")
        await socket.until_end()
        await socket.ask("fail")
        await socket.until_end()
        await socket.send("cancel", id="c")
        await socket.until("error")
        await socket.send("ping", id="p")
        await socket.until("pong")

    assert len(set(socket.types())) >= 12
    for frame in socket.seen:
        validator.validate(frame)
