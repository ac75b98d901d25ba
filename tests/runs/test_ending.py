"""Every run that began ends once, and says no more about a failure than it should."""

import hashlib
import time
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.embedded.servers import Addresses
from app.runs import execution
from tests.conftest import make_settings
from tests.runs.agents import new_gate
from tests.runs.conftest import PATIENT, begin
from tests.runs.scene import rows, run_row, texts, until
from tests.support.client import Event, Socket
from tests.support.node import Node
from tests.support.scripted import GATES, NAME

_STORED = "SELECT text, status, citations FROM messages WHERE run_id = :r AND role = 'assistant'"


async def stored(node: Node, ack: Event) -> list[tuple[str, str]]:
    found = await rows(node, _STORED, r=UUID(ack["run_id"]))
    return [(row.text, row.status) for row in found]


def one(socket: Socket, type_: str) -> Event:
    [event] = [event for event in socket.numbered() if event["type"] == type_]
    return event


async def test_an_answer_is_stored_whole_with_its_hash_and_chunks_without_gaps(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        ack = await socket.ask("say:a sleep:0.06 say:b sleep:0.06 say:c")
        await socket.until_end()

    deltas = [event for event in socket.numbered() if event["type"] == "message_delta"]
    whole = one(socket, "message_completed")
    assert [event["chunk"] for event in deltas] == list(range(len(deltas)))
    assert "".join(event["text"] for event in deltas) == whole["text"] == "abc"
    assert whole["sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert whole["message_id"] == deltas[0]["message_id"]
    assert await stored(node, ack) == [("abc", "complete")]


async def test_an_agent_that_fails_says_nothing_of_its_insides(node: Node) -> None:
    client = node.client()
    session = await client.start(agent=NAME)
    async with client.socket(session, hello={}) as socket:
        ack = await socket.ask("say:partial progress:aggregating fail")
        end = await socket.until_end()
        await socket.ask("say:next")
        await socket.until("run_completed")

    assert (end["type"], end["code"], end["retryable"]) == ("run_failed", "internal", False)
    assert "script" not in str(socket.numbered()).replace("say:", "")
    assert one(socket, "run_failed")["message"] == "Something went wrong while answering."
    assert await stored(node, ack) == [("partial", "failed")]
    row = await run_row(node, ack["run_id"])
    assert (row.status, row.error_code) == ("failed", "internal")


async def test_a_timeout_of_the_agents_own_is_a_bug_of_the_agents(node: Node) -> None:
    """It was told as the run's, which it was not, and nothing of it was logged."""
    client = node.client()
    session = await client.start(agent="impatient")
    async with client.socket(session, hello={}) as socket:
        with capture_logs() as logs:
            await socket.ask("hello")
            end = await socket.until_end()

    assert (end["type"], end["code"]) == ("run_failed", "internal")
    assert "agent_crashed" in [entry["event"] for entry in logs]


async def test_an_agent_without_an_answer_fails_and_says_so(node: Node) -> None:
    client = node.client()
    session = await client.start(agent="mute")
    async with client.socket(session, hello={}) as socket:
        ack = await socket.ask("hello")
        end = await socket.until_end()

    assert (end["type"], end["code"]) == ("run_failed", "no_answer")
    assert await stored(node, ack) == []


async def test_a_run_that_takes_too_long_is_ended_with_what_it_has_said(own: Addresses) -> None:
    async with begin(make_settings(own, runs={**PATIENT, "timeout_seconds": 0.2})) as node:
        client = node.client()
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            ack = await socket.ask("say:partial sleep:30")
            end = await socket.until_end()
        kept = await stored(node, ack)

    assert (end["type"], end["code"], end["retryable"]) == ("run_failed", "run_timeout", True)
    assert kept == [("partial", "failed")]


async def test_a_graph_that_ignores_its_timeout_is_left_alone(
    own: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was waited for without end, its lease renewed for ever."""
    monkeypatch.setattr(execution, "_ABANDON_SECONDS", 0.2)
    async with begin(make_settings(own, runs={**PATIENT, "timeout_seconds": 0.2})) as node:
        client = node.client()
        session = await client.start(agent="stubborn")
        async with client.socket(session, hello={}) as socket:
            await socket.ask("2.5")
            began = time.monotonic()
            end = await socket.until_end()
            seconds = time.monotonic() - began

    assert (end["type"], end["code"], end["abandoned"]) == ("run_failed", "run_timeout", True)
    assert seconds < 2


@pytest.mark.parametrize("agent", [NAME, "wordy"])
async def test_an_answer_without_end_is_cut_off(own: Addresses, agent: str) -> None:
    """Whether it was streamed or came in one piece."""
    async with begin(make_settings(own, runs={**PATIENT, "answer_chars": 1_000})) as node:
        client = node.client()
        session = await client.start(agent=agent)
        async with client.socket(session, hello={}) as socket:
            ack = await socket.ask("say:" + "x" * 900 + " say:" + "y" * 900)
            end = await socket.until_end()
        kept = await stored(node, ack)

    assert (end["type"], end["code"]) == ("run_failed", "answer_too_long")
    assert kept == ([("x" * 900, "failed")] if agent == NAME else [])


async def test_whatever_a_graph_says_can_be_stored_and_read(node: Node) -> None:
    """A NUL, half a surrogate pair or an object in a payload broke the run three times over,
    until it was given up.
    """
    client = node.client()
    session = await client.start(agent="odd")
    async with client.socket(session, hello={}) as socket:  # it validates what it receives
        ack = await socket.ask("hello")
        end = await socket.until_end()

    assert (end["type"], end["attempt"], end["usage"]) == ("run_completed", 1, {"total_tokens": 3})
    assert await stored(node, ack) == [("nul half\ufffd done", "complete")]
    citation = {"n": 1, "title": "t", "source": "s", "url": None, "quote": "q"}
    assert one(socket, "message_completed")["citations"] == [citation]
    customs = {event["name"]: event for event in socket.numbered() if event["type"] == "custom"}
    assert customs["shapes"]["payload"]["point"] == {"x": 2}
    assert customs["shapes"]["payload"]["big"] == str(1 << 70)
    assert customs["team_started"]["payload"] == {"nonsense": True}
    assert customs["huge"]["payload"] is None
    assert customs["data"]["payload"] == "just a string"
    progress = one(socket, "team_progress")
    assert (progress["team"], progress["attempt"]) == ("odd", 1)


async def test_tokens_are_counted_on_the_session(node: Node) -> None:
    client = node.client()
    session = await client.start(agent="odd")
    async with client.socket(session, hello={}) as socket:
        for _ in range(2):
            await socket.ask("hello")
            await socket.until_end()
    await node.services.sessions.flush()

    found = "SELECT total_tokens, turn_count FROM sessions WHERE session_id = :s"
    assert await rows(node, found, s=session["session_id"]) == [(6, 2)]


async def test_only_the_newest_checkpoint_of_a_chat_is_kept(node: Node) -> None:
    client = node.client()
    session = await client.start(agent="caller")
    kept = "SELECT 1 FROM checkpoints WHERE thread_id = :t"
    writes = "SELECT 1 FROM checkpoint_writes WHERE thread_id = :t"
    async with client.socket(session, hello={}) as socket:
        for _ in range(3):
            await socket.ask("recall")
            await socket.until_end()

    async def is_pruned() -> bool:
        return len(await rows(node, kept, t=session["chat_id"])) == 1

    await until(is_pruned)
    assert await rows(node, writes, t=session["chat_id"]) == []
    told = [
        one.count("person: recall") for one in await texts(node, session["chat_id"], "assistant")
    ]
    assert told == [0, 1, 3]  # each tells all before it, and what they told


async def test_one_agents_crash_leaves_other_chats_alone(node: Node) -> None:
    gate = new_gate()
    client = node.client()
    calm, wild = await client.start(agent=NAME), await client.start(agent=NAME)
    async with client.socket(calm, hello={}) as first, client.socket(wild, hello={}) as second:
        await first.ask(f"wait:{gate} say:done")
        await second.ask("fail")
        failed = await second.until_end()
        GATES.open(gate)
        end = await first.until_end()

    assert (failed["type"], end["type"]) == ("run_failed", "run_completed")
