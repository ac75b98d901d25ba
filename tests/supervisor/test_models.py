"""The built-in graph with a language model behind a provider's wire format."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.embedded.servers import Addresses
from tests.agents.providers import IN, OUT, Provider, provider
from tests.runs.scene import rows
from tests.supervisor.scene import converse, end, only, supervised
from tests.support.node import Node

BASES = {"openai": "/v1", "anthropic": "", "ollama": ""}
SUM = "What is 17% of 2,340?"
PLAN = json.dumps({"intent": "analysis", "steps": [{"team": "analysis", "task": "17% of 2,340"}]})
WORDS = ["It is ", "397.8", ", exactly."]


@pytest.fixture(scope="module")
async def provided() -> AsyncIterator[Provider]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
            patch.setenv(name, "a key")
        async with provider() as one:
            yield one


@pytest.fixture(scope="module")
async def node(stores: Addresses, provided: Provider) -> AsyncIterator[Node]:
    address = f"{provided.url}/v1"
    async with supervised(stores, model="openai:test", model_base_url=address) as one:
        yield one


@pytest.fixture
def served(provided: Provider) -> Provider:
    """The provider as every test finds it."""
    provided.plan, provided.words = f"Here it is:\n```json\n{PLAN}\n```", WORDS
    provided.status, provided.broken_after, provided.held = 200, None, None
    provided.asked.clear()
    return provided


@pytest.mark.parametrize("name", BASES)
async def test_a_model_plans_and_writes_and_its_tokens_are_counted(
    stores: Addresses, served: Provider, name: str
) -> None:
    address = f"{served.url}{BASES[name]}"
    async with supervised(stores, model=f"{name}:test", model_base_url=address) as node:
        chat_id, events = await converse(node, SUM)
        await node.services.sessions.flush()
        counted = await rows(
            node, "SELECT total_tokens FROM sessions WHERE chat_id = CAST(:c AS uuid)", c=chat_id
        )

    assert only(events, "plan_ready")["steps"] == [{"team": "analysis", "task": "17% of 2,340"}]
    assert only(events, "team_completed")["team"] == "analysis"
    assert only(events, "message_completed")["text"] == "It is 397.8, exactly."
    planned, written = served.asked
    assert SUM in json.dumps(planned)
    assert "<findings>" in json.dumps(written)
    assert "397.8" in json.dumps(written)  # what the team found
    both = 2 * (IN + OUT)
    assert end(events)["usage"] == {
        "input_tokens": 2 * IN,
        "output_tokens": 2 * OUT,
        "total_tokens": both,
    }
    assert counted == [(both,)]


async def test_words_are_sent_while_the_model_still_writes(node: Node, served: Provider) -> None:
    served.held = asyncio.Event()
    client = node.client()
    session = await client.start()
    async with client.socket(session, hello={}) as socket:
        await socket.ask(SUM)
        first = await socket.until("message_delta")
        served.held.set()
        await socket.until_end()

    assert "It is 397.8, exactly.".startswith(first["text"])
    assert first["text"] != "It is 397.8, exactly."


async def test_a_model_sees_the_chat_so_far(node: Node, served: Provider) -> None:
    await converse(node, "My name is Ada.", SUM)

    written = served.asked[-1]["messages"]
    assert [one["role"] for one in written] == ["system", "user", "assistant", "user"]
    assert [one["content"] for one in written[1:]] == [
        "My name is Ada.",
        "It is 397.8, exactly.",
        SUM,
    ]


@pytest.mark.parametrize(
    "plan",
    [
        "I would rather not.",
        '{"intent": "world domination", "steps": []}',
        '{"intent": "analysis", "steps": null}',
        '{"intent": "analysis", "steps": ["none"]}',
        "{",
    ],
)
async def test_a_plan_that_makes_no_sense_is_made_without_the_model(
    node: Node, served: Provider, plan: str
) -> None:
    served.plan = plan

    _, events = await converse(node, SUM)

    assert only(events, "plan_ready")["steps"] == [{"team": "analysis", "task": SUM}]
    assert end(events)["type"] == "run_completed"


async def test_a_provider_that_refuses_fails_the_run_and_shows_no_reason(
    node: Node, served: Provider
) -> None:
    served.status = 401

    _, events = await converse(node, SUM)

    assert only(events, "plan_ready")["steps"] == [{"team": "analysis", "task": SUM}]
    failed = end(events)
    assert (failed["type"], failed["code"]) == ("run_failed", "internal")
    assert failed["message"] == "Something went wrong while answering."
    assert "secret" not in str(events)


async def test_a_stream_that_breaks_off_keeps_what_was_said_as_failed(
    node: Node, served: Provider
) -> None:
    served.broken_after = 3

    _, events = await converse(node, SUM)

    assert end(events)["type"] == "run_failed"
    partial = only(events, "message_completed")
    assert partial["status"] == "failed"
    assert "It is 397.8, exactly.".startswith(partial["text"])


async def test_stopping_cuts_the_model_off(node: Node, served: Provider) -> None:
    served.held = asyncio.Event()
    client = node.client()
    session = await client.start()
    async with client.socket(session, hello={}) as socket:
        await socket.ask(SUM)
        await socket.until("message_delta")
        await socket.send("cancel")
        stopped = await socket.until_end()
        served.held.set()
        served.held = None
        await socket.ask("Go on.")
        await socket.until("run_completed")

    assert stopped["type"] == "run_cancelled"
    first: dict[str, Any] = next(
        one for one in socket.numbered() if one["type"] == "message_completed"
    )
    assert first["status"] == "stopped"
    history = served.asked[-1]["messages"][1:]
    assert [one["content"] for one in history] == [SUM, first["text"], "Go on."]


async def test_noise_costs_no_tokens_for_a_plan(node: Node, served: Provider) -> None:
    await converse(node, "asdfgh qwerty")

    assert len(served.asked) == 1  # only the answer is the model's
