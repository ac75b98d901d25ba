"""Which tools a run has called, noted in Postgres by its owner only."""

from collections.abc import Sequence

from sqlalchemy import text

from app.agents.types import PastCall, ToolCall
from app.events.errors import StaleFence
from app.kit.ids import RunId
from app.settings import RunSettings
from app.storage.postgres import Postgres

_EARLIER = text(
    "SELECT scope, call_id, tool, ended_at IS NOT NULL AS has_ended, result_type, result"
    " FROM tool_calls WHERE run_id = :run_id AND fence < :fence ORDER BY id"
)
# The run's row is locked until the note is there: who takes the run over either comes first,
# and this finds another fence, or comes later and sees the note.
_BEGIN = text(
    "WITH held AS (SELECT id FROM runs"
    "  WHERE id = :run_id AND fence = :fence AND status = 'running' FOR SHARE)"
    " INSERT INTO tool_calls (run_id, fence, scope, call_id, tool)"
    " SELECT id, :fence, :scope, :call_id, :tool FROM held RETURNING id"
)
_END = text(
    "UPDATE tool_calls SET ended_at = now(), result_type = :type, result = :result WHERE id = :id"
)
_WITHDRAW = text("DELETE FROM tool_calls WHERE id = :id")
_FORGET = text("DELETE FROM tool_calls WHERE run_id = :run_id")


class ToolCalls:
    """The notes of all runs. Each method is one statement and one round trip."""

    def __init__(self, *, postgres: Postgres, settings: RunSettings) -> None:
        self._postgres = postgres
        self._settings = settings

    async def earlier(self, run_id: RunId, fence: int) -> Sequence[PastCall]:
        async with self._postgres.statement() as db:
            rows = await db.execute(_EARLIER, {"run_id": run_id, "fence": fence})
            return [
                PastCall(
                    ToolCall(row.scope, row.call_id, row.tool),
                    row.has_ended,
                    None if row.result is None else (row.result_type, row.result),
                )
                for row in rows
            ]

    async def begin(self, run_id: RunId, fence: int, call: ToolCall) -> int:
        async with self._postgres.statement() as db:
            note = await db.scalar(_BEGIN, {"run_id": run_id, "fence": fence, **call._asdict()})
        if note is None:
            raise StaleFence("Another node has taken this run over.")
        return int(note)

    async def end(self, note: int, result: tuple[str, bytes] | None) -> None:
        if result is not None and len(result[1]) > self._settings.tool_result_bytes:
            result = None
        type_, data = result or (None, None)
        async with self._postgres.statement() as db:
            await db.execute(_END, {"id": note, "type": type_, "result": data})

    async def withdraw(self, note: int) -> None:
        async with self._postgres.statement() as db:
            await db.execute(_WITHDRAW, {"id": note})

    async def forget(self, run_id: RunId) -> None:
        async with self._postgres.statement() as db:
            await db.execute(_FORGET, {"run_id": run_id})
