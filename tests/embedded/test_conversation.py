"""A conversation whose embedded servers are killed under it goes on, on the same node."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.embedded import servers as watching
from app.protocol.events import RUN_ENDS
from app.settings import load_settings
from tests.conftest import SECRET
from tests.embedded.scene import server_pids, until
from tests.runs.agents import new_gate
from tests.support.client import Client, Event, Socket
from tests.support.node import Node, running_node
from tests.support.scripted import GATES, NAME

SECONDS = 20


@contextlib.asynccontextmanager
async def node_in(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """Run a node on servers of its own."""
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.1)
    runs = {"lease_seconds": 3, "heartbeat_seconds": 0.5, "poll_seconds": 0.2}
    settings = load_settings({}, data_dir=data_dir, secret=SECRET, runs=runs)
    async with running_node(settings) as node:
        yield node


class Person:
    """One who does not give up: connects again, sends again, and looks what the chat says."""

    def __init__(self, client: Client, started: dict[str, Any]) -> None:
        self._client = client
        self._started = started
        self.errors: list[Event] = []
        self.closes: list[int] = []

    async def say(self, text: str, name: str) -> None:
        """Return when the message is acknowledged."""

        async def send(socket: Socket) -> bool:
            answer = await socket.ask(text, client_message_id=name)
            if answer["type"] == "error":
                self.errors.append(answer)
            return bool(answer["type"] == "ack")

        await self._try(send)

    async def chat(self, *, answers: int) -> Event:
        """Return the chat when nothing runs in it any more and so many answers are there."""

        async def look(socket: Socket) -> Event | None:
            [snapshot] = [one for one in socket.seen if one["type"] == "snapshot"]
            roles = [one["role"] for one in snapshot["messages"]]
            return snapshot if roles.count("assistant") >= answers else None

        found: Event = await self._try(look)
        return found

    async def _try(self, work: Any) -> Any:
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    async with self._client.socket(self._started, hello={}) as socket:
                        if done := await work(socket):
                            return done
                except ConnectionClosed as closed:
                    self.closes.append(closed.rcvd.code if closed.rcvd else 1006)
                except (OSError, httpx.HTTPError, TimeoutError):
                    pass
                await asyncio.sleep(0.02)


async def begin(node: Node) -> Person:
    client = node.client()
    return Person(client, await client.start(agent=NAME))


def kill(data_dir: Path, which: int) -> int:
    """Kill PostgreSQL (0) or Valkey (1); return its number."""
    pid = server_pids(data_dir)[which]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def texts(chat: Event) -> list[str]:
    return [one["text"] for one in chat["messages"]]


async def test_postgres_killed_in_mid_answer_costs_neither_question_nor_answer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = new_gate()
    async with node_in(data_dir, monkeypatch) as node:
        person = await begin(node)
        question = f"say:a wait:{gate} say:b"
        await person.say(question, "m1")
        await GATES.wait_until_reached(gate)

        kill(data_dir, 0)
        sending = asyncio.ensure_future(person.say("say:c", "m2"))
        await asyncio.sleep(0)
        GATES.open(gate)
        await sending
        chat = await person.chat(answers=2)

    assert texts(chat) == [question, "say:c", "ab", "c"]
    assert all(one["temporary"] and one["retry_after_ms"] for one in person.errors)
    assert set(person.closes) <= {4103, 4110}


@pytest.mark.parametrize("emptied", [False, True], ids=["with its data", "empty"])
async def test_valkey_killed_in_mid_answer_costs_nothing_that_was_said(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, emptied: bool
) -> None:
    gate = new_gate()
    async with node_in(data_dir, monkeypatch) as node:
        person = await begin(node)
        question = f"say:a wait:{gate} say:b"
        await person.say(question, "m1")
        await GATES.wait_until_reached(gate)

        if emptied:  # it finds no file of its own when it is started again
            shutil.rmtree(data_dir / "valkey" / "appendonlydir")
        old = kill(data_dir, 1)
        await person.say("say:c", "m2")  # Postgres is enough for that
        await until(lambda: server_pids(data_dir)[1] not in {None, old})
        GATES.open(gate)
        chat = await person.chat(answers=2)

    assert texts(chat) == [question, "say:c", "ab", "c"]
    assert person.errors == []
    assert set(person.closes) <= {4103, 4110}


async def test_one_who_listens_while_valkey_is_killed_sees_the_end(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = new_gate()
    async with node_in(data_dir, monkeypatch) as node:
        client = node.client()
        started = await client.start(agent=NAME)
        async with client.socket(started, hello={}) as socket:
            await socket.ask(f"say:a wait:{gate} say:b")
            await socket.until("message_delta")
            old = kill(data_dir, 1)
            await until(lambda: server_pids(data_dir)[1] not in {None, old})
            GATES.open(gate)
            end = await socket.until(lambda event: event["type"] in RUN_ENDS)
            said = [one for one in socket.seen if one["type"] == "message_completed"]

    assert end["type"] == "run_completed"
    assert [one["text"] for one in said] == ["ab"]
