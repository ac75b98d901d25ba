"""What the HTTP API takes and says about sessions."""

import math
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.kit.clock import wire_time
from app.sessions.types import Session

_METADATA_DEPTH = 32


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    return text


def _storable_json(metadata: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON parsers let through and Postgres or other parsers do not."""
    waiting: list[tuple[Any, int]] = [(metadata, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _METADATA_DEPTH:
            raise ValueError(f"must not be nested deeper than {_METADATA_DEPTH} levels")
        match value:
            case dict():
                waiting += [(key, depth) for key in value]
                waiting += [(inner, depth + 1) for inner in value.values()]
            case list():
                waiting += [(inner, depth + 1) for inner in value]
            case str():
                _storable(value)
            case float() if not math.isfinite(value):
                raise ValueError("must hold finite numbers only")
            case int() if not -(2**63) <= value < 2**63:
                raise ValueError("must hold no integer of more than 64 bits")
            case _:
                pass
    return metadata


class StartBody(BaseModel):
    """Unknown fields are ignored; known ones are never coerced."""

    model_config = ConfigDict(extra="ignore")

    agent: (
        Annotated[str, Field(strict=True, min_length=1, max_length=64), AfterValidator(_storable)]
        | None
    ) = None
    chat_id: UUID | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_storable_json)] | None = None
    user_id: Annotated[int, Field(strict=True)] | None = None


class ClaimBody(BaseModel):
    token: str = Field(max_length=200)
    """The session's own token, from the answer to its start."""


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
