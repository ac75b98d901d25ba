"""Runs while Redis or Postgres is away: the graph goes on, and nothing said is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from app.agents import connection
from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.kit.ids import SessionId
from app.sessions.types import Session
from tests.conftest import make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import HASTY, PATIENT, begin, heedless
from tests.runs.fold import fold, from_snapshot
from tests.runs.scene import answers, rows, run_row, texts, until, vanish
from tests.runs.test_snapshot import start, take, told
from tests.support.client import Event
from tests.support.node import Node
from tests.support.proxy import LOST, Proxies, proxied
from tests.support.scripted import GATES, NAME

QUICK = {"redis": {"command_seconds": 0.3}, "events": {"relay_seconds": 0.1}}
PATIENCE = 5.0  # seconds that a statement waits for a connection


@contextlib.asynccontextmanager
async def behind(
    own: Addresses, *, patience: float = PATIENCE, **runs: float
) -> AsyncIterator[tuple[Node, Proxies]]:
    """Run a node whose stores can be taken away."""
    database = {"pool_size": 5, "checkpoint_pool_size": 5, "migrate": False}
    waits = {"connect_seconds": patience, "statement_seconds": patience}
    async with proxied(own) as proxies:
        settings = make_settings(
            proxies.addresses, runs=PATIENT, database={**database, **waits}, **QUICK
        )
        async with begin(heedless(settings, **runs)) as node:
            yield node, proxies


async def ends(node: Node, session: Session) -> list[str]:
    return [one["type"] for one in await told(node, session.chat_id) if _is_end(one)]


def count_failures(node: Node, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each append that fails."""
    publisher = node.services.worker._publisher
    append, failures = publisher.publish, list[str]()

    async def counted(*given: Any, **named: Any) -> Any:
        try:
            return await append(*given, **named)
        except Unavailable as error:
            failures.append(error.code)
            raise

    monkeypatch.setattr(publisher, "publish", counted)
    return failures


def _is_end(event: Event) -> bool:
    return event["type"] in {"run_completed", "run_failed", "run_cancelled"}


