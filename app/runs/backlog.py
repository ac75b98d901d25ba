"""Notices runs that nobody takes."""

from collections.abc import Callable

import structlog

from app.kit.ids import RunId
from app.liveness.store import LivenessStore
from app.observability.metrics import RUNS_WAITING
from app.runs.repository import RunRepository
from app.settings import RunSettings
from app.storage.postgres import Postgres

log = structlog.get_logger()

_AT_ONCE = 1_000


class Backlog:
    """The whole service's runs that could be executed and are not: no worker is there, all
    of them are full, or none has the agent.
    """

    def __init__(
        self,
        *,
        postgres: Postgres,
        liveness: LivenessStore,
        settings: RunSettings,
        monotonic: Callable[[], float],
    ) -> None:
        self._postgres = postgres
        self._liveness = liveness
        self._settings = settings
        self._monotonic = monotonic
        # Since when each has been seen: its row does not say when its chat became free for it.
        self._since: dict[RunId, float] = {}

    async def look(self) -> int:
        """Count them and warn if one has waited too long; return 0, for nothing is done here.

        Raises:
            Unavailable: a store does not answer.
        """
        async with self._postgres.statement() as db:
            waiting, count = await RunRepository(db).backlog(limit=_AT_ONCE)
        now = self._monotonic()
        self._since = {run_id: self._since.get(run_id, now) for run_id in waiting}
        RUNS_WAITING.set(count)
        seconds = now - min(self._since.values(), default=now)
        if seconds >= self._settings.patience_seconds:
            workers = await self._liveness.workers()
            log.warning("runs_wait", count=count, seconds=round(seconds), workers=len(workers))
        return 0
