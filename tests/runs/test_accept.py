"""A message and its run: stored together, once, in order."""

import asyncio

import pytest
from sqlalchemy import text

from app.kit.errors import AppError
from app.kit.ids import SessionId
from app.runs.errors import RunInProgress
from app.runs.types import Accepted
from app.sessions.errors import SessionNotFound
from app.sessions.types import Session
from tests.runs.agents import new_gate
from tests.runs.scene import answers, rows, run_row, texts, until
from tests.support.client import Socket
from tests.support.node import Node
from tests.support.scripted import GATES, NAME


async def session_on(node: Node, agent: str = NAME) -> Session:
    started = await node.client().start(agent=agent)
    return await node.services.sessions.get(SessionId(started["session_id"]))


async def test_an_insert_that_fails_leaves_neither_message_nor_run(node: Node) -> None:
    session = await session_on(node)
    places = node.services.worker.running
    async with node.services.postgres.unit() as db:
        await db.execute(
            text(
                "ALTER TABLE outbox ADD CONSTRAINT full_up"
                f" CHECK (chat_id <> '{session.chat_id}') NOT VALID"
            )
        )

    with pytest.raises(Exception, match="full_up"):
        await node.services.runs.accept(session, "say:hello", client_message_id="m1")

    assert await rows(node, "SELECT id FROM messages WHERE chat_id = :c", c=session.chat_id) == []
    assert await rows(node, "SELECT id FROM runs WHERE chat_id = :c", c=session.chat_id) == []
    counted = "SELECT message_count, fence, outbox_seq, title FROM chats WHERE id = :c"
    assert await rows(node, counted, c=session.chat_id) == [(0, 0, 0, None)]
    async with node.services.postgres.unit() as db:
        await db.execute(text("ALTER TABLE outbox DROP CONSTRAINT full_up"))
    again = await node.services.runs.accept(session, "say:hello", client_message_id="m1")
    assert again.duplicate is False
    await until(lambda: node.services.worker.running == places)


async def test_fifty_sends_of_one_message_over_two_nodes_are_one_message_and_one_run(
    node: Node, other: Node
) -> None:
    session = await session_on(node)

    acks = await asyncio.gather(
        *(
            one.services.runs.accept(session, "say:once", client_message_id="same")
            for one in [node, other] * 25
        )
    )

    assert len({(ack.message_id, ack.run_id) for ack in acks}) == 1
    assert sorted(ack.duplicate for ack in acks) == [False] + [True] * 49
    stored = "SELECT seq, role FROM messages WHERE chat_id = :c AND role = 'user'"
    assert await rows(node, stored, c=session.chat_id) == [(1, "user")]
    assert len(await rows(node, "SELECT id FROM runs WHERE chat_id = :c", c=session.chat_id)) == 1
    await until(lambda: answers(node, session.chat_id, 1))


async def test_the_same_id_with_another_text_is_a_conflict_and_the_same_text_is_not(
    node: Node,
) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        first = await socket.ask("say:hello", client_message_id="m1")
        await socket.until_end()

        again = await socket.ask("say:hello", client_message_id="m1")
        other_text = await socket.ask("say:other", client_message_id="m1")

    assert again == {**first, "duplicate": True}
    assert (other_text["type"], other_text["code"]) == ("error", "idempotency_conflict")


async def test_messages_of_two_tabs_are_answered_in_the_order_they_were_stored(
    node: Node, other: Node
) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    elsewhere = other.client()
    async with (
        client.socket(session, hello={"tab": "a"}) as here,
        elsewhere.socket(session, hello={"tab": "b"}) as there,
    ):
        await here.ask(f"wait:{gate} say:first")
        await GATES.wait_until_reached(gate)

        await asyncio.gather(here.ask("say:from-here"), there.ask("say:from-there"))
        await here.ask("say:last")
        GATES.open(gate)
        for _ in range(4):
            await there.until_end()
            await here.until_end()

    assert here.numbered() == there.numbered()
    asked = [event["text"].split(":")[-1] for event in _of(there, "user_message")]
    answered = [event["text"] for event in _of(there, "message_completed")]
    assert answered == asked
    assert answered[0] == "first"
    assert answered[-1] == "last"
    assert set(answered[1:3]) == {"from-here", "from-there"}


