"""The way of a run's checkpoints from its buffer into Postgres."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from psycopg import Error as PsycopgError

from app.agents.buffer import Batch, Buffer
from app.kit.errors import AppError
from app.storage.batches import GroupWriter

log = structlog.get_logger()

_HOLD_SECONDS = 0.05  # a crash costs the work of this time at most


@dataclass(slots=True)
class Handed:
    """What a run hands over to be written, if it still may."""

    batch: Batch
    may_write: Callable[[], bool]


class Outlet:
    """Hands over what one run wants kept, at most 50 ms later, to whoever writes for all runs.

    LangGraph copies a saver for graphs with types of their own; the copies share this.
    """

    def __init__(
        self, writer: GroupWriter[Handed, Exception | None], may_write: Callable[[], bool]
    ) -> None:
        self.buffer = Buffer()
        self._writer = writer
        self._may_write = may_write
        self._timer: asyncio.TimerHandle | None = None
        self._last: asyncio.Future[Exception | None] | None = None
        self._failure: Exception | None = None
        self._closed = False

    def changed(self) -> None:
        """Have the buffer written soon."""
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_HOLD_SECONDS, self._hand_over)

    async def flush(self) -> None:
        """Return once everything so far is committed.

        Raises:
            StaleFence: the run is another process's by now.
            Unavailable: Postgres stays away.
            psycopg.Error: Postgres refuses what the graph wants kept.
        """
        self._hand_over()
        await self._written()

    async def make_readable(self, space: str) -> None:
        """Return once all there is of one graph is committed. Raises what ``flush`` does."""
        if self.buffer.holds(space):
            self._hand_over()
        await self._written()

    async def close(self) -> None:
        """Write what there is; what comes later is too late. Never raises."""
        self._closed = True
        try:
            await self.flush()
        except (AppError, PsycopgError) as error:
            log.warning("checkpoints_lost", cause=type(error).__name__)

    def check(self) -> None:
        """Raise what went wrong behind the graph's back."""
        if self._failure is not None:
            raise self._failure

    @property
    def is_closed(self) -> bool:
        return self._closed

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not (batch := self.buffer.take()):
            return
        try:
            self._last = self._writer.put(Handed(batch, self._may_write))
        except AppError as error:
            self._failure = self._failure or error
        else:
            self._last.add_done_callback(self._done)

    async def _written(self) -> None:
        if self._last is not None and not self._last.done():
            await asyncio.wait({self._last})  # not the future itself: who leaves would cancel it
        self.check()

    def _done(self, written: asyncio.Future[Exception | None]) -> None:
        error = written.exception() or written.result()
        if self._failure is None and isinstance(error, Exception):
            self._failure = error
