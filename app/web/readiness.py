"""Whether a node should be sent people: does what it needs answer?"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from app.kit.errors import AppError

_SECONDS = 2.0  # a load balancer does not wait much longer itself

Question = Callable[[], Awaitable[str | None]]
"""Says what is wrong, in a word; None if nothing is."""


class Verdict(NamedTuple):
    is_ready: bool
    checks: dict[str, str]  # what was asked: ok, or what is wrong


class Readiness:
    """Asks what a node needs, and waits for nothing that hangs.

    A driver may take seconds more to give a question up. So it is asked, and left behind, in
    a task of ``run``, which everybody who wants to know meanwhile waits for together.

    Args:
        stores: by name; without one of them the node is not ready.
        workers: who executes runs, for a node that does not. Without any it is ready all the
            same: people can read, and what they ask waits.
    """

    def __init__(
        self,
        *,
        stores: Mapping[str, Question],
        workers: Callable[[], Awaitable[Collection[object]]] | None,
    ) -> None:
        self._stores = stores
        self._workers = workers
        self._pending: dict[str, asyncio.Task[str]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the questions until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.get_running_loop().create_future()

    async def check(self) -> Verdict:
        """Ask everything at once. Takes two seconds at most."""
        asked = {name: self._asked(name, question) for name, question in self._stores.items()}
        if self._workers is not None:
            asked["workers"] = self._asked("workers", self._without_workers)
        await asyncio.wait(asked.values(), timeout=_SECONDS)
        checks = {name: self._answer(name, task) for name, task in asked.items()}
        return Verdict(all(checks[name] == "ok" for name in self._stores), checks)

    def _asked(self, name: str, question: Question) -> asyncio.Task[str]:
        pending = self._pending.get(name)
        if pending is None:
            if self._group is None:
                raise RuntimeError("readiness is not running")
            pending = self._group.create_task(_ask(question), name=f"ask {name}")
            self._pending[name] = pending
        return pending

    def _answer(self, name: str, task: asyncio.Task[str]) -> str:
        if self._pending.get(name) is task:  # answered, or too old for whoever comes next
            del self._pending[name]
        return task.result() if task.done() and not task.cancelled() else "timeout"

    async def _without_workers(self) -> str | None:
        return None if self._workers is None or await self._workers() else "none"


async def _ask(question: Question) -> str:
    try:
        async with asyncio.timeout(_SECONDS):
            return await question() or "ok"
    except AppError as error:
        return error.code
    except (TimeoutError, OSError):
        return "timeout"
