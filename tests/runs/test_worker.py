"""How many runs a node takes, when it looks for more, and what it does not depend on."""

import asyncio
from functools import partial

import pytest
from redis.exceptions import ResponseError

from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.kit.ids import SessionId
from app.runs.worker import RunWorker
from app.sessions.types import Session
from tests.conftest import make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import PATIENT, begin
from tests.runs.scene import answers, rows, texts, until
from tests.support.client import Event
from tests.support.node import Node
from tests.support.scripted import GATES, NAME


async def sessions_on(node: Node, count: int, agent: str = NAME) -> list[Session]:
    client = node.client()
    started = [await client.start(agent=agent) for _ in range(count)]
    return [await node.services.sessions.get(SessionId(one["session_id"])) for one in started]


async def ask(node: Node, sessions: list[Session], text: str) -> None:
    await asyncio.gather(*(node.services.runs.accept(one, text) for one in sessions))


async def count(node: Node, status: str) -> int:
    statement = "SELECT count(*) FROM runs WHERE status = :s"
    return int((await rows(node, statement, s=status))[0][0])


async def test_a_node_runs_no_more_at_once_than_it_may(own: Addresses) -> None:
    """Messages that came together all saw the same free place, and all took it."""
    gate = new_gate()
    async with begin(make_settings(own, runs={**PATIENT, "concurrency": 3})) as node:
        sessions = await sessions_on(node, 10)

        await ask(node, sessions, f"wait:{gate} say:done")

        assert node.services.worker.running == 3
        assert (await count(node, "running"), await count(node, "queued")) == (3, 7)
        GATES.open(gate)
        for one in sessions:
            await until(partial(answers, node, one.chat_id, 1))


async def test_what_found_no_place_begins_as_soon_as_there_is_one(own: Addresses) -> None:
    """A node that was full looked again only at its next poll, seconds later."""
    async with begin(make_settings(own, runs={**PATIENT, "concurrency": 2})) as node:
        sessions = await sessions_on(node, 12)

        await ask(node, sessions, "say:done")

        for one in sessions:
            await until(partial(answers, node, one.chat_id, 1))
        assert await count(node, "completed") == 12


async def test_a_full_nodes_overflow_goes_to_another_at_once(own: Addresses) -> None:
    gate = new_gate()
    async with (
        begin(make_settings(own, runs={**PATIENT, "concurrency": 1})) as small,
        begin(make_settings(own, runs={**PATIENT, "concurrency": 20})) as large,
    ):
        sessions = await sessions_on(small, 4)

        await ask(small, sessions, f"wait:{gate} say:done")

        await until(lambda: large.services.worker.running == 3)
        assert small.services.worker.running == 1
        GATES.open(gate)
        for one in sessions:
            await until(partial(answers, small, one.chat_id, 1))


async def test_a_node_that_comes_takes_all_that_waits_without_a_poll(own: Addresses) -> None:
    """It waited for a poll at first, and for another one after every eighth run."""
    gate = new_gate()
    async with begin(make_settings(own, runs={**PATIENT, "concurrency": 1})) as small:
        sessions = await sessions_on(small, 21)
        await ask(small, sessions, f"wait:{gate} say:done")
        assert await count(small, "queued") == 20

        async with begin(make_settings(own, runs={**PATIENT, "concurrency": 20})) as large:
            await until(lambda: large.services.worker.running == 20)
            GATES.open(gate)
            for one in sessions:
                await until(partial(answers, small, one.chat_id, 1))


async def test_a_draining_node_leaves_what_waits_to_the_others(own: Addresses) -> None:
    gate = new_gate()
    settings = make_settings(own, runs=PATIENT)
    async with begin(settings) as here, begin(settings) as there:
        [session] = await sessions_on(here, 1)
        await here.services.runs.accept(session, f"wait:{gate} say:first")
        await here.services.runs.accept(session, "say:second")
        await GATES.wait_until_reached(gate)

        async with asyncio.TaskGroup() as group:
            group.create_task(here.services.worker.drain(10))
            await until(lambda: here.services.worker._draining)
            GATES.open(gate)
            await until(lambda: answers(there, session.chat_id, 2))

        owners = await rows(there, "SELECT status, attempt FROM runs ORDER BY seq")
    assert owners == [("completed", 1), ("completed", 1)]


async def test_a_wake_that_breaks_ends_no_other_run(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the node knew of was caught there: anything else ended all its runs."""
    gate, stays = new_gate(), new_gate()
    async with begin(make_settings(own, runs=PATIENT)) as node:
        ending, staying = await sessions_on(node, 2)
        await node.services.runs.accept(staying, f"wait:{stays} say:done")
        await node.services.runs.accept(ending, f"wait:{gate} say:first")
        await node.services.runs.accept(ending, "say:second")
        await GATES.wait_until_reached(gate)
        tried = asyncio.Event()

        async def refused(kind: str) -> None:
            tried.set()
            raise ResponseError("NOPERM this user has no permissions")

        monkeypatch.setattr(node.services.worker._signals, "send", refused)
        async with asyncio.TaskGroup() as group:
            group.create_task(node.services.worker.drain(10))
            await until(lambda: node.services.worker._draining)
            GATES.open(gate)
            await tried.wait()
            GATES.open(stays)
            await until(partial(answers, node, staying.chat_id, 1))


async def test_a_run_does_not_depend_on_the_socket_that_asked(node: Node) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={"tab": "t"}) as socket:
        await socket.ask(f"say:begun wait:{gate} say:-done")
        await socket.until("message_delta")
        seen = socket.numbered()[-1]

    GATES.open(gate)
    await until(lambda: answers(node, session["chat_id"], 1))

    assert await texts(node, session["chat_id"], "assistant") == ["begun-done"]
    after = {"epoch": await _epoch(node, session), "offset": seen["offset"], "key": seen["key"]}
    async with client.socket(session, hello={"tab": "t", "after": after}) as socket:
        assert socket.seen[0]["resumed"] is True
        missed = [one["type"] for one in socket.numbered()]
    assert missed == ["message_delta", "message_completed", "run_completed"]


async def test_nothing_begins_on_a_worker_that_has_stopped(own: Addresses) -> None:
    async with begin(make_settings(own, runs=PATIENT)) as node:
        worker = node.services.worker
        [session] = await sessions_on(node, 1)
    begun = False

    async def work() -> None:
        nonlocal begun
        begun = True

    with pytest.raises(Unavailable):
        await worker.finish(work())

    assert begun is False
    assert session


async def test_whoever_waits_for_work_is_let_go_when_the_node_stops(own: Addresses) -> None:
    async with begin(make_settings(own, runs=PATIENT)) as node:
        never = asyncio.Event()
        waiting = asyncio.ensure_future(_wait_on(node.services.worker, never))
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await waiting


async def _wait_on(worker: RunWorker, never: asyncio.Event) -> None:
    async def work() -> None:
        await never.wait()

    await worker.finish(work())


async def _epoch(node: Node, session: Event) -> str:
    answer = await node.clients[-1].http.get(f"/chats/{session['chat_id']}/snapshot")
    epoch: str = answer.json()["epoch"]
    return epoch
