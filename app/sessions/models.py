"""Tables of the sessions room."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class Session(Base):
    """One client's engagement with one chat. Never outlives ``expires_at``."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, visitor_id) = 1", name="one_owner"),
        CheckConstraint("status IN ('active', 'paused', 'completed', 'expired')", name="status"),
        Index("ix_sessions_user_recent", "user_id", "created_at"),
        Index("ix_sessions_visitor_recent", "visitor_id", "created_at"),
        Index("ix_sessions_chat", "chat_id", "created_at"),
        Index(
            "ix_sessions_live_expiry",
            "expires_at",
            postgresql_where=text("status IN ('active', 'paused')"),
        ),
        Index(
            "ix_sessions_over",
            "expires_at",
            postgresql_where=text("status IN ('completed', 'expired')"),
        ),
        Index(
            "uq_sessions_idempotency",
            "idempotency_hash",
            unique=True,
            postgresql_where=text("idempotency_hash IS NOT NULL"),
        ),
    )

    session_id: Mapped[str] = mapped_column(Text, primary_key=True)
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("users.id", ondelete="CASCADE"))
    visitor_id: Mapped[UUID | None] = mapped_column(ForeignKey("visitors.id", ondelete="CASCADE"))
    agent: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="active")
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    idempotency_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[dt.datetime]
    last_activity: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    request_count: Mapped[int] = mapped_column(server_default="0")
    turn_count: Mapped[int] = mapped_column(server_default="0")
    total_tokens: Mapped[int] = mapped_column(server_default="0")
