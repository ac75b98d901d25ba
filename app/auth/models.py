"""Tables of the auth room."""

import datetime as dt
from uuid import UUID

from sqlalchemy import LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class Visitor(Base):
    """An anonymous browser, known by one cookie; only the cookie's hash is kept."""

    __tablename__ = "visitors"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
