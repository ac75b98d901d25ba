"""What Postgres holds, read past every proxy."""

from collections.abc import Iterable
from typing import NamedTuple

from psycopg import AsyncConnection


class MessageRow(NamedTuple):
    id: str
    chat_id: str
    seq: int
    role: str
    text: str
    status: str
    run_id: str
    client_message_id: str | None


class RunRow(NamedTuple):
    id: str
    chat_id: str
    message_id: str
    answer_id: str
    status: str
    attempt: int
    fence: int
    lease_owner: str | None
    error_code: str | None
    is_started: bool
    is_ended: bool


class Rows(NamedTuple):
    messages: list[MessageRow]
    runs: list[RunRow]
    unsent: int
    """Durable events that are still in the outbox."""


_MESSAGES = (
    "SELECT id::text, chat_id::text, seq, role, text, status, run_id::text, client_message_id"
    " FROM messages WHERE chat_id = ANY(%s::uuid[]) ORDER BY chat_id, seq"
)
_RUNS = (
    "SELECT id::text, chat_id::text, message_id::text, answer_id::text, status, attempt, fence,"
    "  lease_owner, error_code, started_at IS NOT NULL, ended_at IS NOT NULL"
    " FROM runs WHERE chat_id = ANY(%s::uuid[]) ORDER BY chat_id, seq"
)
_UNSENT = "SELECT count(*) FROM outbox WHERE chat_id = ANY(%s::uuid[])"
_CHECKPOINT = "SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = %s"
_STEP = "SELECT max((metadata->>'step')::int) FROM checkpoints WHERE thread_id = %s"


async def read_rows(url: str, chat_ids: Iterable[str]) -> Rows:
    """Return everything of these chats, in their order."""
    wanted = (list(chat_ids),)
    async with await AsyncConnection.connect(url, autocommit=True) as db:
        messages = await (await db.execute(_MESSAGES, wanted)).fetchall()
        runs = await (await db.execute(_RUNS, wanted)).fetchall()
        [(unsent,)] = await (await db.execute(_UNSENT, wanted)).fetchall()
    return Rows([MessageRow(*row) for row in messages], [RunRow(*row) for row in runs], unsent)


async def lease_owner(url: str, run_id: str) -> str | None:
    """Return who holds a run's lease, by the name the node gives itself."""
    async with await AsyncConnection.connect(url, autocommit=True) as db:
        found = await db.execute("SELECT lease_owner FROM runs WHERE id = %s", (run_id,))
        row = await found.fetchone()
    return None if row is None else row[0]


async def newest_step(url: str, thread_id: str) -> int:
    """Return the superstep of a thread's newest checkpoint; -2 if there is none."""
    async with await AsyncConnection.connect(url, autocommit=True) as db:
        found = await db.execute(_STEP, (thread_id,))
        [(step,)] = await found.fetchall()
    return -2 if step is None else int(step)


async def newest_checkpoint(url: str, thread_id: str) -> str | None:
    """Return the id of a thread's newest checkpoint."""
    async with await AsyncConnection.connect(url, autocommit=True) as db:
        found = await db.execute(_CHECKPOINT, (thread_id,))
        [(newest,)] = await found.fetchall()
    return None if newest is None else str(newest)


async def forget_unfinished(url: str) -> None:
    """Delete everything if a scenario has left runs behind, lest the next one inherits them."""
    async with await AsyncConnection.connect(url, autocommit=True) as db:
        left = await (await db.execute("SELECT 1 FROM runs WHERE ended_at IS NULL")).fetchall()
        if left:
            await db.execute("DELETE FROM sessions")
            await db.execute("DELETE FROM chats")
