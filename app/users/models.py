"""Tables of the users room."""

import datetime as dt

from sqlalchemy import Identity, Integer, func, true
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    is_active: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
