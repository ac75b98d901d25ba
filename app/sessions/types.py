"""Values of the sessions room that other rooms see."""

import datetime as dt
from typing import Any, NamedTuple

from app.kit.ids import ChatId, SessionId, UserId, VisitorId
from app.users.types import Owner


class Session(NamedTuple):
    session_id: SessionId
    chat_id: ChatId
    user_id: UserId | None
    visitor_id: VisitorId | None
    agent: str
    status: str
    metadata: dict[str, Any]
    created_at: dt.datetime
    expires_at: dt.datetime
    last_activity: dt.datetime
    request_count: int
    turn_count: int
    total_tokens: int
    seconds_left: float  # by the database's clock, when it was read
    idle_seconds: float  # since its last activity, likewise

    @property
    def owner(self) -> Owner:
        return Owner(self.user_id, self.visitor_id)


class Activity(NamedTuple):
    """What happened on a session, to be written behind."""

    session_id: SessionId
    requests: int = 0
    turns: int = 0
    tokens: int = 0
    slides: bool = False  # whether it moves the session's end


class NewSession(NamedTuple):
    """A session to be stored, with the chat and the visitor that begin with it, if any."""

    session_id: SessionId
    chat_id: ChatId
    user_id: UserId | None
    visitor_id: VisitorId | None
    agent: str
    metadata: str  # JSON
    new_chat: bool
    visitor_hash: bytes | None  # of the visitor's secret, for one that is not there yet
    idempotency_hash: bytes | None
