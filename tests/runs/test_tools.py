"""Tools of runs whose node dies: what Postgres knows of their calls, and what the chat hears."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.agents.types import ToolCall
from app.embedded.servers import Addresses
from app.events.errors import StaleFence
from app.kit.ids import RunId
from app.runs.tool_calls import ToolCalls
from app.settings import RunSettings
from tests.conftest import make_settings
from tests.runs.conftest import HASTY, heedless
from tests.runs.scene import rows, run_row, until, vanish
from tests.support import tools
from tests.support.client import Event, Socket
from tests.support.node import Node, running_node
from tests.support.scripted import GATES
from tests.support.tools import EFFECTS, agent, new_gate, with_node

AGENTS = [agent(with_node(), "tools"), agent(with_node(tools.by_hand), "by hand")]

# Holds a run for good unless somebody takes it: it neither renews nor looks for work.
SLEEPY = {"lease_seconds": 0.5, "heartbeat_seconds": 600, "poll_seconds": 600}

UNKNOWN = "error: The service restarted while this was being worked on."


@contextlib.asynccontextmanager
async def two(
    own: Addresses, first: dict[str, float], second: dict[str, float]
) -> AsyncIterator[tuple[Node, Node]]:
    async with (
        running_node(heedless(make_settings(own), **first), agents=AGENTS) as here,
        running_node(heedless(make_settings(own), **second), agents=AGENTS) as there,
    ):
        yield here, there


@contextlib.asynccontextmanager
async def left_behind(
    own: Addresses, question: str, *, at: str, name: str = "tools", **runs: float
) -> AsyncIterator[tuple[Node, Socket, Event]]:
    """Ask a node, let it die when a tool is at a gate, and lend the node that goes on."""
    hasty = {**HASTY, **runs}
    async with two(own, hasty, hasty) as (here, there):
        session = await here.client().start(agent=name)
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(question)
            await GATES.wait_until_reached(at)
            await until(lambda: _has_noted(there, ack["run_id"], question))
            while socket.types().count("tool_started") < len(question.split(" ")):
                await socket.receive()  # its node may die before it is told
            vanish(here)
            yield there, socket, ack


async def _notes(node: Node, run_id: str) -> list[Any]:
    return await rows(
        node, "SELECT * FROM tool_calls WHERE run_id = CAST(:r AS uuid) ORDER BY id", r=run_id
    )


async def _has_noted(node: Node, run_id: str, question: str) -> bool:
    """Whether all calls have begun, and those that pass an open gate have ended."""
    notes = await _notes(node, run_id)
    ended = sum(one.ended_at is not None for one in notes)
    wanted = [one for one in question.split(" ") if not one.startswith("look:")]
    return len(notes) == len(wanted) and ended == sum(":open-" in one for one in wanted)


def _told(socket: Socket, attempt: int) -> list[tuple[str, str, str | None]]:
    return [
        (one["type"], one["tool"], one.get("code"))
        for one in socket.numbered()
        if one["type"].startswith("tool_") and one["attempt"] == attempt
    ]


async def test_a_tool_at_work_when_its_node_dies_is_not_called_again(own: Addresses) -> None:
    gate = new_gate()
    async with left_behind(own, f"charge:{gate}", at=gate) as (there, socket, ack):
        answer = await socket.until("message_completed")
        end = await socket.until_end()
        notes = await _notes(there, ack["run_id"])

    assert (end["type"], end["attempt"]) == ("run_completed", 2)
    assert answer["text"].startswith(UNKNOWN)
    assert EFFECTS[gate] == 1
    assert _told(socket, 1) == [("tool_started", "charge", None)]
    assert _told(socket, 2) == [("tool_failed", "charge", "tool_interrupted")]
    assert notes == []  # nobody needs them any more


async def test_a_tool_that_had_ended_gives_the_result_it_had(own: Addresses) -> None:
    done, gate = new_gate(is_open=True), new_gate()
    question = f"charge:{done} look:{gate}"
    async with left_behind(own, question, at=gate) as (_, socket, _ack):
        GATES.open(gate)
        answer = await socket.until("message_completed")

    assert answer["text"] == f"success: charged {done} / success: saw {gate}"
    assert (EFFECTS[done], EFFECTS[gate]) == (1, 2)  # to look is harmless
    assert ("tool_completed", "charge", None) in _told(socket, 2)
    calls = {
        (one["call_id"], one["tool"])
        for one in socket.numbered()
        if one["type"].startswith("tool_") and one["tool"] == "charge"
    }
    assert len(calls) == 1  # the same in both attempts


async def test_a_large_result_is_known_to_be_lost(own: Addresses) -> None:
    done, gate = new_gate(is_open=True), new_gate()
    question = f"charge:{done} look:{gate}"
    async with left_behind(own, question, at=gate, tool_result_bytes=100) as (_, socket, _ack):
        GATES.open(gate)
        answer = await socket.until("message_completed")

    assert answer["text"].startswith("error: This call ended before the service restarted, but")
    assert EFFECTS[done] == 1


async def test_a_tool_that_a_node_calls_by_itself_ends_the_run(own: Addresses) -> None:
    gate = new_gate()
    async with left_behind(own, f"charge:{gate}", at=gate, name="by hand") as (there, socket, ack):
        end = await socket.until_end()
        row = await run_row(there, ack["run_id"])
        await socket.ask(f"look:{new_gate(is_open=True)}")
        following = await socket.until_end()

    assert (end["type"], end["code"], end["attempt"]) == ("run_failed", "tool_interrupted", 2)
    assert (row.status, row.error_code) == ("failed", "tool_interrupted")
    assert EFFECTS[gate] == 1
    assert following["type"] == "run_completed"  # the thread is fit for the next question


async def test_a_node_that_lost_its_run_starts_no_tool(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was frozen; its own clock says nothing wrong, and only Postgres can."""
    gate, charged = new_gate(), new_gate(is_open=True)
    async with two(own, SLEEPY, HASTY) as (here, there):
        session = await here.client().start(agent="tools")
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(f"look:{gate} | charge:{charged}")
            await GATES.wait_until_reached(gate)
            [zombie] = here.services.worker._running.values()
            await until(lambda: _is_at(there, ack["run_id"], 2))
            await until(lambda: EFFECTS[gate] == 2)
            zombie.renewed(asyncio.get_running_loop().time() + 600)
            monkeypatch.setattr(zombie, "halt", lambda _why: None)  # and nobody tells it

            GATES.open(gate)
            end = await socket.until_end()
            await until(lambda: here.services.worker.running == 0)

    assert (end["type"], end["attempt"]) == ("run_completed", 2)
    assert EFFECTS[charged] == 1


