"""Runs outlive their node, once and only once."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from functools import partial

import pytest

from app.embedded.servers import Addresses
from app.protocol.events import RUN_ENDS
from tests.conftest import make_settings
from tests.runs.agents import VISITS, new_gate
from tests.runs.conftest import HASTY, begin, heedless
from tests.runs.scene import rows, run_row, until, vanish
from tests.support.client import Event, Socket
from tests.support.node import Node, running_node
from tests.support.scripted import GATES, NAME, scripted_agent

# Holds a run for good unless somebody takes it: it neither renews nor looks for work.
SLEEPY = {"lease_seconds": 0.5, "heartbeat_seconds": 600, "poll_seconds": 600}


@contextlib.asynccontextmanager
async def two(
    own: Addresses, first: dict[str, float], second: dict[str, float]
) -> AsyncIterator[tuple[Node, Node]]:
    async with (
        begin(heedless(make_settings(own), **first)) as here,
        begin(heedless(make_settings(own), **second)) as there,
    ):
        yield here, there


def ends(socket: Socket, run_id: str) -> list[Event]:
    return [one for one in socket.numbered() if one["type"] in RUN_ENDS and one["run_id"] == run_id]


async def test_another_node_goes_on_with_what_a_dead_one_left(own: Addresses) -> None:
    gate = new_gate()
    async with two(own, HASTY, HASTY) as (here, there):
        session = await here.client().start(agent="steps")
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(gate)
            await socket.until("message_delta")
            await until(lambda: _has_done_first(there, session))

            vanish(here)
            await socket.until(lambda event: event["type"] == "message_delta")
            GATES.open(gate)
            end = await socket.until_end()
            row = await run_row(there, ack["run_id"])
            stored = await rows(there, _ANSWERS, c=session["chat_id"])

    assert (end["type"], end["run_id"], end["attempt"]) == ("run_completed", ack["run_id"], 2)
    assert [(one["type"], one.get("attempt")) for one in socket.numbered()] == [
        ("user_message", None),
        ("run_started", 1),
        ("custom", 1),
        ("message_started", 1),
        ("message_delta", 1),
        ("run_resumed", 2),
        ("message_reset", 2),
        ("message_started", 2),
        ("message_delta", 2),
        ("message_delta", 2),
        ("message_completed", 2),
        ("run_completed", 2),
    ]
    resumed = next(one for one in socket.numbered() if one["type"] == "run_resumed")
    assert resumed["reason"] == "owner_lost"
    assert VISITS["first", gate] == 1  # what was finished is not done again
    assert VISITS["second", gate] == 2  # what was not begins anew
    assert (row.status, row.attempt, row.fence) == ("completed", 2, 2)
    assert stored == [("try 2 two", "complete")]


async def test_a_node_hands_its_runs_over_when_it_drains(own: Addresses) -> None:
    gate = new_gate()
    waiting = {**HASTY, "lease_seconds": 60, "poll_seconds": 600}
    async with two(own, waiting, waiting) as (here, there):
        session = await here.client().start(agent="steps")
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(gate)
            await socket.until("message_delta")
            await until(lambda: _has_done_first(there, session))

            await here.services.worker.drain(0.05)
            resumed = await socket.until("run_resumed")
            GATES.open(gate)
            end = await socket.until_end()
            row = await run_row(there, ack["run_id"])

        assert here.services.worker.running == 0
        assert here.services.worker.take_place() is False
    assert (resumed["reason"], resumed["attempt"]) == ("handover", 2)
    assert (end["type"], row.status) == ("run_completed", "completed")
    assert VISITS["first", gate] == 1
    assert VISITS["second", gate] == 2


async def test_a_drain_lets_runs_finish_while_there_is_time(own: Addresses) -> None:
    async with begin(make_settings(own, runs={"poll_seconds": 600})) as node:
        client = node.client()
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            await socket.ask("sleep:0.2 say:done")

            await node.services.worker.drain(10)

            end = await socket.until_end()

    assert (end["type"], end["attempt"]) == ("run_completed", 1)


async def test_a_drain_hands_over_between_two_steps(own: Addresses) -> None:
    """Nothing is done twice: the step that was under way ended, the next has not begun."""
    gate = new_gate()
    waiting = {**HASTY, "lease_seconds": 60, "poll_seconds": 600}
    async with two(own, waiting, waiting) as (here, there):
        session = await here.client().start(agent="steps")
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(f"{gate} slowly")
            await GATES.wait_until_reached(f"{gate} slowly")

            async with asyncio.TaskGroup() as group:
                draining = group.create_task(here.services.worker.drain(20))
                await until(lambda: here.services.worker._draining)
                for execution in here.services.worker._running.values():
                    execution.wind_down()  # half of the time has passed
                GATES.open(f"{gate} slowly")
                resumed = await socket.until("run_resumed")
                await draining
            await socket.until_end()
            row = await run_row(there, ack["run_id"])

    assert (resumed["reason"], row.status, row.attempt) == ("handover", "completed", 2)
    assert [VISITS[name, f"{gate} slowly"] for name in ("first", "second")] == [1, 1]


async def test_handing_over_is_not_held_against_a_run(own: Addresses) -> None:
    """Three deployments in a row and then one crash ended a long run as failed: each had
    counted as an attempt.
    """
    gate = new_gate()
    settings = make_settings(own, runs=HASTY)
    async with contextlib.AsyncExitStack() as stack:
        node = await stack.enter_async_context(begin(settings))
        session = await node.client().start(agent=NAME)
        async with node.client().socket(session, hello={}) as asking:
            ack = await asking.ask(f"wait:{gate} say:done")
        for attempt in (2, 3, 4):
            following = await stack.enter_async_context(begin(settings))
            await node.services.worker.drain(0)
            await until(partial(_is_at, following, ack["run_id"], attempt))
            node = following
        last = await stack.enter_async_context(begin(settings))
        vanish(node)
        await until(partial(_is_at, last, ack["run_id"], 5))
        GATES.open(gate)
        await until(lambda: _has_ended(last, ack["run_id"]))
        row = await run_row(last, ack["run_id"])

    assert (row.status, row.attempt, row.losses) == ("completed", 5, 1)


async def test_a_run_that_kills_its_node_twice_is_given_up(own: Addresses) -> None:
    gate = new_gate()
    async with three(own) as (first, second, third, watching):
        session = await first.client().start(agent=NAME)
        async with watching.client().socket(session, hello={}) as socket:
            async with first.client().socket(session, hello={}) as asking:
                ack = await asking.ask(f"say:partial wait:{gate}")
                await asking.ask("say:next")
            await socket.until("message_delta")
            await _lose_twice(ack["run_id"], first, second, third)

            failed = await socket.until_end()
            after = await socket.until_end()

    assert (failed["type"], failed["run_id"]) == ("run_failed", ack["run_id"])
    assert (failed["code"], failed["retryable"]) == ("too_many_attempts", False)
    assert len(ends(socket, ack["run_id"])) == 1
    assert after["type"] == "run_completed"  # what waited behind it is not held up


async def test_a_run_that_is_given_up_leaves_its_thread_fit_for_the_next_message(
    own: Addresses,
) -> None:
    """The call that its tool never answered stood before the next question."""
    gate = new_gate()
    async with three(own) as (first, second, third, watching):
        session = await first.client().start(agent="caller")
        async with watching.client().socket(session, hello={}) as socket:
            async with first.client().socket(session, hello={}) as asking:
                ack = await asking.ask(gate)
            await GATES.wait_until_reached(gate)
            await _lose_twice(ack["run_id"], first, second, third)
            failed = await socket.until_end()

            await socket.ask("recall")
            told = await socket.until("message_completed")

    assert (failed["type"], failed["code"]) == ("run_failed", "too_many_attempts")
    assert told["text"] == f"person: {gate} | agent: Let me look. | tool: cancelled"


async def test_a_run_whose_repair_was_lost_too_ends_without_one(own: Addresses) -> None:
    """Otherwise it could be the repair that one node after another dies of."""
    gate = new_gate()
    settings = make_settings(own, runs=HASTY)
    async with begin(settings) as here:
        session = await here.client().start(agent="caller")
        async with here.client().socket(session, hello={}) as asking:
            ack = await asking.ask(gate)
        await GATES.wait_until_reached(gate)
        vanish(here)
        await rows(here, _LOST_TWICE, r=ack["run_id"])
        async with begin(settings) as there:
            await until(lambda: _has_ended(there, ack["run_id"]))
            row = await run_row(there, ack["run_id"])
            async with there.client().socket(session, hello={}) as socket:
                await socket.ask("recall")
                told = await socket.until("message_completed")

    assert (row.status, row.error_code, row.losses) == ("failed", "too_many_attempts", 3)
    assert told["text"] == f"person: {gate} | agent: Let me look."


async def test_a_lease_is_renewed_for_as_long_as_its_node_lives(own: Addresses) -> None:
    gate = new_gate()
    brief = {**HASTY, "lease_seconds": 0.6, "heartbeat_seconds": 0.1}
    async with two(own, brief, brief) as (here, _there):
        client = here.client()
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            ack = await socket.ask(f"wait:{gate} say:done")
            first = (await run_row(here, ack["run_id"])).lease_until

            async def moved_twice() -> bool:
                lease = (await run_row(here, ack["run_id"])).lease_until
                return bool((lease - first).total_seconds() > 2 * brief["lease_seconds"])

            await until(moved_twice)
            GATES.open(gate)
            end = await socket.until_end()

    assert (end["type"], end["attempt"]) == ("run_completed", 1)


@pytest.mark.parametrize("rest", ["say:late", ""])
async def test_a_zombie_writes_neither_to_the_log_nor_to_postgres(
    own: Addresses, rest: str
) -> None:
    gate = new_gate()
    async with two(own, SLEEPY, HASTY) as (zombie, heir):
        session = await zombie.client().start(agent=NAME)
        async with heir.client().socket(session, hello={}) as socket:
            async with zombie.client().socket(session, hello={}) as asking:
                ack = await asking.ask(f"say:word wait:{gate} {rest}".strip())
            await socket.until("run_resumed")
            await socket.until("message_delta")
            assert zombie.services.worker.running == 1

            GATES.open(gate)  # both go on at once
            await socket.until_end()
            await until(lambda: zombie.services.worker.running == 0)
            await socket.ask("say:after")
            await socket.until("run_completed")

        row = await run_row(heir, ack["run_id"])
        stored = await rows(heir, _ANSWERS, c=session["chat_id"])
    since = [one for one in socket.numbered() if one.get("run_id") == ack["run_id"]]
    resumed = next(place for place, one in enumerate(since) if one["type"] == "run_resumed")
    assert {one["attempt"] for one in since[resumed:]} == {2}
    assert len(ends(socket, ack["run_id"])) == 1
    assert len(stored) == 2
    assert (row.fence, row.status) == (2, "completed")


def believe(node: Node) -> None:
    """Have a node trust its leases for ever: what is left are the fences of the stores."""
    for execution in node.services.worker._running.values():
        execution.leased_until = math.inf


async def test_postgres_itself_refuses_what_an_old_owner_brings(own: Addresses) -> None:
    gate = new_gate()
    async with two(own, SLEEPY, HASTY) as (zombie, heir):
        session = await zombie.client().start(agent="turns")
        async with heir.client().socket(session, hello={}) as socket:
            async with zombie.client().socket(session, hello={}) as asking:
                ack = await asking.ask(gate)
            believe(zombie)
            await GATES.wait_until_reached(f"{gate}-2")
            kept = await rows(heir, _CHECKPOINTS)

            GATES.open(f"{gate}-1")
            await until(lambda: zombie.services.worker.running == 0)
            row = await run_row(heir, ack["run_id"])
            assert (row.status, row.fence) == ("running", 2)
            assert await rows(heir, _ANSWERS, c=session["chat_id"]) == []
            assert await rows(heir, _CHECKPOINTS) == kept

            GATES.open(f"{gate}-2")
            await socket.until_end()
            stored = await rows(heir, _ANSWERS, c=session["chat_id"])

    assert stored == [("answer of 2", "complete")]
    assert len(ends(socket, ack["run_id"])) == 1


async def test_a_lost_lease_stops_the_graph(own: Addresses) -> None:
    """The owner finds out at its own heartbeat, with nothing to write in between."""
    gate = new_gate()
    deaf = {"lease_seconds": 0.3, "heartbeat_seconds": 1.5, "poll_seconds": 600}
    async with two(own, deaf, HASTY) as (here, there):
        session = await here.client().start(agent=NAME)
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                await asking.ask(f"wait:{gate} say:done")
            believe(here)
            await socket.until("run_resumed")

            await until(lambda: here.services.worker.running == 0)

            assert there.services.worker.running == 1
            GATES.open(gate)
            end = await socket.until_end()

    assert (end["type"], end["attempt"]) == ("run_completed", 2)


async def test_a_node_that_slept_through_its_lease_goes_on_with_its_own_run(
    own: Addresses,
) -> None:
    """It used to claim the run a second time beside itself, and then to fall over the entry
    that the first execution had taken away: every run of the node was cancelled.
    """
    gate = new_gate()
    # the poll comes before the heartbeat
    drowsy = {"lease_seconds": 0.3, "heartbeat_seconds": 0.9, "poll_seconds": 0.1}
    async with begin(heedless(make_settings(own), **drowsy)) as node:
        client = node.client()
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            ack = await socket.ask(f"say:word wait:{gate} say:!")
            [(claims,)] = await rows(node, "SELECT fence FROM chats")
            await until(lambda: _has_lapsed(node, ack["run_id"]))
            await until(lambda: _is_renewed(node, ack["run_id"]))

            GATES.open(gate)
            end = await socket.until_end()
            [(still,)] = await rows(node, "SELECT fence FROM chats")
            await socket.ask("say:alive")
            await socket.until("run_completed")

    assert (end["type"], end["attempt"]) == ("run_completed", 1)
    assert (claims, still) == (1, 1)


async def test_a_cancel_is_carried_out_by_whoever_takes_the_run_over(own: Addresses) -> None:
    gate = new_gate()
    async with two(own, HASTY, HASTY) as (here, there):
        session = await here.client().start(agent=NAME)
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(f"say:a wait:{gate}")
            await socket.until("message_delta")
            vanish(here)

            await socket.send("cancel", id="c")
            end = await socket.until_end()

    assert (end["type"], end["run_id"], end["attempt"]) == ("run_cancelled", ack["run_id"], 2)
    assert len(ends(socket, ack["run_id"])) == 1


async def test_a_run_waits_for_a_node_that_has_its_agent_but_not_for_ever(
    own: Addresses,
) -> None:
    gate = new_gate()
    async with (
        begin(heedless(make_settings(own), **SLEEPY)) as here,
        running_node(
            make_settings(own, runs={**HASTY, "timeout_seconds": 2}), agents=[scripted_agent()]
        ) as there,
    ):
        session = await here.client().start(agent="steps")
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                ack = await asking.ask(gate)
            vanish(here)
            await until(lambda: _has_lapsed(there, ack["run_id"]))
            found = await there.services.worker._claims.candidates(agents=[NAME], limit=8)

            end = await socket.until_end()

    assert found == []
    assert (end["type"], end["code"]) == ("run_failed", "unknown_agent")


async def test_a_claim_that_another_node_has_made_is_left_to_it(own: Addresses) -> None:
    gate = new_gate()
    async with two(own, SLEEPY, SLEEPY) as (here, there):
        session = await here.client().start(agent=NAME)
        async with here.client().socket(session, hello={}) as asking:
            ack = await asking.ask(f"wait:{gate}")
            await until(lambda: _has_lapsed(here, ack["run_id"]))
            claims = [one.services.worker._claims for one in (here, there)]
            [candidate] = await claims[0].candidates(agents=[NAME], limit=8)

            made = await asyncio.gather(*(one.claim(candidate) for one in claims * 3))

        assert sum(one is not None for one in made) == 1
        [row] = await rows(there, "SELECT fence, outbox_seq FROM chats")
    assert (row.fence, row.outbox_seq) == (2, 4)  # losers took no numbers


_LEASE = "SELECT 1 FROM runs WHERE id = CAST(:r AS uuid) AND status = 'running'"
_LOST_TWICE = "UPDATE runs SET losses = 2 WHERE id = CAST(:r AS uuid) RETURNING 1"
_CHECKPOINTS = (
    "SELECT checkpoint_id, NULL AS channel FROM checkpoints"
    " UNION ALL SELECT checkpoint_id, channel FROM checkpoint_writes ORDER BY 1, 2"
)
_ANSWERS = (
    "SELECT text, status FROM messages WHERE chat_id = CAST(:c AS uuid)"
    " AND role = 'assistant' ORDER BY seq"
)
_FIRST_DONE = "SELECT 1 FROM checkpoints WHERE thread_id = :t AND metadata->>'step' = '1'"


async def _has_done_first(node: Node, session: Event) -> bool:
    """Whether the first node's work is safe in Postgres."""
    return bool(await rows(node, _FIRST_DONE, t=session["chat_id"]))