async def test_words_said_while_redis_is_away_come_later_as_one_text(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = [new_gate() for _ in range(3)]
    async with behind(own) as (node, proxies):
        session = await start(node)
        await node.services.runs.accept(
            session,
            f"say:a wait:{gates[0]} say:b progress:aggregating say:c wait:{gates[1]} say:d"
            f" wait:{gates[2]} say:e",
        )
        await GATES.wait_until_reached(gates[0])
        await until(lambda: _has(node, session, "message_delta"))
        before = await take(node, session)

        failures = count_failures(node, monkeypatch)
        await proxies.redis.cut()
        GATES.open(gates[0])
        await GATES.wait_until_reached(gates[1])  # the graph does not wait for Redis
        await until(lambda: bool(failures))
        await proxies.redis.restore()
        GATES.open(gates[1])
        await until(lambda: _has(node, session, "message_text"))
        GATES.open(gates[2])
        await until(lambda: _has(node, session, "run_completed"))
        events, last = await told(node, session.chat_id), await take(node, session)

    assert fold(from_snapshot(before), events) == from_snapshot(last)
    [whole] = [one for one in events if one["type"] == "message_text"]
    assert whole["text"] in {"abc", "abcd"}
    assert [one["type"] for one in events].count("aggregating") == 1
    assert [one["text"] for one in last["messages"]][-1] == "abcde"


async def test_an_answer_is_stored_though_redis_is_away_and_told_when_it_is_back(
    own: Addresses,
) -> None:
    gate = new_gate()
    async with behind(own) as (node, proxies):
        session = await start(node)
        await node.services.runs.accept(session, f"say:a wait:{gate} say:b")
        await GATES.wait_until_reached(gate)
        await until(lambda: _has(node, session, "message_delta"))
        before = await take(node, session)

        await proxies.redis.cut()
        GATES.open(gate)
        await until(lambda: answers(node, session.chat_id, 1))
        await proxies.redis.restore()
        await until(lambda: _has(node, session, "run_completed"))
        events, last = await told(node, session.chat_id), await take(node, session)

    assert fold(from_snapshot(before), events) == from_snapshot(last)
    assert [one["text"] for one in last["messages"]][-1] == "ab"


async def test_a_message_is_taken_and_answered_while_redis_is_away(own: Addresses) -> None:
    async with behind(own) as (node, proxies):
        session = await start(node)
        await proxies.redis.cut()

        await node.services.runs.accept(session, "say:done")

        await until(lambda: answers(node, session.chat_id, 1))
        await proxies.redis.restore()
        await until(lambda: _has(node, session, "run_completed"))
        events = await told(node, session.chat_id)
    assert [one["type"] for one in events if one["type"] in _DURABLE] == [
        "user_message",
        "run_started",
        "message_completed",
        "run_completed",
    ]


async def test_a_redis_that_hangs_does_not_hold_up_the_end(own: Addresses) -> None:
    gate = new_gate()
    async with behind(own) as (node, proxies):
        session = await start(node)
        await node.services.runs.accept(session, f"say:a wait:{gate} say:b")
        await GATES.wait_until_reached(gate)

        proxies.redis.stall()
        GATES.open(gate)
        await until(lambda: answers(node, session.chat_id, 1), seconds=4)

        await proxies.redis.cut()
        await proxies.redis.restore()
        await until(lambda: _has(node, session, "run_completed"))


async def test_a_log_that_is_lost_in_mid_answer_gets_the_whole_text_again(
    own: Addresses, redis: Redis
) -> None:
    gates = [new_gate(), new_gate()]
    async with begin(make_settings(own, runs=PATIENT)) as node:
        client = node.client()
        started = await client.start(agent=NAME)
        session = await node.services.sessions.get(SessionId(started["session_id"]))
        async with client.socket(started, hello={}) as socket:
            await socket.ask(f"say:a wait:{gates[0]} say:b wait:{gates[1]} say:c")
            await socket.until("message_delta")
            old = socket.seen[0]["epoch"]

            await node.services.snapshots._log.forget(session.chat_id)
            GATES.open(gates[0])
            code, _ = await socket.closed()

        async with client.socket(started, hello={}) as socket:
            await until(lambda: _has(node, session, "message_text"))
            GATES.open(gates[1])
            await socket.until_end()
            welcome, snapshot = socket.seen[:2]
        events = await told(node, session.chat_id)

    assert code == 4110
    assert welcome["epoch"] != old
    texts_ = [one["text"] for one in events if one["type"] == "message_text"]
    assert texts_ == ["ab"]
    whole = fold(from_snapshot(snapshot), socket.numbered())
    assert [one["text"] for one in whole["messages"].values()][-1] == "abc"


async def test_a_run_that_ends_while_postgres_is_away_waits_with_its_answer(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(own, lease_seconds=60) as (node, proxies):
        ending = node.services.worker._ending
        store, tries = ending._store_once, list[str]()

        async def cut_off(*given: Any) -> Any:
            """Store, but the first two times without Postgres."""
            tries.append("store")
            if len(tries) > 2:
                return await store(*given)
            await proxies.postgres.cut()
            try:
                return await store(*given)
            finally:
                await proxies.postgres.restore()

        monkeypatch.setattr(ending, "_store_once", cut_off)
        session = await start(node)
        ack = await node.services.runs.accept(session, "say:a say:b")
        await until(lambda: _has(node, session, "run_completed"))
        row = await run_row(node, str(ack.run_id))
        found = await ends(node, session)
        stored = await texts(node, session.chat_id, "assistant")

    assert len(tries) == 3
    assert (row.status, row.attempt) == ("completed", 1)
    assert found == ["run_completed"]
    assert stored == ["ab"]


async def test_a_run_outlives_a_postgres_that_is_away_for_a_moment(own: Addresses) -> None:
    """The checkpoints' connections are broken; it was enough to fail the run."""
    gate = new_gate()
    async with behind(own, lease_seconds=60) as (node, proxies):
        client = node.client()
        started = await client.start(agent="steps")
        session = await node.services.sessions.get(SessionId(started["session_id"]))
        await node.services.runs.accept(session, gate)
        await GATES.wait_until_reached(gate)

        await proxies.postgres.cut()
        await proxies.postgres.restore()
        GATES.open(gate)
        await until(lambda: _has(node, session, "run_completed"))
        stored = await texts(node, session.chat_id, "assistant")

    assert stored == ["try 1 two"]


async def test_a_run_whose_checkpoints_cannot_be_kept_is_left_and_not_failed(
    own: Addresses,
) -> None:
    """It ended as failed when Postgres came back, for no fault of its agent."""
    gate = new_gate()
    sleepy = {"lease_seconds": 2, "heartbeat_seconds": 600, "poll_seconds": 0.1}
    async with behind(own, patience=0.4, **sleepy) as (node, proxies):
        started = await node.client().start(agent="steps")
        session = await node.services.sessions.get(SessionId(started["session_id"]))
        ack = await node.services.runs.accept(session, gate)
        await GATES.wait_until_reached(gate)

        await proxies.postgres.cut()
        GATES.open(gate)
        await until(lambda: node.services.worker.running == 0)
        await proxies.postgres.restore()
        await until(lambda: _has(node, session, "run_completed"))
        row = await run_row(node, str(ack.run_id))
        found = await ends(node, session)

    assert row.attempt > 1
    assert found == ["run_completed"]


async def test_a_run_ends_though_every_connection_to_postgres_is_dead_without_a_word(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes checkpoints waited for an answer that never came: no run of the node
    came to its end until a restart.
    """
    monkeypatch.setattr(connection, "_GRACE_SECONDS", 0.1)
    gate = new_gate()
    async with behind(own, patience=0.4) as (node, proxies):
        started = await node.client().start(agent="steps")
        session = await node.services.sessions.get(SessionId(started["session_id"]))
        await node.services.runs.accept(session, gate)
        await GATES.wait_until_reached(gate)

        for link in list(proxies.postgres.links):
            link.fault(up=LOST, down=LOST)
        GATES.open(gate)
        await until(lambda: _has(node, session, "run_completed"))
        found = await ends(node, session)

    assert found == ["run_completed"]


async def test_a_run_whose_lease_lapsed_while_postgres_was_away_goes_on_after(
    own: Addresses,
) -> None:
    gate = new_gate()
    tireless = {**HASTY, "lease_seconds": 0.6, "max_losses": 50}
    async with behind(own, patience=1, **tireless) as (node, proxies):
        session = await start(node)
        ack = await node.services.runs.accept(session, f"say:a wait:{gate} say:b")
        await GATES.wait_until_reached(gate)

        await proxies.postgres.cut()
        await until(lambda: node.services.worker.running == 0)  # it may not be ours any more
        await proxies.postgres.restore()
        await until(lambda: _has(node, session, "run_resumed"))
        GATES.open(gate)
        await until(lambda: _has(node, session, "run_completed"))
        row = await run_row(node, str(ack.run_id))
        found = await ends(node, session)
        stored = await texts(node, session.chat_id, "assistant")

    assert row.status == "completed"
    assert row.attempt > 1
    assert found == ["run_completed"]
    assert stored == ["ab"]


async def test_without_postgres_nothing_is_acknowledged(own: Addresses) -> None:
    async with behind(own) as (node, proxies):
        session = await start(node)
        await proxies.postgres.cut()

        with pytest.raises(Unavailable):
            await node.services.runs.accept(session, "say:hello", client_message_id="m1")
        with pytest.raises(Unavailable):
            await node.services.runs.cancel(session.chat_id, session.owner, None)

        await proxies.postgres.restore()
        assert await rows(node, "SELECT 1 FROM messages") == []
        again = await node.services.runs.accept(session, "say:hello", client_message_id="m1")
        await until(lambda: answers(node, session.chat_id, 1))
    assert again.duplicate is False


async def test_a_node_stops_though_its_redis_client_swallowed_a_cancel(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``asyncio.wait_for`` of Python 3.11 may do so, and the Redis client uses it: the run's
    pump went on for ever, and the node with it.
    """
    async with asyncio.timeout(8), begin(make_settings(own, runs=PATIENT)) as node:
        session = await start(node)
        reached = asyncio.Event()

        async def deaf(*_: Any, **__: Any) -> None:
            reached.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

        monkeypatch.setattr(node.services.worker._publisher, "publish_durable", deaf)
        await node.services.runs.accept(session, "sleep:30")
        await reached.wait()

        vanish(node)

    assert node.services.worker.running == 0


_DURABLE = {"user_message", "run_started", "message_completed", "run_completed"}


async def _has(node: Node, session: Session, type_: str, count: int = 1) -> bool:
    try:
        return [one["type"] for one in await told(node, session.chat_id)].count(type_) >= count
    except Unavailable:
        return False