async def _is_at(node: Node, run_id: str, attempt: int) -> bool:
    return bool((await run_row(node, run_id)).attempt == attempt)


async def test_a_run_is_stopped_in_the_middle_of_a_tool(own: Addresses) -> None:
    gate = new_gate()
    async with running_node(make_settings(own), agents=AGENTS) as node:
        client = node.client()
        session = await client.start(agent="tools")
        async with client.socket(session, hello={}) as socket:
            await socket.ask(f"charge:{gate}")
            await GATES.wait_until_reached(gate)
            await socket.send("cancel", id="c")
            end = await socket.until_end()
            await socket.ask(f"charge:{new_gate(is_open=True)}")
            following = await socket.until_end()

    assert (end["type"], following["type"]) == ("run_cancelled", "run_completed")
    assert EFFECTS[gate] == 1


# The notes


@pytest.fixture
async def run(own: Addresses) -> AsyncIterator[tuple[Node, ToolCalls, RunId, int]]:
    """A run at work, and the notes of its node."""
    gate = new_gate()
    async with running_node(make_settings(own), agents=AGENTS) as node:
        client = node.client()
        session = await client.start(agent="tools")
        async with client.socket(session, hello={}) as socket:
            ack = await socket.ask(f"look:{gate}")
            await GATES.wait_until_reached(gate)
            row = await run_row(node, ack["run_id"])
            calls = ToolCalls(
                postgres=node.services.postgres, settings=RunSettings(tool_result_bytes=10)
            )
            yield node, calls, row.id, row.fence
            GATES.open(gate)
            await until(lambda: node.services.worker.running == 0)


CALL = ToolCall("tools:1", "call-1", "charge")


async def test_notes_are_for_later_attempts(run: tuple[Node, ToolCalls, RunId, int]) -> None:
    _, calls, run_id, fence = run

    first = await calls.begin(run_id, fence, CALL)
    second = await calls.begin(run_id, fence, CALL._replace(call_id="call-2"))
    third = await calls.begin(run_id, fence, CALL._replace(call_id="call-3"))
    await calls.end(first, ("msgpack", b"0123456789"))
    await calls.end(second, ("msgpack", b"0123456789-"))
    await calls.withdraw(third)

    assert await calls.earlier(run_id, fence) == []
    found = await calls.earlier(run_id, fence + 1)
    assert [(one.call.call_id, one.has_ended, one.result) for one in found] == [
        ("call-1", True, ("msgpack", b"0123456789")),
        ("call-2", True, None),
    ]
    assert found[0].call == CALL
    await calls.forget(run_id)
    assert await calls.earlier(run_id, fence + 1) == []


async def test_only_the_owner_may_note_that_a_call_begins(
    run: tuple[Node, ToolCalls, RunId, int],
) -> None:
    node, calls, run_id, fence = run

    for other in (fence - 1, fence + 1):
        with pytest.raises(StaleFence):
            await calls.begin(run_id, other, CALL)

    assert await _notes(node, str(run_id)) == []


async def test_a_claim_under_way_is_waited_for(run: tuple[Node, ToolCalls, RunId, int]) -> None:
    """The call began after the new owner had looked for calls, and both made it."""
    node, calls, run_id, fence = run
    claim = "UPDATE runs SET fence = fence {} 1 WHERE id = CAST(:r AS uuid)"

    async with node.services.postgres.unit() as db:
        await db.exec_driver_sql(claim.format("+").replace(":r", f"'{run_id}'"))
        begins = asyncio.create_task(calls.begin(run_id, fence, CALL))
        await until(lambda: _waits(node))
    with pytest.raises(StaleFence):
        await begins

    await rows(node, claim.format("-") + " RETURNING id", r=str(run_id))


async def _waits(node: Node) -> bool:
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND query LIKE '%INSERT INTO tool_calls%' AND pid <> pg_backend_pid()"
    )
    return bool(await rows(node, waiting))


async def test_notes_go_with_their_chat(run: tuple[Node, ToolCalls, RunId, int]) -> None:
    node, calls, run_id, fence = run
    await calls.begin(run_id, fence, CALL)

    await rows(node, "DELETE FROM runs WHERE id = CAST(:r AS uuid) RETURNING id", r=str(run_id))

    assert await _notes(node, str(run_id)) == []
