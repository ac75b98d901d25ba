"""Every statement that spans rooms: notes of deleted chats, and visitors without any."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.ids import ChatId, SessionId, UserId, VisitorId
from app.ownership.types import Forgotten

# Any number; it must only be the same on every node, and not that of migrations.
_LOCK = 4_157_222

_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(:lock)")


def _take(which: str) -> str:
    """Notes are put off while somebody works on them: should that one die, they come back."""
    return (
        "UPDATE forgotten_chats f SET due_at = now() + make_interval(secs => :again)"
        f" FROM (SELECT chat_id FROM forgotten_chats WHERE {which} FOR UPDATE SKIP LOCKED) due"
        " WHERE f.chat_id = due.chat_id"
        " RETURNING f.chat_id, f.thread_id, f.visitor_id, f.is_cleared,"
        "  EXISTS (SELECT 1 FROM chats WHERE chats.id = f.chat_id) AS is_back"
    )


_TAKE_DUE = text(_take("due_at <= now() ORDER BY due_at LIMIT :limit"))
_TAKE_OF = text(_take("chat_id = ANY(:chat_ids) AND NOT is_cleared"))
_LOOK_AGAIN = text(
    "UPDATE forgotten_chats SET is_cleared = true, due_at = now() + make_interval(secs => :later)"
    " WHERE chat_id = ANY(:chat_ids)"
)
_DROP = text("DELETE FROM forgotten_chats WHERE chat_id = ANY(:chat_ids)")

# Whoever begins a session holds its visitor by a lock that this one does not wait for.
_LOCK_VISITORS = text("SELECT id FROM visitors WHERE id = ANY(:visitor_ids) FOR UPDATE SKIP LOCKED")
_DELETE_VISITORS = text(
    "DELETE FROM visitors v WHERE id = ANY(:visitor_ids)"
    " AND NOT EXISTS (SELECT 1 FROM chats WHERE chats.visitor_id = v.id)"
    " AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.visitor_id = v.id)"
)

_LOCK_VISITOR = text("SELECT 1 FROM visitors WHERE id = :visitor_id FOR UPDATE")
_GIVE_CHATS = text(
    "UPDATE chats SET user_id = :user_id, visitor_id = NULL WHERE visitor_id = :visitor_id"
    " RETURNING id"
)
_GIVE_SESSIONS = text(
    "UPDATE sessions SET user_id = :user_id, visitor_id = NULL WHERE visitor_id = :visitor_id"
    " RETURNING session_id"
)
# Locked first and looked at then: whoever waited for the lock sees what the other one did.
_LOCK_CHAT_OF = text(
    "SELECT id FROM chats WHERE id = (SELECT chat_id FROM sessions"
    "  WHERE session_id = :session_id AND visitor_id IS NOT NULL"
    "   AND status IN ('active', 'paused') AND expires_at > now())"
    " AND visitor_id IS NOT NULL FOR UPDATE"
)
_GIVE_CHAT = text(
    "WITH chat AS (UPDATE chats SET user_id = :user_id, visitor_id = NULL WHERE id = :chat_id)"
    " UPDATE sessions SET user_id = :user_id, visitor_id = NULL"
    " WHERE chat_id = :chat_id AND visitor_id IS NOT NULL RETURNING session_id"
)


class OwnershipRepository:
    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def take_turn(self) -> bool:
        """Be the one who sweeps until the transaction ends; False if another node is."""
        return bool(await self._db.scalar(_TAKE_TURN, {"lock": _LOCK}))

    async def take_due(self, *, limit: int, again_seconds: float) -> list[Forgotten]:
        """Take notes whose time has come, oldest first; nobody else gets them for a while."""
        rows = await self._db.execute(_TAKE_DUE, {"limit": limit, "again": again_seconds})
        return [Forgotten._make(row) for row in rows]

    async def take_of(self, chat_ids: Sequence[ChatId], *, again_seconds: float) -> list[Forgotten]:
        """Take the notes of these chats, but for those of which only the last look remains."""
        given = {"chat_ids": list(chat_ids), "again": again_seconds}
        return [Forgotten._make(row) for row in await self._db.execute(_TAKE_OF, given)]

    async def look_again(self, chat_ids: Sequence[ChatId], *, later_seconds: float) -> None:
        """Note that everything of these chats is gone, and that one look remains."""
        given = {"chat_ids": list(chat_ids), "later": later_seconds}
        await self._db.execute(_LOOK_AGAIN, given)

    async def drop(self, chat_ids: Sequence[ChatId]) -> None:
        """Forget that these chats were ever there."""
        await self._db.execute(_DROP, {"chat_ids": list(chat_ids)})

    async def delete_visitors(self, visitor_ids: Sequence[VisitorId]) -> int:
        """Delete those of the visitors who have neither chats nor sessions; return how many.

        One who comes back with the old cookie is made anew, so a visitor can go at any time.
        """
        # Two statements: only the second sees what was committed before the lock was had.
        rows = await self._db.execute(_LOCK_VISITORS, {"visitor_ids": list(visitor_ids)})
        locked = [row.id for row in rows]
        return (await self._db.execute(_DELETE_VISITORS, {"visitor_ids": locked})).rowcount

    async def lock_visitor(self, visitor_id: VisitorId) -> bool:
        """Hold a visitor until the transaction ends; False if there is none."""
        found = await self._db.scalar(_LOCK_VISITOR, {"visitor_id": visitor_id})
        return found is not None

    async def give_chats_of(self, visitor_id: VisitorId, user_id: UserId) -> list[ChatId]:
        """Make a visitor's chats a user's; return which."""
        given = {"visitor_id": visitor_id, "user_id": user_id}
        return [ChatId(row.id) for row in await self._db.execute(_GIVE_CHATS, given)]

    async def give_sessions_of(self, visitor_id: VisitorId, user_id: UserId) -> list[SessionId]:
        """Make a visitor's sessions a user's; return which."""
        given = {"visitor_id": visitor_id, "user_id": user_id}
        rows = await self._db.execute(_GIVE_SESSIONS, given)
        return [SessionId(row.session_id) for row in rows]

    async def lock_anonymous_chat_of(self, session_id: SessionId) -> ChatId | None:
        """Hold the chat of a live session until the transaction ends, if a visitor owns it."""
        found = await self._db.scalar(_LOCK_CHAT_OF, {"session_id": session_id})
        return None if found is None else ChatId(found)

    async def give_chat(self, chat_id: ChatId, user_id: UserId) -> list[SessionId]:
        """Make a visitor's chat, and the sessions on it, a user's; return those."""
        given = {"chat_id": chat_id, "user_id": user_id}
        rows = await self._db.execute(_GIVE_CHAT, given)
        return [SessionId(row.session_id) for row in rows]
