"""Tables of the events room."""

import datetime as dt
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class Outbox(Base):
    """A durable event that is committed and perhaps not yet in the log."""

    __tablename__ = "outbox"

    chat_id: Mapped[UUID] = mapped_column(
        ForeignKey("chats.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True)  # 1, 2, 3, … within the chat
    fence: Mapped[int]  # of the run it tells about; 0: of no run
    payload: Mapped[bytes] = mapped_column(LargeBinary)  # the encoded event
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), index=True)