async def test_only_so_many_messages_wait_and_the_next_is_told_so(node: Node) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        await socket.ask(f"wait:{gate} say:first")
        waiting = [await socket.ask(f"say:{number}") for number in range(5)]

        refused = await socket.ask("say:too-many", client_message_id="m6")

        GATES.open(gate)
        for _ in range(6):
            await socket.until_end()
        taken = await socket.ask("say:later", client_message_id="m6")
        await socket.until_end()

    assert [ack["type"] for ack in waiting] == ["ack"] * 5
    assert (refused["type"], refused["code"], refused["temporary"]) == ("error", "queue_full", True)
    assert (taken["type"], taken["duplicate"]) == ("ack", False)
    assert await texts(node, session["chat_id"], "assistant") == [
        "first",
        "0",
        "1",
        "2",
        "3",
        "4",
        "later",
    ]


async def test_a_busy_chat_can_refuse_rather_than_queue(node: Node) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        await socket.ask(f"wait:{gate} say:first")

        refused = await socket.ask("say:second", on_busy="reject", client_message_id="m2")

        GATES.open(gate)
        await socket.until_end()
        taken = await socket.ask("say:second", on_busy="reject", client_message_id="m2")
        await socket.until_end()

    assert (refused["type"], refused["code"]) == ("error", "run_in_progress")
    assert (taken["type"], taken["duplicate"]) == ("ack", False)
    assert await texts(node, session["chat_id"], "user") == [f"wait:{gate} say:first", "say:second"]


async def test_a_message_that_replaces_ends_the_running_and_the_waiting_ones_first(
    node: Node,
) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        running = await socket.ask(f"say:partial wait:{gate}")
        await GATES.wait_until_reached(gate)
        queued = await socket.ask("say:never")

        newest = await socket.ask("say:newest", on_busy="replace")
        await socket.until(lambda event: event["type"] == "run_completed")

    ends = [
        (event["type"], event["run_id"])
        for event in socket.numbered()
        if event["type"] in {"run_cancelled", "run_completed", "run_queued", "run_started"}
    ]
    assert ends == [
        ("run_started", running["run_id"]),
        ("run_queued", queued["run_id"]),
        ("run_cancelled", queued["run_id"]),
        ("run_queued", newest["run_id"]),
        ("run_cancelled", running["run_id"]),
        ("run_started", newest["run_id"]),
        ("run_completed", newest["run_id"]),
    ]
    assert await texts(node, session["chat_id"], "assistant") == ["partial", "newest"]


@pytest.mark.parametrize("on_busy", ["reject", "replace"])
async def test_a_message_sent_again_neither_gives_way_to_itself_nor_stops_itself(
    node: Node, on_busy: str
) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    asked = {"on_busy": on_busy, "client_message_id": "m1"}
    async with client.socket(session, hello={}) as socket:
        first = await socket.ask(f"wait:{gate} say:answer", **asked)
        await GATES.wait_until_reached(gate)

        again = await socket.ask(f"wait:{gate} say:answer", **asked)

        GATES.open(gate)
        end = await socket.until_end()

    assert (again["type"], again["duplicate"]) == ("ack", True)
    assert (again["message_id"], again["run_id"]) == (first["message_id"], first["run_id"])
    assert end["type"] == "run_completed"
    assert await texts(node, session["chat_id"], "assistant") == ["answer"]


