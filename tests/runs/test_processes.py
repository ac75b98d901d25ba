"""A process that is killed, and one that is frozen and comes back."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from app.embedded.servers import Addresses
from app.protocol.events import RUN_ENDS
from tests.conftest import make_settings
from tests.runs.agents import VISITS, new_gate
from tests.runs.conftest import HASTY, begin
from tests.runs.scene import rows, run_row, until
from tests.runs.test_recovery import _has_done_first
from tests.support.client import Client, Event
from tests.support.node import Node
from tests.support.scripted import GATES, NAME


class Child:
    """A node in another process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.client = Client(url)

    async def is_idle(self) -> bool:
        """Whether it executes no run, by its own account."""
        figures = (await self.client.http.get("/metrics")).text.splitlines()
        [line] = [one for one in figures if one.startswith("colloquy_runs_running ")]
        return float(line.split()[1]) == 0


@contextlib.asynccontextmanager
async def child(own: Addresses) -> AsyncIterator[Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.runs.child",
        own.database_url,
        own.redis_url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    one: Child | None = None
    try:
        async with asyncio.timeout(30):
            one = Child(process, (await process.stdout.readline()).decode().strip())
        yield one
    finally:
        if one is not None:
            await one.client.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.fixture
async def two(own: Addresses) -> AsyncIterator[tuple[Child, Node]]:
    """A node in a child process, and one here."""
    async with child(own) as there, begin(make_settings(own, runs=HASTY)) as here:
        yield there, here


async def test_a_killed_process_and_a_frozen_one_lose_their_runs_and_nothing_else(
    two: tuple[Child, Node],
) -> None:
    there, here = two

    # Frozen past its lease, it wakes up in the middle of its work.
    frozen = await there.client.start(agent=NAME)
    async with here.client().socket(frozen, hello={}) as socket:
        async with there.client.socket(frozen, hello={}) as asking:
            ack = await asking.ask("say:a sleep:0.5 say:b")
        await socket.until("message_delta")
        there.process.send_signal(signal.SIGSTOP)
        end = await socket.until_end()
        kept = await rows(here, _CHECKPOINT, t=frozen["chat_id"])
        there.process.send_signal(signal.SIGCONT)
        await until(there.is_idle)
        row = await run_row(here, ack["run_id"])
        later = await rows(here, _CHECKPOINT, t=frozen["chat_id"])
        snapshot = (await there.client.http.get(f"/chats/{frozen['chat_id']}/snapshot")).json()

    assert (end["type"], end["attempt"]) == ("run_completed", 2)
    assert (row.status, row.attempt, row.lease_owner) == ("completed", 2, None)
    assert [one["text"] for one in snapshot["messages"]][1:] == ["ab"]
    assert snapshot["offset"] == end["offset"]  # the zombie has added nothing
    assert later == kept
    assert _ends(socket.numbered()) == [ack["run_id"]]

    # Killed, it leaves a node of its graph done and one not.
    gate = new_gate()
    killed = await there.client.start(agent="steps")
    async with here.client().socket(killed, hello={}) as socket:
        async with there.client.socket(killed, hello={}) as asking:
            ack = await asking.ask(gate)
        await until(lambda: _has_done_first(here, killed))
        there.process.kill()
        GATES.open(gate)
        end = await socket.until_end()
    row = await run_row(here, ack["run_id"])

    assert (end["type"], end["run_id"], end["attempt"]) == ("run_completed", ack["run_id"], 2)
    assert "run_resumed" in socket.types()
    assert (VISITS["first", gate], VISITS["second", gate]) == (0, 1)  # first ran only there
    assert (row.status, row.fence) == ("completed", 2)
    assert _ends(socket.numbered()) == [ack["run_id"]]


_CHECKPOINT = (
    "SELECT checkpoint_id, metadata FROM checkpoints WHERE thread_id = :t"
    " ORDER BY checkpoint_id DESC LIMIT 1"
)


def _ends(events: list[Event]) -> list[str]:
    return [event["run_id"] for event in events if event["type"] in RUN_ENDS]
