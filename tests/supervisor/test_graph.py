"""The built-in graph: its events, what it keeps, and what it does when a part of it fails."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.embedded.servers import Addresses
from app.kit.errors import Unavailable
from app.knowledge.service import KnowledgeService
from app.memory.service import LongTermMemoryService
from app.supervisor.nodes import respond as respond_node
from app.supervisor.nodes import team as team_node
from app.supervisor.offline.writer import compose
from app.supervisor.teams.analysis.team import analyse
from tests.conftest import make_settings
from tests.runs.conftest import HASTY
from tests.runs.scene import rows, until, vanish
from tests.supervisor.scene import converse, end, kept, only, supervised
from tests.support.databases import Databases
from tests.support.node import Node, running_node

SUM = "What is 17% of 2,340?"
FERRY = "When does the ferry to Larkholm leave?"
BOTH = "What is 17% of 2,340, and when does the ferry to Larkholm leave?"


@pytest.fixture(scope="module")
async def node(stores: Addresses) -> AsyncIterator[Node]:
    async with supervised(stores, runs={"history_messages": 4}) as one:
        yield one


def types(events: list[Any]) -> list[str]:
    return [one["type"] for one in events]


async def test_a_question_goes_from_plan_to_teams_to_answer(node: Node) -> None:
    _, events = await converse(node, BOTH)

    told = types(events)
    assert told[:7] == [
        "user_message",
        "run_started",
        "planning_started",
        "memory_loaded",
        "plan_ready",
        "team_started",
        "team_started",  # both are at work before either has ended
    ]
    after = [one for one in told[7:] if one not in {"team_progress", "message_delta"}]
    assert after == [
        "team_completed",
        "team_completed",
        "aggregating",
        "responding",
        "message_started",
        "message_completed",
        "run_completed",
    ]
    steps = only(events, "plan_ready")["steps"]
    assert [step["team"] for step in steps] == ["analysis", "search"]
    answer = only(events, "message_completed")
    assert "397.8" in answer["text"]
    assert "06:40" in answer["text"]
    assert [one["source"] for one in answer["citations"]] == ["ferries.md#ferries"]
    words = "".join(one["text"] for one in events if one["type"] == "message_delta")
    assert words == answer["text"]


async def test_memory_is_asked_for_an_anonymous_visitor_too_and_says_why_it_has_nothing(
    node: Node,
) -> None:
    chat_id, events = await converse(node, SUM)

    loaded = only(events, "memory_loaded")
    assert (loaded["user_id"], loaded["memory_count"], loaded["memories"]) == (None, 0, [])
    assert loaded["status"] == "anonymous"
    assert await kept(node, chat_id, "loaded_memories") == []
    [(values,)] = await rows(
        node,
        "SELECT checkpoint -> 'channel_values' FROM checkpoints WHERE thread_id = :t"
        " ORDER BY checkpoint_id DESC LIMIT 1",
        t=chat_id,
    )
    assert '"memory_load_time"' in str(values).replace("'", '"')


@pytest.mark.parametrize("noise", ["asdfgh qwerty", "!!!"])
async def test_noise_is_answered_without_memory_and_teams(node: Node, noise: str) -> None:
    _, events = await converse(node, noise)

    assert only(events, "plan_ready")["intent"] == "irrelevant"
    assert only(events, "message_completed")["text"]
    skipped = {"memory_loaded", "team_started", "aggregating"}
    assert not skipped & set(types(events))
    assert end(events)["type"] == "run_completed"


async def test_small_talk_needs_no_team(node: Node) -> None:
    _, events = await converse(node, "hello")

    assert only(events, "plan_ready")["steps"] == []
    assert "team_started" not in types(events)
    assert "memory_loaded" in types(events)


async def test_a_team_that_breaks_is_said_so_and_the_others_answer(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(team_node, "analyse", broken)

    _, events = await converse(node, BOTH)

    failed = only(events, "team_failed")
    assert (failed["team"], failed["code"]) == ("analysis", "internal")
    assert only(events, "team_completed")["team"] == "search"
    assert "06:40" in only(events, "message_completed")["text"]
    assert "secret" not in str(events)
    assert end(events)["type"] == "run_completed"


async def test_a_store_that_is_away_fails_its_team_by_its_name(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(KnowledgeService, "search", away)

    _, events = await converse(node, BOTH)

    failed = only(events, "team_failed")
    assert (failed["team"], failed["code"]) == ("search", "unavailable")
    assert "397.8" in only(events, "message_completed")["text"]


async def test_a_team_that_is_too_slow_is_left_behind(
    stores: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        door.wait(20)

    monkeypatch.setattr(team_node, "analyse", slow)
    try:
        async with supervised(stores, runs={"team_seconds": 0.2}) as node:
            _, events = await converse(node, BOTH)
    finally:
        door.set()

    failed = only(events, "team_failed")
    assert (failed["team"], failed["code"]) == ("analysis", "team_timeout")
    assert "06:40" in only(events, "message_completed")["text"]
    assert end(events)["type"] == "run_completed"


@pytest.mark.parametrize("trouble", ["slow", "broken"])
async def test_an_answer_does_not_wait_for_memories(
    node: Node, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    async def load(*_: Any) -> Any:
        if trouble == "broken":
            raise RuntimeError("a secret of the inside")
        await asyncio.sleep(30)

    monkeypatch.setattr(LongTermMemoryService, "load_recent_memories", load)

    _, events = await converse(node, SUM)

    assert only(events, "memory_loaded")["status"] == "degraded"
    assert "397.8" in only(events, "message_completed")["text"]
    assert "secret" not in str(events)


async def test_a_run_begins_without_the_last_ones_results(node: Node) -> None:
    chat_id, events = await converse(node, SUM, "What is 2 + 2?")

    answers = [one["text"] for one in events if one["type"] == "message_completed"]
    assert "397.8" in answers[0]
    assert "397.8" not in answers[1]
    assert len(await kept(node, chat_id, "results")) == 1


async def test_the_agent_sees_only_the_latest_of_a_long_chat(node: Node) -> None:
    asked = [f"What is {number} + 1?" for number in range(1, 6)]

    chat_id, _ = await converse(node, *asked)

    seen = await kept(node, chat_id, "messages")
    assert [one.content for one in seen if one.type == "human"] == asked[-2:]
    assert len(seen) <= 4 + 1  # history_messages, and the last answer
    stored = "SELECT count(*) FROM messages WHERE chat_id = CAST(:c AS uuid)"
    assert await rows(node, stored, c=chat_id) == [(10,)]


async def test_a_run_that_is_taken_over_does_not_ask_its_teams_again(
    stores: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, asked = threading.Event(), Counter[str]()

    def counted(name: str, real: Any, *, waits: bool = False) -> Any:
        def work(*given: Any, **named: Any) -> Any:
            asked[name] += 1
            if waits and asked[name] == 1:
                door.wait(20)
            return real(*given, **named)

        return work

    monkeypatch.setattr(team_node, "analyse", counted("team", analyse))
    monkeypatch.setattr(respond_node, "compose", counted("answer", compose, waits=True))
    async with (
        Databases.of(stores).clone() as own,
        running_node(make_settings(own, runs=HASTY)) as here,
        running_node(make_settings(own, runs=HASTY)) as there,
    ):
        session = await here.client().start()
        async with there.client().socket(session, hello={}) as socket:
            async with here.client().socket(session, hello={}) as asking:
                await asking.ask(SUM)
            await socket.until("responding")
            await until(lambda: _has_aggregated(there, session["chat_id"]))
            vanish(here)
            await until(lambda: here.services.worker.running == 0)
            door.set()
            await socket.until_end()

    done = only(socket.numbered(), "run_completed")
    assert done["attempt"] == 2
    assert asked == {"team": 1, "answer": 2}
    assert types(socket.numbered()).count("team_started") == 1
    assert "397.8" in only(socket.numbered(), "message_completed")["text"]


async def _has_aggregated(node: Node, chat_id: str) -> bool:
    statement = "SELECT 1 FROM checkpoints WHERE thread_id = :t AND metadata->>'step' = '4'"
    return bool(await rows(node, statement, t=chat_id))