async def test_a_session_that_ends_while_its_message_arrives_keeps_nothing_of_it(
    node: Node,
) -> None:
    session = await session_on(node)
    await node.services.sessions.end(session.session_id)

    with pytest.raises(SessionNotFound):
        await node.services.runs.accept(session, "say:late")

    for table in ("messages", "runs", "outbox"):
        query = f"SELECT 1 FROM {table} WHERE chat_id = :c"
        assert await rows(node, query, c=session.chat_id) == []
    counted = "SELECT message_count, fence, outbox_seq, title FROM chats WHERE id = :c"
    assert await rows(node, counted, c=session.chat_id) == [(0, 0, 0, None)]


async def test_a_chat_never_has_two_running_runs(node: Node, other: Node) -> None:
    session = await session_on(node)
    sends = [
        one.services.runs.accept(session, f"sleep:0.01 say:{number}", on_busy="queue")
        for number, one in enumerate([node, other] * 3)
    ]
    most = 0

    async def watch() -> None:
        nonlocal most
        count = "SELECT count(*) FROM runs WHERE chat_id = :c AND status = 'running'"
        while not await answers(node, session.chat_id, 6):
            [(running,)] = await rows(node, count, c=session.chat_id)
            most = max(most, running)

    await asyncio.gather(watch(), *sends)

    assert most == 1
    spoken = "SELECT text FROM messages WHERE chat_id = :c AND role = 'user' ORDER BY seq"
    asked = [text_.split(":")[-1] for (text_,) in await rows(node, spoken, c=session.chat_id)]
    assert await texts(node, session.chat_id, "assistant") == asked


async def test_rejecting_and_queueing_at_once_leaves_one_winner(node: Node, other: Node) -> None:
    session = await session_on(node)

    results = await asyncio.gather(
        *(
            one.services.runs.accept(session, "sleep:0.2 say:x", on_busy="reject")
            for one in [node, other] * 5
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(result, Accepted) for result in results) == 1
    assert sum(isinstance(result, RunInProgress) for result in results) == 9
    await until(lambda: answers(node, session.chat_id, 1))


async def test_a_client_that_leaves_while_its_message_is_stored_gets_its_answer(
    node: Node,
) -> None:
    session = await session_on(node)
    blocker = node.services.postgres.unit()
    db = await blocker.__aenter__()
    await db.execute(text("SELECT 1 FROM chats WHERE id = :c FOR UPDATE"), {"c": session.chat_id})
    sending = asyncio.ensure_future(node.services.runs.accept(session, "say:hello"))
    await until(lambda: node.services.postgres.in_use > 1)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await blocker.__aexit__(None, None, None)

    await until(lambda: answers(node, session.chat_id, 1))
    assert await texts(node, session.chat_id, "assistant") == ["hello"]


async def test_a_chat_keeps_its_agent(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        refused = await socket.ask("say:hello", agent="supervisor")

    assert (refused["type"], refused["code"]) == ("error", "wrong_agent")


async def test_an_ended_session_takes_no_message(node: Node) -> None:
    session = await session_on(node)
    await node.services.sessions.end(session.session_id)

    with pytest.raises(AppError) as caught:
        await node.services.runs.accept(session, "say:hello")

    assert caught.value.code == "session_not_found"
    assert await rows(node, "SELECT id FROM messages WHERE chat_id = :c", c=session.chat_id) == []


async def test_a_run_keeps_its_place_in_the_order_and_its_lease_in_its_row(node: Node) -> None:
    gate = new_gate()
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        ack = await socket.ask(f"wait:{gate} say:done")
        await GATES.wait_until_reached(gate)
        during = await run_row(node, ack["run_id"])
        GATES.open(gate)
        await socket.until_end()
    after = await run_row(node, ack["run_id"])

    assert (during.status, during.lease_owner, during.attempt) == ("running", node.services.node, 1)
    assert during.fence == 1
    assert (after.status, after.lease_owner, after.lease_until) == ("completed", None, None)
    assert after.ended_at >= after.started_at


def _of(socket: Socket, type_: str) -> list[dict[str, str]]:
    return [event for event in socket.numbered() if event["type"] == type_]
