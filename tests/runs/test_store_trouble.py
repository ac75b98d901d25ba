"""What a client sees while a store is in trouble: an answer in time, and later everything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from socket import create_server
from typing import Any

import pytest
from redis.exceptions import RedisError
from websockets.exceptions import ConnectionClosed

from app.embedded.servers import Addresses
from app.kit.clock import SystemClock
from app.kit.errors import Unavailable
from app.kit.ids import SessionId
from app.storage import migrations
from app.storage.postgres import Postgres
from tests.conftest import SECRET, make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import begin
from tests.support.answers import error_of
from tests.support.client import Client, Event, Socket
from tests.support.commands import done
from tests.support.node import Node
from tests.support.proxy import Proxies, Proxy, proxied
from tests.support.scripted import GATES, NAME
from tests.support.waiting import eventually

CONNECT, STATEMENT, COMMAND = 0.6, 0.8, 0.5  # seconds
SLACK = 1.0  # of a busy machine
CONNECTIONS = 4
LEASED = {"lease_seconds": 1.5, "heartbeat_seconds": 0.3, "poll_seconds": 0.2, "max_losses": 50}

Fragile = tuple[Node, Proxies]
Trouble = Callable[[Node, Proxies], AbstractAsyncContextManager[None]]


@pytest.fixture
async def fragile(own: Addresses) -> AsyncIterator[Fragile]:
    """A node whose patience is short and whose stores can be hurt."""
    async with proxied(own) as proxies:
        settings = make_settings(
            proxies.addresses,
            database={
                "pool_size": CONNECTIONS,
                "checkpoint_pool_size": CONNECTIONS,
                "migrate": False,
                "connect_seconds": CONNECT,
                "statement_seconds": STATEMENT,
            },
            redis={"command_seconds": COMMAND, "connections": CONNECTIONS},
            runs=LEASED,
            events={"relay_seconds": 0.2},
        )
        async with begin(settings) as node:
            yield node, proxies


@contextlib.asynccontextmanager
async def _gone(proxy: Proxy) -> AsyncIterator[None]:
    await proxy.cut()
    try:
        yield
    finally:
        await proxy.restore()


@contextlib.asynccontextmanager
async def _hanging(proxy: Proxy) -> AsyncIterator[None]:
    proxy.stall()
    try:
        yield
    finally:
        await proxy.restore()


@contextlib.asynccontextmanager
async def _kept(postgres: Postgres) -> AsyncIterator[None]:
    async with postgres.statement():
        yield


@contextlib.asynccontextmanager
async def _postgres_exhausted(node: Node, _: Proxies) -> AsyncIterator[None]:
    """Have somebody keep every connection of the service's pool."""
    async with contextlib.AsyncExitStack() as held:
        for _number in range(CONNECTIONS):
            await held.enter_async_context(_kept(node.services.postgres))
        yield


@contextlib.asynccontextmanager
async def _redis_exhausted(node: Node, _: Proxies) -> AsyncIterator[None]:
    pool: Any = node.services.liveness._redis.connection_pool
    held = []
    with contextlib.suppress(RedisError):  # until there is none left
        while True:
            held.append(await pool.get_connection())
    try:
        yield
    finally:
        for connection in held:
            await pool.release(connection)


@contextlib.asynccontextmanager
async def _checkpoints_exhausted(node: Node) -> AsyncIterator[None]:
    pool = node.services.worker._executor._savers._pool
    held = [await pool.getconn() for _ in range(CONNECTIONS)]
    try:
        yield
    finally:
        for connection in held:
            await pool.putconn(connection)


POSTGRES: dict[str, Trouble] = {
    "gone": lambda _, proxies: _gone(proxies.postgres),
    "hanging": lambda _, proxies: _hanging(proxies.postgres),
    "exhausted": _postgres_exhausted,
}
REDIS: dict[str, Trouble] = {
    "gone": lambda _, proxies: _gone(proxies.redis),
    "hanging": lambda _, proxies: _hanging(proxies.redis),
    "exhausted": _redis_exhausted,
}


