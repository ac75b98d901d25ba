"""Every statement on chats and messages."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from app.chats import models
from app.chats.types import Chat, Conversation, Message, Numbers
from app.kit.ids import ChatId, MessageId, RunId
from app.kit.paging import Cursor
from app.users.types import Owner

# Every statement on a person's data names the owner itself. Exactly one of the two is set,
# and NULL equals nothing.
_OWNED = "(user_id = :user_id OR visitor_id = :visitor_id)"
_CHAT_COLUMNS = "id, agent, thread_id, title, message_count, created_at, updated_at"
_MESSAGE_COLUMNS = "id, seq, role, text, status, run_id, client_message_id, citations, created_at"

_INSERT_CHAT = insert(models.Chat)
_GET = text(f"SELECT {_CHAT_COLUMNS} FROM chats WHERE id = :chat_id AND {_OWNED}")
_ADVANCE = text(
    "UPDATE chats SET message_count = message_count + :messages,"
    " outbox_seq = outbox_seq + :events, fence = fence + :claims,"
    " title = COALESCE(title, :title), updated_at = now()"
    f" WHERE id = :chat_id AND {_OWNED}"
    " RETURNING thread_id, agent, title, message_count, outbox_seq, fence"
)
_ADVANCE_FOR_SYSTEM = text(
    "UPDATE chats SET message_count = message_count + :messages,"
    " outbox_seq = outbox_seq + :events, fence = fence + :claims, updated_at = now()"
    " WHERE id = :chat_id"
    " RETURNING thread_id, agent, title, message_count, outbox_seq, fence"
)
_FIND_SENT = text(
    "SELECT m.id, m.text, m.run_id FROM messages m JOIN chats ON chats.id = m.chat_id"
    f" WHERE m.chat_id = :chat_id AND m.client_message_id = :client_message_id AND {_OWNED}"
)
_LIST_MESSAGES = text(
    f"SELECT {', '.join('m.' + c for c in _MESSAGE_COLUMNS.split(', '))}"
    " FROM messages m JOIN chats ON chats.id = m.chat_id"
    f" WHERE m.chat_id = :chat_id AND m.seq < :before AND {_OWNED}"
    " ORDER BY m.seq DESC LIMIT :limit"
).columns(citations=JSONB)

# That user_id, which is NULL, leads the order is what lets ``ix_chats_user_recent`` serve it.
_LOCK_IDLE = text(
    "SELECT updated_at AS at, id, message_count FROM chats WHERE user_id IS NULL"
    " AND updated_at < now() - make_interval(secs => :seconds) AND (updated_at, id) > (:at, :id)"
    " ORDER BY user_id, updated_at, id LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_LOCK_EMPTY = text(
    "SELECT created_at AS at, id, message_count FROM chats"
    " WHERE message_count = 0 AND user_id IS NULL"
    " AND created_at < now() - make_interval(secs => :seconds) AND (created_at, id) > (:at, :id)"
    " ORDER BY created_at, id LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_DELETE = text("DELETE FROM chats WHERE id = ANY(:chat_ids) RETURNING message_count")


def _list_recent(*, by: str, after: bool) -> str:
    page = " AND (c.updated_at, c.id) < (:at, :id)" if after else ""
    return (
        "SELECT c.id AS chat_id, c.agent, c.title, c.created_at, c.updated_at,"
        " left(m.text, 200) AS last_message, c.message_count"
        " FROM chats c"
        " LEFT JOIN messages m ON m.chat_id = c.id AND m.seq = c.message_count"
        f" WHERE c.{by} = :owner AND c.message_count > 0{page}"
        " ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit"
    )


_RECENT = {
    (by, after): text(_list_recent(by=by, after=after))
    for by in ("user_id", "visitor_id")
    for after in (False, True)
}


class ChatRepository:
    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def find(self, chat_id: ChatId, owner: Owner) -> Chat | None:
        row = (await self._db.execute(_GET, {"chat_id": chat_id, **owner._asdict()})).first()
        return Chat._make(row) if row else None

    async def advance(
        self,
        chat_id: ChatId,
        owner: Owner,
        *,
        messages: int = 0,
        events: int = 0,
        claims: int = 0,
        title: str | None = None,
    ) -> Numbers | None:
        """Lock the chat and take numbers from it; None if it is not this owner's.

        The lock, held until the caller's unit of work ends, is what orders messages, runs
        and durable events of one chat.
        """
        row = await self._db.execute(
            _ADVANCE,
            {
                "chat_id": chat_id,
                "messages": messages,
                "events": events,
                "claims": claims,
                "title": title,
                **owner._asdict(),
            },
        )
        found = row.first()
        return Numbers._make(found) if found else None

    async def advance_for_system(
        self, chat_id: ChatId, *, messages: int = 0, events: int = 0, claims: int = 0
    ) -> Numbers | None:
        """The same for whoever holds a run of the chat, whoever's it is."""
        row = await self._db.execute(
            _ADVANCE_FOR_SYSTEM,
            {"chat_id": chat_id, "messages": messages, "events": events, "claims": claims},
        )
        found = row.first()
        return Numbers._make(found) if found else None

    async def find_sent(
        self, chat_id: ChatId, owner: Owner, client_message_id: str
    ) -> tuple[MessageId, str, RunId] | None:
        """Return id, text and run of a message the client has sent before."""
        row = (
            await self._db.execute(
                _FIND_SENT,
                {
                    "chat_id": chat_id,
                    "client_message_id": client_message_id,
                    **owner._asdict(),
                },
            )
        ).first()
        return (MessageId(row.id), row.text, RunId(row.run_id)) if row else None

    async def list_messages(
        self, chat_id: ChatId, owner: Owner, *, before: int, limit: int
    ) -> list[Message]:
        """Return one page of messages with ``seq`` below ``before``, newest first."""
        rows = await self._db.execute(
            _LIST_MESSAGES,
            {"chat_id": chat_id, "before": before, "limit": limit, **owner._asdict()},
        )
        return [Message._make((*row[:7], row[7] or [], row[8])) for row in rows]

    async def list_recent(
        self, owner: Owner, *, after: Cursor | None, limit: int
    ) -> list[Conversation]:
        """Return one page of an owner's chats that have messages, most recent first.

        One range scan on ``ix_chats_user_recent`` or ``ix_chats_visitor_recent``.
        """
        by = "user_id" if owner.user_id is not None else "visitor_id"
        given: dict[str, Any] = {"owner": getattr(owner, by), "limit": limit}
        if after is not None:
            given |= {"at": after.at, "id": after.id}
        rows = await self._db.execute(_RECENT[by, after is not None], given)
        return [Conversation._make(row) for row in rows]

    async def lock_anonymous_for_system(
        self, *, empty: bool, seconds: float, after: Cursor, limit: int
    ) -> list[tuple[Cursor, int]]:
        """Lock some visitors' chats in which nothing has happened for ``seconds``, oldest first.

        Those that somebody else holds at the moment are left out. Returns where each stands
        in that order, with its id, and how many messages it has. One index range scan.

        Args:
            empty: only chats without a message; else of all.
            seconds: since anything happened; of an empty chat, since it began.
            after: where the page before ended.
            limit: chats at most.
        """
        rows = await self._db.execute(
            _LOCK_EMPTY if empty else _LOCK_IDLE,
            {"seconds": seconds, "at": after.at, "id": after.id, "limit": limit},
        )
        return [(Cursor(row.at, row.id), row.message_count) for row in rows]

    async def delete_for_system(self, chat_ids: Sequence[ChatId]) -> list[int]:
        """Delete chats with all that hangs on them in our own tables.

        Returns the number of messages of each that was there. What is left in LangGraph's
        tables and in Redis is noted by a trigger (``app.ownership.models``).
        """
        rows = await self._db.execute(_DELETE, {"chat_ids": list(chat_ids)})
        return [row.message_count for row in rows]
