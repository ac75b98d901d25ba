"""LangGraph's tables: rows of many runs written at once, and old ones dropped."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from app.agents.buffer import Batch, Write
from app.agents.types import Hold

# One statement is one transaction and one round trip, however many rows and runs. Nobody
# waits for the disk: whatever the service says of a run is committed after its checkpoints,
# in a transaction that does wait, and Postgres keeps the order. Should Postgres itself
# crash in between, the run goes on from an older checkpoint. Rows of a run that is another
# node's by now are left out: a process that was asleep may not know it yet. Runs' rows are
# locked until the commit, so that who takes one over comes after what is written here; in
# one order, since heartbeats lock several of them, too.
_STORE = """
WITH given AS (
    SELECT * FROM unnest(%b::text[], %b::uuid[], %b::bigint[]) AS given (thread_id, run_id, fence)
), held AS (
    SELECT runs.id FROM runs JOIN given ON given.run_id = runs.id AND given.fence = runs.fence
    WHERE runs.status = 'running' ORDER BY runs.id FOR SHARE OF runs
), stale AS (
    SELECT thread_id FROM given WHERE run_id NOT IN (SELECT id FROM held)
), blobs AS (
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[])
        AS given (thread_id)
    WHERE given.thread_id NOT IN (SELECT thread_id FROM stale)
    ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO NOTHING
), firm AS (
    INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path,
        idx, channel, type, blob)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::int[], %b::text[], %b::text[], %b::bytea[]) AS given (thread_id)
    WHERE given.thread_id NOT IN (SELECT thread_id FROM stale)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO NOTHING
), latest AS (
    INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path,
        idx, channel, type, blob)
    SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::int[], %b::text[], %b::text[], %b::bytea[]) AS given (thread_id)
    WHERE given.thread_id NOT IN (SELECT thread_id FROM stale)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE
    SET channel = EXCLUDED.channel, type = EXCLUDED.type, blob = EXCLUDED.blob
), points AS (
    INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id,
        checkpoint, metadata)
    SELECT thread_id, space, id, parent, body::jsonb, metadata::jsonb
    FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
        AS given (thread_id, space, id, parent, body, metadata)
    WHERE given.thread_id NOT IN (SELECT thread_id FROM stale)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE
    SET checkpoint = EXCLUDED.checkpoint, metadata = EXCLUDED.metadata
)
SELECT set_config('synchronous_commit', 'off', true), ARRAY(SELECT thread_id FROM stale) AS stale
"""

# Of each graph the newest checkpoint stays, and what it refers to; of a subgraph's call
# nothing, once the graph that called it has gone on. Ids and versions grow with time, and
# all parts see one snapshot, so rows of a run at work are never touched. Threads with a
# DeltaChannel stay as they are: their checkpoints can be read only with their ancestors.
_PRUNE = """
WITH heads AS (
    SELECT DISTINCT ON (checkpoint_ns) checkpoint_ns AS ns, checkpoint_id AS id,
        checkpoint -> 'channel_versions' AS versions,
        strpos(checkpoint_ns, ':') > 0 AS is_call, metadata -> 'parents' ->> '' AS root
    FROM checkpoints WHERE thread_id = %(thread)s
        AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = %(thread)s
            AND metadata ?| array['counters_since_delta_snapshot', 'delta_writes_versioned'])
    ORDER BY checkpoint_ns DESC, checkpoint_id DESC
), kept AS (
    SELECT ns, id, versions, is_call AND root < (SELECT id FROM heads WHERE ns = '') AS is_over
    FROM heads
), points AS (
    DELETE FROM checkpoints c USING kept
    WHERE c.thread_id = %(thread)s AND c.checkpoint_ns = kept.ns
        AND (c.checkpoint_id < kept.id OR kept.is_over)
), writes AS (
    DELETE FROM checkpoint_writes w USING kept
    WHERE w.thread_id = %(thread)s AND w.checkpoint_ns = kept.ns
        AND (w.checkpoint_id < kept.id OR kept.is_over)
), parents AS (
    UPDATE checkpoints c SET parent_checkpoint_id = NULL FROM kept
    WHERE c.thread_id = %(thread)s AND c.checkpoint_ns = kept.ns AND c.checkpoint_id = kept.id
        AND NOT coalesce(kept.is_over, false) AND c.parent_checkpoint_id IS NOT NULL
), blobs AS (
    DELETE FROM checkpoint_blobs b USING kept
    WHERE b.thread_id = %(thread)s AND b.checkpoint_ns = kept.ns
        AND (b.version < coalesce(kept.versions ->> b.channel, '') OR kept.is_over)
)
SELECT set_config('synchronous_commit', 'off', true)
"""

# Not all at once: a thread may have kept a long history, and a statement may not take long.
_FORGET = """
WITH points AS (
    DELETE FROM checkpoints WHERE ctid = ANY(ARRAY(SELECT ctid FROM checkpoints
        WHERE thread_id = ANY(%(threads)s) LIMIT %(most)s)) RETURNING 1
), writes AS (
    DELETE FROM checkpoint_writes WHERE ctid = ANY(ARRAY(SELECT ctid FROM checkpoint_writes
        WHERE thread_id = ANY(%(threads)s) LIMIT %(most)s)) RETURNING 1
), blobs AS (
    DELETE FROM checkpoint_blobs WHERE ctid = ANY(ARRAY(SELECT ctid FROM checkpoint_blobs
        WHERE thread_id = ANY(%(threads)s) LIMIT %(most)s)) RETURNING 1
)
SELECT (SELECT count(*) FROM points) + (SELECT count(*) FROM writes)
    + (SELECT count(*) FROM blobs) AS rows
"""
_FORGET_AT_ONCE = 500  # rows of each table


async def store(
    connection: AsyncConnection[DictRow], batch: Batch, holds: Mapping[str, Hold]
) -> set[str]:
    """Write the rows of a batch, all or none, but for threads whose hold has passed on.

    Args:
        connection: to the database, autocommitting.
        batch: the rows.
        holds: what makes a thread this process's, by thread; one without is anybody's.

    Returns:
        The threads whose run is another's by now: nothing of theirs was written.
    """
    answer = await connection.execute(
        _STORE,
        [
            list(holds),
            [hold.run_id for hold in holds.values()],
            [hold.fence for hold in holds.values()],
            *_columns(batch.blobs.values(), 6),
            *_columns(batch.firm.values(), len(Write._fields)),
            *_columns(batch.latest.values(), len(Write._fields)),
            *_columns(batch.points.values(), 6),
        ],
    )
    [row] = await answer.fetchall()
    return set(row["stale"])


async def prune(connection: AsyncConnection[DictRow], thread_id: str) -> None:
    """Drop all of a thread but the newest checkpoint of each of its graphs."""
    await connection.execute(_PRUNE, {"thread": thread_id})


async def forget(connection: AsyncConnection[DictRow], thread_ids: Sequence[str]) -> int:
    """Delete every row of threads, in transactions of their own; return how many there were."""
    given = {"threads": list(thread_ids), "most": _FORGET_AT_ONCE}
    total, rows = 0, _FORGET_AT_ONCE
    while rows >= _FORGET_AT_ONCE:
        row = await (await connection.execute(_FORGET, given)).fetchone()
        rows = int(row["rows"]) if row else 0
        total += rows
    return total


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]
