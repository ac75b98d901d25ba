"""Writing many callers' rows together: now and waited for, or later and not."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

import structlog

from app.kit.errors import AppError, Unavailable

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R")

_LONGEST_PAUSE_SECONDS = 5.0  # between two tries while Postgres is away


class GroupWriter(Generic[T, R]):
    """Writes what several callers bring in one statement; each waits for its own result.

    Nobody is held up to wait for company: a batch is whatever came in while the one
    before it was being written. ``run`` must be running; it may run once.

    Args:
        write: stores items and returns their results in the same order. If it fails,
            every caller of the batch gets the error.
        limit: items of one batch at most.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, limit: int
    ) -> None:
        self._write = write
        self._limit = limit
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._arrived = asyncio.Event()
        self._stopped = False

    async def submit(self, item: T) -> R:
        """Store ``item`` and return its result once it is committed.

        Raises:
            Unavailable: the service is stopping; if the item was being written just then,
                whether it was stored is not known.
            Exception: whatever ``write`` raised for the batch.
        """
        return await self.put(item)

    def put(self, item: T) -> asyncio.Future[R]:
        """Do the same without waiting: the result is what ``submit`` returns or raises.

        Raises:
            Unavailable: the service is stopping.
        """
        if self._stopped:
            raise _stopping()
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Write batches until cancelled; whoever still waits then is told so."""
        try:
            while True:
                await self._arrived.wait()
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                if not self._waiting:
                    self._arrived.clear()
                await self._write_batch(batch)
        finally:
            self._stopped = True
            self._fail(self._waiting, _stopping())

    async def _write_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        batch = [one for one in batch if not one[1].done()]  # nobody waits for the others
        if not batch:
            return
        try:
            results = await self._write([item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():  # a caller may have gone
                    future.set_result(result)
        except asyncio.CancelledError:
            self._fail(batch, _stopping())
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to the callers
            self._fail(batch, error)

    @staticmethod
    def _fail(batch: Iterable[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
        for _, future in batch:
            if not future.done():
                future.set_exception(error)


def _stopping() -> Unavailable:
    return Unavailable("This server is stopping; try again.", retry_after_ms=1_000)


class WriteBehind(Generic[T]):
    """Collects items and writes them together a little later; nobody waits.

    For what may be late or, if Postgres stays away long enough, lost: counters, last
    activity, removal of what was delivered. ``run`` must be running; ``flush`` at the end.

    Args:
        name: for the log.
        write: stores the items; one that fails is tried again with the next batch.
        seconds: how long items are collected; longer while writing fails.
        limit: items kept, at most; of more, the oldest are dropped.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[T]], Awaitable[None]],
        *,
        seconds: float,
        limit: int = 10_000,
    ) -> None:
        self._name = name
        self._write = write
        self._seconds = seconds
        self._limit = limit
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._failing = 0  # writes in a row

    def add(self, item: T) -> None:
        self._items.append(item)
        self._drop_excess()
        self._arrived.set()

    async def run(self) -> None:
        """Write what comes in until cancelled."""
        while True:
            await self._arrived.wait()
            pause = self._seconds * 2 ** min(self._failing, 10)
            await asyncio.sleep(min(pause, max(self._seconds, _LONGEST_PAUSE_SECONDS)))
            await self.flush()

    async def flush(self) -> None:
        """Write everything collected so far. Never raises."""
        items = list(self._items)
        self._items.clear()
        self._arrived.clear()
        if not items:
            return
        try:
            await self._write(items)
        except asyncio.CancelledError:
            self._put_back(items)  # for the last flush: rather twice than never
            raise
        except AppError as error:
            self._failing += 1
            if self._failing == 1:  # the others say nothing new
                log.warning(
                    "write_behind_failed", what=self._name, items=len(items), code=error.code
                )
            self._put_back(items)
        except Exception:
            # dropped: it is a bug, and they would fail again
            log.exception("write_behind_crashed", what=self._name, items=len(items))
        else:
            if self._failing:
                log.info("write_behind_caught_up", what=self._name, tries=self._failing + 1)
            self._failing = 0

    def _put_back(self, items: list[T]) -> None:
        self._items.extendleft(reversed(items))
        self._drop_excess()
        self._arrived.set()

    def _drop_excess(self) -> None:
        while len(self._items) > self._limit:
            self._items.popleft()
