"""Security headers, origins, answers for bugs."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from app.embedded.servers import Addresses
from app.kit.clock import SystemClock
from app.web.middleware import EdgeMiddleware
from tests.conftest import make_settings
from tests.support.answers import bearer, error_of
from tests.support.node import Node, running_node

SHOP = "https://shop.example.com"
FOREIGN = [
    "https://evil.example",
    "null",
    "http://127.0.0.1",
    "http://localhost.evil.example",
    "https://shop.example.com.evil.example",
    "https://shop.example.comx",
    "http://[",
]


@pytest.fixture(scope="module")
async def shop(stores: Addresses) -> AsyncIterator[Node]:
    """A node that another site's pages may use."""
    async with running_node(make_settings(stores, server={"origins": [SHOP]})) as node:
        yield node


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/metrics", 200),
        ("POST", "/chat/start", 201),
        ("GET", "/nowhere", 404),
        ("PUT", "/chat/start", 405),
        ("GET", "/chats/x", 404),
    ],
)
async def test_every_answer_carries_the_security_headers(
    node: Node, method: str, path: str, status: int
) -> None:
    answer = await node.client().http.request(method, path)

    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    rules = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    host = node.url.removeprefix("http://")
    assert rules == {
        "default-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "object-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": "'self'",
    }


@pytest.mark.parametrize("host", ["x; script-src *", "a b", "x' 'unsafe-inline'", ""])
async def test_a_host_that_is_none_does_not_reach_the_policy(node: Node, host: str) -> None:
    answer = await node.client().http.get("/health/live", headers={"host": host})

    if answer.status_code == 200:  # else the server refused it already
        assert "connect-src 'self';" in answer.headers["content-security-policy"]


async def test_tokens_and_chats_are_kept_in_no_cache(node: Node) -> None:
    client = node.client()
    session = await client.http.post("/chat/start")

    answers = [
        session,
        await client.http.get("/chat/conversations"),
        await client.http.get(f"/chats/{session.json()['chat_id']}/messages"),
        await client.http.get("/chat/sessions/x"),
    ]

    assert [answer.headers["cache-control"] for answer in answers] == ["no-store"] * 4


# Other sites' pages


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_can_change_nothing(shop: Node, origin: str) -> None:
    client = shop.client()
    session = await client.start()
    path = f"/chat/sessions/{session['session_id']}"

    for method, where in (("POST", "/chat/start"), ("DELETE", path), ("POST", f"{path}/extend")):
        answer = await client.http.request(method, where, headers={"origin": origin})
        error_of(answer, 403, "foreign_origin")
        assert "access-control-allow-origin" not in answer.headers
    assert (await client.http.get(path)).json()["status"] == "active"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "rubbish"])
async def test_a_browser_that_says_where_its_page_is_from_is_believed(
    node: Node, site: str
) -> None:
    client = node.client()

    answer = await client.http.post(
        "/chat/start", headers={"origin": node.url, "sec-fetch-site": site}
    )

    error_of(answer, 403, "foreign_origin")


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}],
    ids=["no browser", "own page", "typed in"],
)
async def test_own_pages_and_other_programs_may_act(node: Node, headers: dict[str, str]) -> None:
    answer = await node.client().http.post("/chat/start", headers=headers)

    assert answer.status_code == 201


async def test_an_own_page_of_an_old_browser_may_act(node: Node) -> None:
    answer = await node.client().http.post("/chat/start", headers={"origin": node.url})

    assert answer.status_code == 201


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_cannot_read_either(shop: Node, origin: str) -> None:
    client = shop.client()
    await client.start()

    answer = await client.http.get("/chat/conversations", headers={"origin": origin})

    assert answer.status_code == 200  # the browser keeps it from the page
    assert "access-control-allow-origin" not in answer.headers
    assert "origin" in answer.headers["vary"].lower()  # nor may a cache hand on what may be read


async def test_a_listed_page_may_start_and_read(shop: Node) -> None:
    headers = {"origin": SHOP, "sec-fetch-site": "cross-site"}
    client = shop.client()

    asked = await client.http.options(
        "/chat/start",
        headers={
            **headers,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,idempotency-key",
        },
    )
    started = await client.http.post("/chat/start", headers=headers)
    read = await client.http.get(
        f"/chat/sessions/{started.json()['session_id']}",
        headers={**headers, **bearer(started.json())},
    )

    assert (asked.status_code, started.status_code, read.status_code) == (204, 201, 200)
    for answer in (asked, started, read):
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "origin" in answer.headers["vary"].lower()
    allowed = asked.headers["access-control-allow-headers"].split(", ")
    assert set(allowed) == {"authorization", "content-type", "idempotency-key"}
    assert "DELETE" in asked.headers["access-control-allow-methods"]


async def test_an_error_is_readable_for_a_listed_page_too(shop: Node) -> None:
    answer = await shop.client().http.post(
        "/chat/start", json={"agent": "nobody"}, headers={"origin": SHOP}
    )

    error_of(answer, 422, "unknown_agent")
    assert answer.headers["access-control-allow-origin"] == SHOP


async def test_a_preflight_of_a_foreign_page_allows_nothing(shop: Node) -> None:
    answer = await shop.client().http.options(
        "/chat/start",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


# Bugs


async def _crash(_: Request) -> Response:
    raise RuntimeError("a secret detail")


async def _crash_late(_: Request) -> Response:
    async def words() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("a secret detail")

    return StreamingResponse(words())


async def _fine(_: Request) -> Response:
    return PlainTextResponse("fine")


def edge() -> httpx.AsyncClient:
    app = Starlette(
        routes=[
            Route("/crash", _crash),
            Route("/late", _crash_late),
            Route("/fine", _fine),
        ],
        middleware=[Middleware(EdgeMiddleware, origins=[SHOP], monotonic=SystemClock().monotonic)],
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://edge"
    )


async def test_a_bug_is_answered_in_the_one_shape_and_tells_nothing() -> None:
    """The answer was made outside of the middleware: without any security header, and with
    none that let a listed page read it.
    """
    async with edge() as client:
        answer = await client.get("/crash", headers={"origin": SHOP})

    error_of(answer, 500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == SHOP


async def test_a_bug_in_the_middle_of_an_answer_ends_it() -> None:
    async with edge() as client:
        answer = await client.get("/late")

    assert answer.text in {"begun", ""}


async def test_what_says_its_own_policy_keeps_it() -> None:
    async def own(_: Request) -> Response:
        return PlainTextResponse("x", headers={"content-security-policy": "sandbox"})

    app = Starlette(
        routes=[Route("/", own)],
        middleware=[Middleware(EdgeMiddleware, origins=[], monotonic=SystemClock().monotonic)],
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://edge"
    ) as client:
        answer = await client.get("/")

    assert answer.headers["content-security-policy"] == "sandbox"
