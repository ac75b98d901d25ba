"""Three ways to keep a run's checkpoints, each in place of the other, to be compared."""

import contextlib
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph.state import CompiledStateGraph

from app.agents import saver
from app.agents.buffered import BufferedSaver
from app.agents.outlet import Outlet
from app.agents.saver import Savers, always
from app.agents.types import Hold


class Saving(StrEnum):
    BOUNDED = "bounded"
    """The service's own: every step, at most 50 ms late, many runs in one transaction."""
    EXIT = "exit"
    """The same saver, asked only when a run ends: a crash loses the run."""
    STOCK = "stock"
    """LangGraph's saver, one for each run over a pool, which writes every step at once."""


class _Stock(BufferedSaver):
    """LangGraph's saver with the looks of ours."""

    aget_tuple = AsyncPostgresSaver.aget_tuple
    aget_delta_channel_history = AsyncPostgresSaver.aget_delta_channel_history
    aput = AsyncPostgresSaver.aput
    aput_writes = AsyncPostgresSaver.aput_writes


class StockSavers(Savers):
    @contextlib.asynccontextmanager
    async def buffered(
        self, may_write: Callable[[], bool] = always, hold: Hold | None = None
    ) -> AsyncIterator[BufferedSaver]:
        yield _Stock(self._pool, may_write, Outlet(self._writer, may_write))

    async def prune(self, thread_id: UUID) -> None:
        """Nothing: nobody else prunes after every run, so its price is not counted here."""


class _AtExit(CompiledStateGraph[Any, Any, Any, Any]):
    """Keeps a checkpoint at the end only, whatever it is told."""

    def astream(self, *args: Any, **given: Any) -> Any:
        return super().astream(*args, **{**given, "durability": "exit"})


def use(saving: Saving, graph: CompiledStateGraph[Any, Any, Any, Any]) -> None:
    """Have this process keep checkpoints of ``graph`` that way, from its next start on."""
    match saving:
        case Saving.BOUNDED:
            pass
        case Saving.EXIT:
            graph.__class__ = _AtExit
        case Saving.STOCK:
            saver.Savers = StockSavers  # type: ignore[misc]  # nothing but this process sees it
