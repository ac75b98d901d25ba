"""Values of the ownership room."""

from collections import Counter
from typing import NamedTuple
from uuid import UUID

from app.kit.ids import ChatId, VisitorId

Counts = Counter[str]
"""What was deleted: chats, messages, sessions, visitors, keys (of Redis), checkpoints (rows of
LangGraph's tables) and orphans (such rows that were written after the first deletion)."""


class Forgotten(NamedTuple):
    """A deleted chat, and what may be left of it elsewhere."""

    chat_id: ChatId
    thread_id: UUID
    visitor_id: VisitorId | None
    is_cleared: bool  # everything was deleted once; what is there now was written late
    is_back: bool  # somebody has put the chat's row back since
