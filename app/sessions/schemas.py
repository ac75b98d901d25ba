"""What the HTTP API takes and says about sessions."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.kit.clock import wire_time
from app.sessions.types import Session


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    return text


class StartBody(BaseModel):
    """Unknown fields are ignored; known ones are never coerced."""

    model_config = ConfigDict(extra="ignore")

    agent: (
        Annotated[str, Field(strict=True, min_length=1, max_length=64), AfterValidator(_storable)]
        | None
    ) = None
    chat_id: UUID | None = None
    metadata: dict[str, Any] | None = None
    user_id: Annotated[int, Field(strict=True)] | None = None


class StartedView(BaseModel):
    session_id: str
    chat_id: str
    agent: str
    user_id: int | None
    created_at: str
    expires_at: str
    ttl_seconds: int
    ws_path: str
    token: str
    protocol: str


class ConnectionView(BaseModel):
    connection_id: str
    node: str
    tab: str | None


class SessionView(BaseModel):
    session_id: str
    chat_id: str
    agent: str
    user_id: int | None
    status: str
    metadata: dict[str, Any]
    created_at: str
    expires_at: str
    last_activity: str
    request_count: int
    turn_count: int
    total_tokens: int


class SessionStateView(SessionView):
    connections: list[ConnectionView]  # on all nodes, as far as they are known to be there
    live: bool | None  # whether anybody is connected; null: not known at the moment


class SessionsView(BaseModel):
    sessions: list[SessionView]


class TicketView(BaseModel):
    ticket: str
    expires_in: int  # seconds


class EndedView(BaseModel):
    session_id: str
    status: str


def session_fields(session: Session) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "chat_id": str(session.chat_id),
        "agent": session.agent,
        "user_id": session.user_id,
        "status": session.status,
        "metadata": session.metadata,
        "created_at": wire_time(session.created_at),
        "expires_at": wire_time(session.expires_at),
        "last_activity": wire_time(session.last_activity),
        "request_count": session.request_count,
        "turn_count": session.turn_count,
        "total_tokens": session.total_tokens,
    }
