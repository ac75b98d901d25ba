"""Tables of the runs room."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class Run(Base):
    """The work done to answer one message, and who is doing it."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'waiting', 'completed', 'failed', 'cancelled')",
            name="status",
        ),
        Index(
            "uq_runs_one_running",
            "chat_id",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_runs_chat", "chat_id"),  # for deleting a chat
        Index(
            "ix_runs_open",
            "chat_id",
            "seq",
            postgresql_where=text("status IN ('queued', 'running', 'waiting')"),
        ),
        Index(
            "ix_runs_lease",
            "lease_until",
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_id: Mapped[UUID] = mapped_column(ForeignKey("chats.id", ondelete="CASCADE"))
    session_id: Mapped[str] = mapped_column(Text)  # whose message it answers; may be long gone
    message_id: Mapped[UUID]  # the question
    seq: Mapped[int]  # the question's number in the chat: runs of a chat go in this order
    answer_id: Mapped[UUID]  # the answer's id, fixed before the first word
    status: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    losses: Mapped[int] = mapped_column(Integer, server_default="0")  # of nodes that held it
    fence: Mapped[int] = mapped_column(server_default="0")  # of the last claim
    lease_owner: Mapped[str | None] = mapped_column(Text)  # a node
    lease_until: Mapped[dt.datetime | None]
    cancel_requested_at: Mapped[dt.datetime | None]
    error_code: Mapped[str | None] = mapped_column(Text)
    usage: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]


class ToolCall(Base):
    """A call of a tool that must not be made twice, noted before it began."""

    __tablename__ = "tool_calls"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    fence: Mapped[int]  # of the attempt that made it
    scope: Mapped[str] = mapped_column(Text)  # the step of the graph that a crash repeats
    call_id: Mapped[str] = mapped_column(Text)
    tool: Mapped[str] = mapped_column(Text)
    began_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[dt.datetime | None]
    result_type: Mapped[str | None] = mapped_column(Text)  # how the result is encoded
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