async def _is_at(node: Node, run_id: str, attempt: int) -> bool:
    row = await run_row(node, run_id)
    return bool(row.attempt == attempt and row.status == "running")


@contextlib.asynccontextmanager
async def three(own: Addresses) -> AsyncIterator[tuple[Node, Node, Node, Node]]:
    """Lend three nodes that execute, and one that only serves: whichever of the three are
    lost, whoever watches through it stays connected.
    """
    settings = make_settings(own, runs=HASTY)
    serving = make_settings(own, runs={**HASTY, "concurrency": 0})
    async with (
        begin(settings) as first,
        begin(settings) as second,
        begin(settings) as third,
        begin(serving) as watching,
    ):
        yield first, second, third, watching


async def _lose_twice(run_id: str, *nodes: Node) -> None:
    """Have the node that executes a run vanish, and the next one, too."""
    owners = {node.services.node: node for node in nodes}
    for attempt in (1, 2):
        await until(partial(_is_at, nodes[-1], run_id, attempt))
        vanish(owners.pop((await run_row(nodes[-1], run_id)).lease_owner))


async def _has_ended(node: Node, run_id: str) -> bool:
    return (await run_row(node, run_id)).ended_at is not None


async def _has_lapsed(node: Node, run_id: str) -> bool:
    return bool(await rows(node, f"{_LEASE} AND lease_until < now()", r=run_id))


async def _is_renewed(node: Node, run_id: str) -> bool:
    return bool(await rows(node, f"{_LEASE} AND lease_until > now()", r=run_id))


async def test_a_node_leaves_runs_of_agents_it_does_not_have_to_others(own: Addresses) -> None:
    """A node of another version once took such a run and failed it for good."""
    gate = new_gate()
    async with (
        begin(make_settings(own, runs=HASTY)) as here,
        running_node(make_settings(own, runs=HASTY), agents=[]) as stranger,
    ):
        session = await here.client().start(agent=NAME)
        async with stranger.client().socket(session, hello={}) as socket:
            ack = await socket.ask(f"wait:{gate} say:done")
            await GATES.wait_until_reached(gate)
            GATES.open(gate)
            end = await socket.until_end()

    assert (end["type"], end["run_id"]) == ("run_completed", ack["run_id"])
