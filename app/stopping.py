"""What signals do to a process: an orderly end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class Stopper:
    """Turns signals into an orderly end. SIGTERM: drain. SIGINT, a person at a terminal: now.
    A second signal of either kind does not wait any longer.

    Args:
        drain: brings what is going on to an end within so many seconds.
        seconds: how many, after a SIGTERM.
        stop: ends what is served; called once everything is drained, or without waiting.
    """

    def __init__(
        self,
        *,
        drain: Callable[[float], Awaitable[None]],
        seconds: float,
        stop: Callable[[], None],
    ) -> None:
        self._drain = drain
        self._seconds = seconds
        self._stop = stop
        self._asked = asyncio.Event()
        self._wait = 0.0
        self._task: asyncio.Task[None] | None = None

    def listen(self, group: asyncio.TaskGroup) -> None:
        """Hear signals from now on."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._ask, self._seconds)
        loop.add_signal_handler(signal.SIGINT, self._ask, 0.0)
        self._task = group.create_task(self._obey())

    def done(self) -> None:
        """What was served has ended: nothing is to be drained any more."""
        if self._task is not None:
            self._task.cancel()

    def _ask(self, seconds: float) -> None:
        if self._asked.is_set():
            self._stop()
        self._wait = seconds
        self._asked.set()

    async def _obey(self) -> None:
        await self._asked.wait()
        log.info("stopping", drain_seconds=self._wait)
        await self._drain(self._wait)
        self._stop()
