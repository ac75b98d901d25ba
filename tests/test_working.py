"""``colloquy worker`` beside ``colloquy serve``, as processes that are stopped and killed."""

import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.background import running
from app.embedded.servers import Addresses
from app.kit.clock import SystemClock
from app.node import open_node
from app.working import _background
from tests.conftest import SECRET, make_settings
from tests.support.client import Client
from tests.support.commands import Command, Commands, data_directory, until_unused
from tests.support.databases import Databases
from tests.support.node import running_node
from tests.support.scripted import HANGING, NAME, scripted_agent
from tests.support.until import until

HASTY = {
    "COLLOQUY_RUNS__LEASE_SECONDS": "1.5",
    "COLLOQUY_RUNS__HEARTBEAT_SECONDS": "0.4",
    "COLLOQUY_RUNS__POLL_SECONDS": "0.2",
    "COLLOQUY_RUNS__DRAIN_SECONDS": "0.3",
    "COLLOQUY_LIMITS__STARTS": "off",
    "COLLOQUY_LIMITS__ANONYMOUS_QUERIES": "off",
    "COLLOQUY_LIMITS__SOCKETS_PER_ADDRESS": "0",
}

MOST_OF_A_POOL = 32  # threads that asyncio's own has, however many cores there are


class Fleet:
    """Processes on the same stores."""

    def __init__(self, commands: Commands, where: dict[str, str]) -> None:
        self._commands = commands
        self._environ = HASTY | where

    async def serve(self, concurrency: int = 0) -> Command:
        """Start a node that serves, and executes so many runs at once."""
        runs = str(concurrency)
        return await self._start("serve", "--port", "0", COLLOQUY_RUNS__CONCURRENCY=runs)

    async def work(self, concurrency: int = 2, **environ: str) -> Command:
        worker = await self._start("worker", "--concurrency", str(concurrency), **environ)
        await worker.says(f"Colloquy's worker is ready. It executes {concurrency} runs at once.\n")
        return worker

    async def _start(self, *line: str, **environ: str) -> Command:
        module = "tests.support.scripted_command"
        return await self._commands.start(*line, module=module, **self._environ | environ)


@contextlib.asynccontextmanager
async def place(kind: str, stores: Addresses) -> AsyncIterator[dict[str, str]]:
    """Where nodes find each other: in one data directory, or at addresses."""
    if kind == "data directory":
        with data_directory() as path:
            yield {"COLLOQUY_DATA_DIR": str(path)}
            await until_unused(path)
        return
    async with Databases.of(stores).clone() as own:
        yield {
            "COLLOQUY_DATABASE_URL": own.database_url,
            "COLLOQUY_REDIS_URL": own.redis_url,
            "COLLOQUY_SECRET": SECRET,
        }


@pytest.mark.parametrize("kind", ["data directory", "addresses"])
async def test_an_answer_outlives_a_worker_that_is_killed_and_one_that_is_stopped(
    stores: Addresses, tmp_path: Path, kind: str
) -> None:
    may_end = tmp_path / "may-end"
    async with place(kind, stores) as where, Commands() as commands:
        fleet = Fleet(commands, where)
        server, first = await fleet.serve(), await fleet.work()
        client = Client(await server.ready())
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            await socket.ask(f"say:one until:{may_end} say:two")
            started = await socket.until("run_started")
            await socket.until("message_delta")
            second = await fleet.work()

            first.signal(signal.SIGKILL)
            lost = await socket.until("run_resumed")
            await socket.until("message_delta")
            third = await fleet.work()

            begun = SystemClock().monotonic()
            second.signal(signal.SIGTERM)
            handed_over = await socket.until("run_resumed")
            code = await second.ended()
            took = SystemClock().monotonic() - begun

            may_end.touch()
            answer = await socket.until("message_completed")
            end = await socket.until_end()
        for one in (server, third):
            one.signal(signal.SIGINT)
            assert await one.ended() == 0
        await client.close()

    assert (started["attempt"], lost["attempt"], handed_over["attempt"]) == (1, 2, 3)
    assert (lost["reason"], handed_over["reason"]) == ("owner_lost", "handover")
    assert (code, answer["text"], end["type"]) == (0, "onetwo", "run_completed")
    assert took < 10
    assert socket.types().count("run_queued") == 1
    for command in (server, second, third):
        assert "Traceback" not in command.err
        assert '"error"' not in command.err  # no line of that level


async def test_a_second_signal_does_not_wait_for_runs(stores: Addresses, tmp_path: Path) -> None:
    never = tmp_path / "never"
    async with place("addresses", stores) as where, Commands() as commands:
        fleet = Fleet(commands, where)
        server = await fleet.serve()
        worker = await fleet.work(COLLOQUY_RUNS__DRAIN_SECONDS="600")
        client = Client(await server.ready())
        session = await client.start(agent=NAME)
        async with client.socket(session, hello={}) as socket:
            await socket.ask(f"say:one until:{never}")
            await socket.until("message_delta")

            worker.signal(signal.SIGTERM)
            await worker.says("stopping")
            worker.signal(signal.SIGTERM)
            code = await worker.ended()
        await client.close()

    assert code == 0
    assert "Traceback" not in worker.err


@pytest.mark.parametrize("kind", ["serve", "worker"])
async def test_an_agent_that_hangs_holds_up_neither_the_others_nor_the_end(
    stores: Addresses, kind: str
) -> None:
    """Its threads were all that asyncio's pool has, and the process waited for them for ever."""
    async with place("addresses", stores) as where, Commands() as commands:
        fleet = Fleet(commands, where)
        runs = MOST_OF_A_POOL + 2
        server = await fleet.serve(runs if kind == "serve" else 0)
        executing = server if kind == "serve" else await fleet.work(runs)
        client = Client(await server.ready())
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(MOST_OF_A_POOL + 1):
                session = await client.start(agent=HANGING)
                socket = await stack.enter_async_context(client.socket(session, hello={}))
                await socket.ask("hang")
                await socket.until("message_delta")
            session = await client.start(agent=NAME)
            socket = await stack.enter_async_context(client.socket(session, hello={}))
            await socket.ask("say:well")
            answer = await socket.until("message_completed")

            begun = SystemClock().monotonic()
            executing.signal(signal.SIGTERM)
            code = await executing.ended()
            took = SystemClock().monotonic() - begun
        await client.close()

    assert (answer["text"], code) == ("well", 0)
    assert took < 10
    assert "Traceback" not in executing.err


async def test_a_worker_begins_at_once_what_a_node_without_runs_takes_in(
    stores: Addresses,
) -> None:
    """By the signal: nobody's poll comes within this test."""
    async with Databases.of(stores).clone() as own:
        rest = {"poll_seconds": 600}
        serving = make_settings(own, runs={**rest, "concurrency": 0})
        working = make_settings(own, runs=rest)
        async with (
            running_node(serving) as node,
            open_node(working, agents=[scripted_agent()]) as worker,
            running(_background(worker)),
        ):

            async def is_there() -> bool:
                return worker.id in await node.services.liveness.workers()

            await until(is_there)
            client = node.client()
            session = await client.start(agent=NAME)
            async with client.socket(session, hello={}) as socket:
                for text in ("say:one", "say:two"):
                    await socket.ask(text)
                    await socket.until("run_queued")
                    await socket.until("run_started")
                    await socket.until("run_completed")

            assert node.services.worker.take_place() is False
            assert node.services.node not in await node.services.liveness.workers()
        assert worker.id not in await _nodes(own)


async def _nodes(own: Addresses) -> list[str]:
    async with open_node(make_settings(own)) as node:
        return list(await node.liveness.nodes())
