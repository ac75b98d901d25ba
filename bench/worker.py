"""A child process on a core of its own, told line by line what to do."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvloop

from bench.processes import pin

Command = Callable[..., Awaitable[Any]]


class WorkerFailed(Exception):
    """A worker did not do what it was told; its traceback is on standard error."""


class Worker:
    """The parent's end. Calls block: nothing else is to happen while one is measured."""

    def __init__(self, module: str, *arguments: str, core: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(core), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._module = module

    @property
    def pid(self) -> int:
        return self._process.pid

    def do(self, command: str, **given: Any) -> Any:
        """Let the worker do a command to its end; return its answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise WorkerFailed(self._module)
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailed(f"{self._module}: {command}")
        return json.loads(line)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=10)


def work(core: int, commands: Mapping[str, Command], *, last: Command | None = None) -> None:
    """The child's end: do each command of standard input, and when there are no more, ``last``."""
    pin(core)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            given = json.loads(line)
            answer = runner.run(_call(commands[given.pop("command")], given))
            print(json.dumps(answer), flush=True)
        if last is not None:
            runner.run(_call(last, {}))


async def _call(command: Command, given: dict[str, Any]) -> Any:
    return await command(**given)
