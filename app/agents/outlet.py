"""The way of a run's checkpoints from its buffer into Postgres."""

import asyncio
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from psycopg import Error as PsycopgError

from app.agents.buffer import Batch, Buffer
from app.agents.types import Hold
from app.kit.errors import AppError, Unavailable
from app.storage.batches import GroupWriter

log = structlog.get_logger()

_HOLD_SECONDS = 0.05  # a crash costs the work of this time at most
_ARRIVAL_SECONDS = 5  # a checkpoint that is on its way from another thread takes a moment


@dataclass(slots=True)
class Handed:
    """What a run hands over to be written, if it still may."""

    batch: Batch
    may_write: Callable[[], bool]
    hold: Hold | None = None


class Outlet:
    """Hands over what one run wants kept, at most 50 ms later, to whoever writes for all runs.

    One batch at a time: a checkpoint refers to values that went with the batch before it,
    and must not be there without them. What cannot be written for now, because the lease
    has lapsed or Postgres is away, waits here with what comes after it: the lease may be
    renewed, and if it is not, somebody stops the run.

    LangGraph copies a saver for graphs with types of their own; the copies share this.
    """

    def __init__(
        self,
        writer: GroupWriter[Handed, Exception | None],
        may_write: Callable[[], bool],
        hold: Hold | None = None,
    ) -> None:
        self.buffer = Buffer()
        self.newest: dict[str, str] = {}  # of each graph that keeps checkpoints, if it has one
        self._noted = asyncio.Event()
        self._writer = writer
        self._may_write = may_write
        self._hold = hold
        self._timer: asyncio.TimerHandle | None = None
        self._sent: asyncio.Future[Exception | None] | None = None  # what is on its way
        self._returned: AppError | None = None  # why the last batch came back
        self._failure: Exception | None = None
        self._closed = False

    def changed(self) -> None:
        """Have the buffer written soon."""
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_HOLD_SECONDS, self._hand_over)

    def note(self, space: str, checkpoint_id: str = "") -> None:
        """Know of a graph that keeps checkpoints, and how far it has come."""
        self.newest[space] = max(checkpoint_id, self.newest.get(space, ""))
        self._noted.set()

    async def flush_from(self, points: Mapping[str, str]) -> None:
        """Do what ``flush`` does once these checkpoints, by graph, have come. LangGraph puts a
        checkpoint aside while it goes on from it. Graphs that keep none do not count.

        Raises:
            Unavailable: one does not come.
        """
        try:
            async with asyncio.timeout(_ARRIVAL_SECONDS):
                while any(self.newest.get(space, id_) < id_ for space, id_ in points.items()):
                    self._noted.clear()
                    await self._noted.wait()
        except TimeoutError as error:
            raise Unavailable("A checkpoint is missing.") from error
        await self.flush()

    async def flush(self) -> None:
        """Return once everything so far is committed.

        Raises:
            StaleFence: the run is another process's by now.
            Unavailable: Postgres stays away.
            psycopg.Error: Postgres refuses what the graph wants kept.
        """
        await self._arrival()  # what is on its way may come back
        self._hand_over()
        await self._arrival()
        self.check()
        if self._returned is not None:
            raise self._returned

    async def make_readable(self, space: str) -> None:
        """Return once all there is of one graph is committed. Raises what ``flush`` does."""
        await self._arrival()
        if self.buffer.holds(space):
            await self.flush()
        self.check()

    async def close(self) -> None:
        """Write what there is; what comes later is too late. Never raises."""
        self._closed = True
        try:
            await self.flush()
        except (AppError, PsycopgError) as error:
            log.warning("checkpoints_lost", cause=type(error).__name__)

    def fail(self, error: Exception) -> None:
        """Keep nothing more: the run must not go on, whatever its graph makes of ``error``."""
        self._failure = self._failure or error

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
        if self._sent is not None or self._failure is not None:
            return
        if not (batch := self.buffer.take()):
            return
        try:
            self._sent = self._writer.put(Handed(batch, self._may_write, self._hold))
        except AppError as error:
            self._give_back(batch, error)
        else:
            self._sent.add_done_callback(functools.partial(self._arrived, batch))

    async def _arrival(self) -> None:
        if self._sent is not None:
            await asyncio.wait({self._sent})  # not the future itself: who leaves would cancel it

    def _arrived(self, batch: Batch, sent: asyncio.Future[Exception | None]) -> None:
        self._sent = self._returned = None
        error = sent.exception() or sent.result()
        if isinstance(error, AppError) and not error.context.get("for_good"):
            self._give_back(batch, error)
        elif isinstance(error, Exception):
            self._failure = error
        if self.buffer.is_waiting:
            self.changed()

    def _give_back(self, batch: Batch, error: AppError) -> None:
        self.buffer.put_back(batch)
        self._returned = error
