"""Health and figures."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.embedded.servers import Addresses
from app.kit.clock import SystemClock
from tests.conftest import make_settings
from tests.support.answers import error_of
from tests.support.node import Node, running_node
from tests.support.scripted import NAME
from tests.support.proxy import Proxies, proxied


@pytest.fixture(scope="module")
async def fragile(stores: Addresses) -> AsyncIterator[tuple[Node, Proxies]]:
    """A node whose stores can be taken away."""
    async with proxied(stores) as proxies:
        settings = make_settings(
            proxies.addresses,
            database={
                "pool_size": 5,
                "checkpoint_pool_size": 2,
                "migrate": False,
                "connect_seconds": 1,
            },
            redis={"command_seconds": 1},
        )
        async with running_node(settings) as node:
            yield node, proxies


async def test_a_node_whose_stores_answer_is_ready(node: Node) -> None:
    client = node.client()

    assert (await client.http.get("/health/live")).json() == {"status": "alive"}
    ready = await client.http.get("/health/ready")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "checks": {"postgres": "ok", "redis": "ok"}},
    )


@pytest.mark.parametrize("store", ["postgres", "redis"])
@pytest.mark.parametrize("how", ["gone", "hanging"])
async def test_a_node_is_not_ready_while_a_store_is_away_and_recovers_by_itself(
    fragile: tuple[Node, Proxies], store: str, how: str
) -> None:
    node, proxies = fragile
    proxy = getattr(proxies, store)
    client = node.client()
    if how == "gone":
        await proxy.cut()
    else:
        proxy.stall()

    begun = SystemClock().monotonic()
    away = await client.http.get("/health/ready")
    took = SystemClock().monotonic() - begun

    other = "redis" if store == "postgres" else "postgres"
    assert took < 3  # it took four: a driver gives up slowly
    assert away.status_code == 503
    assert away.json()["status"] == "unavailable"
    assert away.json()["checks"][other] == "ok"
    assert away.json()["checks"][store] in {"unavailable", "timeout"}
    assert (await client.http.get("/health/live")).status_code == 200

    await proxy.restore()
    back = await client.http.get("/health/ready")
    if back.status_code != 200:  # a connection that broke is found by its use, once
        back = await client.http.get("/health/ready")
    assert back.status_code == 200


async def test_without_postgres_every_request_that_needs_it_says_come_back(
    fragile: tuple[Node, Proxies],
) -> None:
    node, proxies = fragile
    client = node.client()
    session = await client.start()
    await proxies.postgres.cut()

    answers = [
        await client.http.post("/chat/start"),
        await client.http.post("/chat/start", headers={"idempotency-key": "k"}),
        await client.http.get("/chat/conversations"),
        await client.http.get("/chat/sessions"),
        await client.http.get(f"/chat/sessions/{session['session_id']}"),
        await client.http.delete(f"/chat/sessions/{session['session_id']}"),
        await client.http.get(f"/chats/{session['chat_id']}/messages"),
    ]

    await proxies.postgres.restore()
    for answer in answers:
        error = error_of(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) * 1_000 >= error["retry_after_ms"] > 0


async def test_without_redis_a_session_is_still_shown_and_nobody_knows_who_is_there(
    fragile: tuple[Node, Proxies],
) -> None:
    node, proxies = fragile
    client = node.client()
    session = await client.start()
    path = f"/chat/sessions/{session['session_id']}"
    await proxies.redis.cut()

    state = await client.http.get(path)
    listed = await client.http.get("/chat/sessions?status=active")
    ticket = await client.http.post(f"{path}/ticket")
    extended = await client.http.post(f"{path}/extend")
    ended = await client.http.delete(path)

    await proxies.redis.restore()
    assert (state.json()["live"], state.json()["connections"]) == (None, [])
    assert len(listed.json()["sessions"]) == 1
    error_of(ticket, 503, "unavailable")
    assert extended.status_code == 200
    assert ended.json()["status"] == "completed"


async def test_the_figures_can_be_read_and_count(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        await socket.ask("hello")
        await socket.until_end()
        await client.http.get("/chat/sessions/nothing")

        answer = await client.http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert all(family.documentation for family in families.values())
    assert all(name.startswith("colloquy_") for name in families)
    [connections] = families["colloquy_connections"].samples
    assert connections.value >= 1
    routes = {sample.labels.get("route") for sample in families["colloquy_http_seconds"].samples}
    assert {"/chat/start", "/chat/sessions/{session_id}"} <= routes
    assert not [route for route in routes if route and session["session_id"] in route]


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("10.1.2.3", 404), ("203.0.113.9", 404), ("::1", 200), ("rubbish", 404)],
)
async def test_figures_are_for_the_networks_that_are_named(
    node: Node, address: str, status: int
) -> None:
    """A proxy on this machine says whom it asks for."""
    headers = {"x-forwarded-for": address, "x-forwarded-proto": "http"}

    answer = await node.client().http.get("/metrics", headers=headers)

    assert answer.status_code == status


async def test_no_client_can_make_figures_grow(node: Node) -> None:
    """Each close code a client chose became a label of its own."""
    client = node.client()
    session = await client.start()
    for code in (3000, 3333, 4444, 4999):
        async with client.socket(session, hello={}) as socket:
            await socket.raw.close(code, "made up")
    for path in ("/a", "/b/c", "/%ff", "/chat/sessions/one/two"):
        await client.http.get(path)

    answer = await client.http.get("/metrics")

    labels = {
        value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        for name, value in sample.labels.items()
        if name in {"code", "route", "type", "status"}
    }
    assert not labels & {"3000", "3333", "4444", "4999", "/a", "/b/c"}
    assert "client" in labels
