"""Every statement on sessions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.ids import ChatId, SessionId
from app.sessions.types import Activity, NewSession, Session
from app.users.types import Owner

# What a session's status is now, whether or not the sweeper has come to write it.
_STATUS = (
    "CASE WHEN status IN ('active', 'paused') AND expires_at <= now() THEN 'expired'"
    " ELSE status END"
)
_COLUMNS = (
    f"session_id, chat_id, user_id, visitor_id, agent, {_STATUS} AS status, metadata,"
    " created_at, expires_at,"
    " last_activity, request_count, turn_count, total_tokens,"
    " extract(epoch FROM expires_at - now())::float8 AS seconds_left,"
    " extract(epoch FROM now() - last_activity)::float8 AS idle_seconds"
)
LIVE = "status IN ('active', 'paused') AND expires_at > now()"
_OWNED = "(user_id = :user_id OR visitor_id = :visitor_id)"

# One statement stores any number of sessions with their new chats and visitors. Foreign
# keys are checked at its end, when all three inserts are there. A visitor that is not there
# is made whether new or not: a good cookie may be older than the database. Chats and visitors
# that are there are locked first, so that nobody deletes them meanwhile (app/ownership).
_START = text(
    "WITH given AS (SELECT * FROM unnest("
    "  CAST(:session_ids AS text[]), CAST(:chat_ids AS uuid[]), CAST(:user_ids AS int[]),"
    "  CAST(:visitor_ids AS uuid[]), CAST(:agents AS text[]), CAST(:metadata AS text[]),"
    "  CAST(:new_chats AS bool[]), CAST(:visitor_hashes AS bytea[]),"
    "  CAST(:idempotency_hashes AS bytea[]))"
    "  AS g (session_id, chat_id, user_id, visitor_id, agent, metadata, new_chat,"
    "    visitor_hash, idempotency_hash)),"
    " known AS (SELECT id FROM visitors WHERE id = ANY(:visitor_ids) FOR KEY SHARE),"
    " kept AS (SELECT id FROM chats WHERE id = ANY(:chat_ids) FOR KEY SHARE),"
    " v AS (INSERT INTO visitors (id, secret_hash)"
    "  SELECT visitor_id, visitor_hash FROM given WHERE visitor_hash IS NOT NULL"
    "   AND visitor_id NOT IN (SELECT id FROM known)"
    "  ON CONFLICT DO NOTHING),"
    " c AS (INSERT INTO chats (id, user_id, visitor_id, agent, thread_id)"
    "  SELECT chat_id, user_id, visitor_id, agent, chat_id FROM given WHERE new_chat)"
    " INSERT INTO sessions (session_id, chat_id, user_id, visitor_id, agent, metadata,"
    "   idempotency_hash, expires_at)"
    " SELECT session_id, chat_id, user_id, visitor_id, agent, CAST(metadata AS jsonb),"
    "   idempotency_hash, now() + make_interval(secs => :ttl) FROM given"
    "  WHERE new_chat OR chat_id IN (SELECT id FROM kept)"
    f" RETURNING {_COLUMNS}"
).columns(metadata=JSONB)
_FIND = text(f"SELECT {_COLUMNS} FROM sessions WHERE session_id = :session_id").columns(
    metadata=JSONB
)
_FIND_LIVE = text(
    f"SELECT {_COLUMNS} FROM sessions WHERE session_id = :session_id AND {LIVE}"
).columns(metadata=JSONB)
_IS_LIVE = text(f"SELECT 1 FROM sessions WHERE session_id = :session_id AND {LIVE}")
_REPEATABLE = (
    f"({LIVE} AND (CAST(:max_age AS float8) IS NULL"
    " OR created_at > now() - make_interval(secs => :max_age)))"
)
_OVER_AMONG = text(
    "SELECT given.session_id, status"
    " FROM unnest(CAST(:session_ids AS text[])) AS given (session_id)"
    " LEFT JOIN sessions ON sessions.session_id = given.session_id"
    f" WHERE sessions.session_id IS NULL OR NOT ({LIVE})"
)
_FIND_STARTED = text(
    f"SELECT {_COLUMNS} FROM sessions WHERE idempotency_hash = :hash AND {_REPEATABLE}"
).columns(metadata=JSONB)
_RELEASE_KEY = text(
    "UPDATE sessions SET idempotency_hash = NULL"
    f" WHERE idempotency_hash = :hash AND NOT {_REPEATABLE}"
)
_LIST = text(
    f"SELECT {_COLUMNS} FROM sessions WHERE {_OWNED}"
    f" AND (CAST(:statuses AS text[]) IS NULL OR {_STATUS} = ANY(:statuses))"
    " ORDER BY created_at DESC LIMIT :limit"
).columns(metadata=JSONB)
_NEWEST = text(
    "SELECT DISTINCT ON (chat_id) chat_id, session_id FROM sessions"
    f" WHERE chat_id = ANY(:chat_ids) AND {_OWNED} ORDER BY chat_id, created_at DESC"
)
_EXTEND = text(
    "UPDATE sessions SET last_activity = now(), expires_at = GREATEST(expires_at,"
    "   LEAST(now() + make_interval(secs => :ttl), created_at + make_interval(secs => :max)))"
    f" WHERE session_id = :session_id AND {LIVE} RETURNING {_COLUMNS}"
).columns(metadata=JSONB)
_END = text(
    "UPDATE sessions SET status = 'completed', last_activity = now()"
    f" WHERE session_id = :session_id AND {LIVE} RETURNING chat_id"
)
_EXPIRE = text(
    "UPDATE sessions SET status = 'expired' WHERE session_id IN ("
    " SELECT session_id FROM sessions WHERE status IN ('active', 'paused')"
    " AND expires_at <= now() LIMIT :limit FOR UPDATE SKIP LOCKED)"
)
_USED_SINCE = text(
    "SELECT DISTINCT chat_id FROM sessions WHERE chat_id = ANY(:chat_ids)"
    " AND expires_at > now() - make_interval(secs => :seconds)"
)
_DELETE_OVER = text(
    "DELETE FROM sessions WHERE session_id IN ("
    " SELECT session_id FROM sessions WHERE status IN ('completed', 'expired')"
    " AND expires_at < now() - make_interval(secs => :seconds)"
    " ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED)"
)
# Activity never brings an ended session back: only rows that still live are moved.
_RECORD = text(
    "UPDATE sessions s SET last_activity = now(),"
    "  request_count = s.request_count + a.requests, turn_count = s.turn_count + a.turns,"
    "  total_tokens = s.total_tokens + a.tokens,"
    "  expires_at = CASE WHEN a.slides AND s.status IN ('active', 'paused')"
    "      AND s.expires_at > now()"
    "      AND s.expires_at <= now() + make_interval(secs => :settled)"
    "    THEN GREATEST(s.expires_at, LEAST(now() + make_interval(secs => :ttl),"
    "      s.created_at + make_interval(secs => :max)))"
    "    ELSE s.expires_at END"
    " FROM unnest(CAST(:ids AS text[]), CAST(:requests AS int[]), CAST(:turns AS int[]),"
    "  CAST(:tokens AS bigint[]), CAST(:slides AS bool[]))"
    "  AS a (session_id, requests, turns, tokens, slides)"
    " WHERE s.session_id = a.session_id"
)


class KeyTaken(Exception):
    """Another request with the same idempotency key was first."""


class SessionRepository:
    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def start(
        self, items: Sequence[NewSession], *, ttl_seconds: float
    ) -> list[Session | None]:
        """Store sessions with their new chats and visitors; one statement for all of them.

        Returns None for a session on a chat that is no longer there.

        Raises:
            KeyTaken: an idempotency key belongs to a live session already.
        """
        columns: dict[str, Any] = {
            "session_ids": [item.session_id for item in items],
            "chat_ids": [item.chat_id for item in items],
            "user_ids": [item.user_id for item in items],
            "visitor_ids": [item.visitor_id for item in items],
            "agents": [item.agent for item in items],
            "metadata": [item.metadata for item in items],
            "new_chats": [item.new_chat for item in items],
            "visitor_hashes": [item.visitor_hash for item in items],
            "idempotency_hashes": [item.idempotency_hash for item in items],
        }
        try:
            rows = await self._db.execute(_START, {**columns, "ttl": ttl_seconds})
        except IntegrityError as error:
            if "uq_sessions_idempotency" in str(error.orig):
                raise KeyTaken from error
            raise
        stored = {row.session_id: Session._make(row) for row in rows}
        return [stored.get(item.session_id) for item in items]

    async def find(self, session_id: SessionId) -> Session | None:
        """Return the session whatever its state."""
        row = (await self._db.execute(_FIND, {"session_id": session_id})).first()
        return Session._make(row) if row else None

    async def find_live(self, session_id: SessionId) -> Session | None:
        """Return the session if it has neither ended nor expired."""
        row = (await self._db.execute(_FIND_LIVE, {"session_id": session_id})).first()
        return Session._make(row) if row else None

    async def is_live(self, session_id: SessionId) -> bool:
        return (await self._db.execute(_IS_LIVE, {"session_id": session_id})).first() is not None

    async def over_among(self, session_ids: Sequence[SessionId]) -> dict[SessionId, str | None]:
        """Return those of the sessions that do not live, with the status stored of them."""
        rows = await self._db.execute(_OVER_AMONG, {"session_ids": list(session_ids)})
        return {SessionId(row.session_id): row.status for row in rows}

    async def find_started(
        self, idempotency_hash: bytes, *, max_age_seconds: float | None
    ) -> Session | None:
        """Return the live session of a key, unless it is older than the key is good for."""
        row = (
            await self._db.execute(
                _FIND_STARTED, {"hash": idempotency_hash, "max_age": max_age_seconds}
            )
        ).first()
        return Session._make(row) if row else None

    async def release_key(self, idempotency_hash: bytes, *, max_age_seconds: float | None) -> None:
        """Let go of a key whose session ``find_started`` would not return."""
        await self._db.execute(_RELEASE_KEY, {"hash": idempotency_hash, "max_age": max_age_seconds})

    async def list_of(
        self, owner: Owner, *, statuses: Sequence[str] | None, limit: int
    ) -> list[Session]:
        given = {"statuses": statuses, "limit": limit, **owner._asdict()}
        rows = await self._db.execute(_LIST, given)
        return [Session._make(row) for row in rows]

    async def newest_of(self, chat_ids: Sequence[ChatId], owner: Owner) -> dict[ChatId, SessionId]:
        rows = await self._db.execute(_NEWEST, {"chat_ids": list(chat_ids), **owner._asdict()})
        return {ChatId(row.chat_id): SessionId(row.session_id) for row in rows}

    async def extend(
        self, session_id: SessionId, *, ttl_seconds: float, max_seconds: float
    ) -> Session | None:
        row = (
            await self._db.execute(
                _EXTEND, {"session_id": session_id, "ttl": ttl_seconds, "max": max_seconds}
            )
        ).first()
        return Session._make(row) if row else None

    async def end(self, session_id: SessionId) -> bool:
        """Complete the session; False if it was not live any more."""
        return (await self._db.execute(_END, {"session_id": session_id})).first() is not None

    async def expire_for_system(self, *, limit: int) -> int:
        """Mark sessions whose time has passed; return how many."""
        return (await self._db.execute(_EXPIRE, {"limit": limit})).rowcount

    async def used_since(self, chat_ids: Sequence[ChatId], *, seconds: float) -> set[ChatId]:
        """Return those of the chats that have a session which lives or ran out lately.

        A session that was ended before its time counts as if it had run out.
        """
        rows = await self._db.execute(_USED_SINCE, {"chat_ids": list(chat_ids), "seconds": seconds})
        return {ChatId(row.chat_id) for row in rows}

    async def delete_over_for_system(self, *, seconds: float, limit: int) -> int:
        """Delete sessions that ran out longer ago than that, oldest first; return how many.

        One range scan on ``ix_sessions_over``.
        """
        given = {"seconds": seconds, "limit": limit}
        return (await self._db.execute(_DELETE_OVER, given)).rowcount

    async def record(
        self,
        activities: Sequence[Activity],
        *,
        ttl_seconds: float,
        max_seconds: float,
        slide_seconds: float,
    ) -> None:
        """Add up what happened on sessions. One statement."""
        await self._db.execute(
            _RECORD,
            {
                "ids": [one.session_id for one in activities],
                "requests": [one.requests for one in activities],
                "turns": [one.turns for one in activities],
                "tokens": [one.tokens for one in activities],
                "slides": [one.slides for one in activities],
                "ttl": ttl_seconds,
                "max": max_seconds,
                # a TTL shorter than the pause between slides must be moved, too
                "settled": ttl_seconds - min(slide_seconds, ttl_seconds / 2),
            },
        )
