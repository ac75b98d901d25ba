"""Tables of the ownership room."""

import datetime as dt
from uuid import UUID

from sqlalchemy import false, func
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class ForgottenChat(Base):
    """A deleted chat of which something may be left in LangGraph's tables and in Redis.

    A trigger writes the row in the very transaction that deletes the chat, whoever does it:
    retention, a cascade from its owner's row, an operator by hand.
    """

    __tablename__ = "forgotten_chats"

    chat_id: Mapped[UUID] = mapped_column(primary_key=True)
    thread_id: Mapped[UUID]  # LangGraph's
    visitor_id: Mapped[UUID | None]  # who goes, too, if nothing of theirs is left
    is_cleared: Mapped[bool] = mapped_column(server_default=false())  # once; one look remains
    due_at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), index=True)