class Stopwatch:
    """Does things and keeps what each took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    async def time(self, name: str, work: Any) -> Any:
        clock = SystemClock()
        begun = clock.monotonic()
        try:
            return await work
        finally:
            self.seconds[name] = clock.monotonic() - begun

    @property
    def slowest(self) -> float:
        return max(self.seconds.values())


async def ask(socket: Socket, text: str, name: str) -> Event:
    await socket.send("query", id=name, query=text, client_message_id=name)
    return await socket.until(lambda event: event.get("id") == name)


async def cancel(socket: Socket) -> Event:
    await socket.send("cancel", id="stop")
    return await socket.until(lambda event: event.get("id") == "stop")


async def turned_away(client: Client, started: dict[str, Any]) -> int:
    """Connect and greet; return the code one is closed with."""
    async with client.socket(started) as socket:
        with contextlib.suppress(ConnectionClosed):  # before it could be greeted
            await socket.send("hello")
        return (await socket.closed())[0]


def is_temporary(event: Event) -> bool:
    return (event["type"], event["code"], event["temporary"]) == (
        "error",
        "unavailable",
        True,
    ) and event["retry_after_ms"] > 0


async def texts(client: Client, started: dict[str, Any]) -> list[str] | None:
    """Return what was said in the chat once nothing runs in it."""
    snapshot = (await client.http.get(f"/chats/{started['chat_id']}/snapshot")).json()
    return None if snapshot["runs"] else [one["text"] for one in snapshot["messages"]]


@pytest.mark.parametrize("trouble", POSTGRES)
async def test_with_postgres_in_trouble_everything_is_refused_in_time_and_nothing_lost(
    fragile: Fragile, trouble: str
) -> None:
    node, proxies = fragile
    gate, watch = new_gate(), Stopwatch()
    client = node.client()
    started = await client.start(agent=NAME)
    chat = f"/chats/{started['chat_id']}"
    async with client.socket(started, hello={}) as socket:
        running = await ask(socket, f"say:a wait:{gate} say:b", "m1")
        await GATES.wait_until_reached(gate)
        async with POSTGRES[trouble](node, proxies):
            begun = await watch.time("start", client.http.post("/chat/start", json={}))
            snapshot = await watch.time("snapshot", client.http.get(f"{chat}/snapshot"))
            messages = await watch.time("messages", client.http.get(f"{chat}/messages"))
            code = await watch.time("handshake", turned_away(client, started))
            sent = await watch.time("send", ask(socket, "say:c", "m2"))
            stopped = await watch.time("cancel", cancel(socket))
            GATES.open(gate)  # the run ends now: its answer has to wait

        again = await eventually(lambda: _acked(socket, "say:c", "m2"))
        said = await eventually(lambda: texts(client, started))
        other = await client.start(agent=NAME)

    for answer in (begun, snapshot, messages):
        error = error_of(answer, 503, "unavailable")
        assert error["retry_after_ms"] > 0
        assert int(answer.headers["retry-after"]) >= 1
    assert code == 4103
    assert is_temporary(sent)
    assert is_temporary(stopped)
    assert watch.slowest < 2 * (CONNECT + STATEMENT) + SLACK, watch.seconds
    assert (running["type"], (again or {})["type"]) == ("ack", "ack")
    assert sorted(said or []) == sorted([f"say:a wait:{gate} say:b", "say:c", "ab", "c"])
    assert other["chat_id"]


@pytest.mark.parametrize("trouble", REDIS)
async def test_with_redis_in_trouble_messages_are_taken_and_who_is_not_live_waits(
    fragile: Fragile, trouble: str
) -> None:
    node, proxies = fragile
    gate, watch = new_gate(), Stopwatch()
    client = node.client()
    started = await client.start(agent=NAME)
    chat = f"/chats/{started['chat_id']}"
    async with client.socket(started, hello={}) as socket:
        async with REDIS[trouble](node, proxies):
            begun = await watch.time("start", client.http.post("/chat/start", json={}))
            snapshot = await watch.time("snapshot", client.http.get(f"{chat}/snapshot"))
            messages = await watch.time("messages", client.http.get(f"{chat}/messages"))
            code = await watch.time("handshake", turned_away(client, started))
            sent = await watch.time("send", ask(socket, f"say:a wait:{gate}", "m1"))
            await GATES.wait_until_reached(gate)
            queued = await watch.time("queue", ask(socket, "say:b", "m2"))
            stopped = await watch.time("cancel", cancel(socket))

        said = await eventually(lambda: _texts_if_any(client, started))
    async with client.socket(started, hello={}) as socket:
        last = await socket.ask("say:c")
        await socket.until_end()

    assert (begun.status_code, messages.status_code) == (201, 200)
    assert error_of(snapshot, 503, "unavailable")["retry_after_ms"] > 0
    assert code == 4103
    assert [one["type"] for one in (sent, queued, stopped, last)] == ["ack"] * 4
    assert watch.slowest < 2 * COMMAND + SLACK, watch.seconds
    assert said == [f"say:a wait:{gate}", "say:b", "a", "b"]


async def test_without_a_connection_for_its_checkpoints_an_answer_comes_late(
    fragile: Fragile,
) -> None:
    node, _ = fragile
    client = node.client()
    started = await client.start(agent=NAME)
    async with client.socket(started, hello={}) as socket:
        async with _checkpoints_exhausted(node):
            ack = await ask(socket, "say:a", "m1")
            await eventually(lambda: _is_left(node))
        end = await socket.until_end()
        said = await eventually(lambda: texts(client, started))

    assert ack["type"] == "ack"
    assert (end["type"], end["run_id"]) == ("run_completed", ack["run_id"])
    assert said == ["say:a", "a"]


async def test_a_node_that_starts_without_redis_takes_messages_and_is_live_when_it_is_back(
    own: Addresses,
) -> None:
    async with proxied(own) as proxies:
        await proxies.redis.cut()
        settings = make_settings(
            proxies.addresses, redis={"command_seconds": COMMAND}, events={"relay_seconds": 0.2}
        )
        async with begin(settings) as node:
            client = node.client()
            ready = await client.http.get("/health/ready")
            started = await client.start(agent=NAME)
            session = await node.services.sessions.get(SessionId(started["session_id"]))
            await node.services.runs.accept(session, "say:a")  # over a socket of another node
            code = await turned_away(client, started)

            await proxies.redis.restore()
            said = await eventually(lambda: _texts_if_any(client, started))
            async with client.socket(started, hello={}) as socket:
                last = await socket.ask("say:b")
                await socket.until_end()

    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert code == 4103
    assert said == ["say:a", "a"]
    assert last["type"] == "ack"


@pytest.mark.parametrize("trouble", ["gone", "hanging"])
async def test_a_node_whose_database_is_not_there_says_so_and_ends(trouble: str) -> None:
    with deaf_port() as port:
        address = f"127.0.0.1:{port if trouble == 'hanging' else 1}"
        code, out, err = await done(
            "serve",
            COLLOQUY_DATABASE_URL=f"postgresql://someone@{address}/none",
            COLLOQUY_DATABASE__CONNECT_SECONDS="1",
            COLLOQUY_DATABASE__MIGRATE="false",
            COLLOQUY_REDIS_URL="redis://127.0.0.1:1",
            COLLOQUY_SECRET=SECRET,
            COLLOQUY_PORT="0",
        )

    assert (code, out) == (1, "")
    assert "Error: The database cannot be used: it has not answered for 1 seconds." in err
    assert "Traceback" not in err


async def test_tables_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver waits for more than two minutes, if nobody tells it how long."""
    monkeypatch.setattr(migrations, "_CONNECT_SECONDS", 2)  # it knows nothing shorter
    with deaf_port() as port:
        url = f"postgresql://someone@127.0.0.1:{port}/none"
        with pytest.raises(Unavailable, match="The database cannot be used: "):
            await asyncio.to_thread(migrations.upgrade, url)


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with create_server(("127.0.0.1", 0)) as listener:  # the kernel takes them
        yield listener.getsockname()[1]


async def _acked(socket: Socket, text: str, name: str) -> Event | None:
    answer = await ask(socket, text, name)
    return answer if answer["type"] == "ack" else None


async def _texts_if_any(client: Client, started: dict[str, Any]) -> list[str] | None:
    answer = await client.http.get(f"/chats/{started['chat_id']}/snapshot")
    return await texts(client, started) if answer.status_code == 200 else None


async def _is_left(node: Node) -> bool:
    return node.services.worker.running == 0
