"""Tables of the chats room."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class Chat(Base):
    """A conversation a person returns to. Its row is also the lock that orders what
    happens in it: messages, runs and durable events take their numbers here.
    """

    __tablename__ = "chats"
    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, visitor_id) = 1", name="one_owner"),
        Index("ix_chats_user_recent", "user_id", "updated_at", "id"),
        Index("ix_chats_visitor_recent", "visitor_id", "updated_at", "id"),
        Index(
            "ix_chats_empty",
            "created_at",
            "id",
            postgresql_where=text("message_count = 0 AND user_id IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("users.id", ondelete="CASCADE"))
    visitor_id: Mapped[UUID | None] = mapped_column(ForeignKey("visitors.id", ondelete="CASCADE"))
    agent: Mapped[str] = mapped_column(Text)
    thread_id: Mapped[UUID]  # LangGraph's; at first the chat's own id
    title: Mapped[str | None] = mapped_column(Text)
    message_count: Mapped[int] = mapped_column(server_default="0")  # also the last message's seq
    fence: Mapped[int] = mapped_column(server_default="0")  # grows with every claim of a run
    outbox_seq: Mapped[int] = mapped_column(server_default="0")  # the last durable event's number
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'assistant')", name="role"),
        CheckConstraint("status IN ('complete', 'stopped', 'failed')", name="status"),
        UniqueConstraint("chat_id", "seq"),
        UniqueConstraint("chat_id", "client_message_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="CASCADE"))
    seq: Mapped[int]  # 1, 2, 3, … within the chat
    role: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    run_id: Mapped[UUID]  # the run that answers it, or that wrote it
    client_message_id: Mapped[str | None] = mapped_column(Text)
    citations: Mapped[list[Any] | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
