"""Tables of the users room."""

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Integer, Text, func, true
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class User(Base):
    """A person who has signed up, or whom another login vouches for."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("type IN ('person', 'external')", name="type"),
        Index("uq_users_email", "email", unique=True),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    email: Mapped[str | None] = mapped_column(Text)  # folded to lower case
    email_verified_at: Mapped[dt.datetime | None]
    type: Mapped[str] = mapped_column(Text, server_default="person")
    is_active: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class UserProfile(Base):
    """What a person says of themselves."""

    __tablename__ = "user_profiles"

    user_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    display_name: Mapped[str | None] = mapped_column(Text)
    locale: Mapped[str | None] = mapped_column(Text)  # BCP 47
    timezone: Mapped[str | None] = mapped_column(Text)  # IANA
    avatar_url: Mapped[str | None] = mapped_column(Text)


class AuditEntry(Base):
    """Who did what to whose account, and when. No content, and no foreign keys: an entry
    outlives the account it tells of.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_user", "user_id", "at"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str] = mapped_column(Text)  # user, operator, nobody
    action: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(Integer)  # whose account
    address: Mapped[str | None] = mapped_column(Text)  # of the client
