"""Tables of the auth room."""

import datetime as dt
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
)
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base


class Visitor(Base):
    """An anonymous browser, known by one cookie; only the cookie's hash is kept."""

    __tablename__ = "visitors"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class LocalAuth(Base):
    """The password of an account that has one."""

    __tablename__ = "local_auths"

    user_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    password_hash: Mapped[str] = mapped_column(Text)  # argon2id, in its own notation
    changed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class SocialAuth(Base):
    """Somebody whom a provider vouches for, and whose account that is here."""

    __tablename__ = "social_auths"
    __table_args__ = (
        Index("uq_social_auths_subject", "provider", "subject", unique=True),
        Index("ix_social_auths_user", "user_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(Text)  # google, …, external:<issuer>
    subject: Mapped[str] = mapped_column(Text)  # the provider's own name for the person
    email: Mapped[str | None] = mapped_column(Text)  # as the provider said, believed or not
    linked_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Login(Base):
    """One sign-in on one device. Only the token's hash is kept; signing out deletes the row."""

    __tablename__ = "logins"
    __table_args__ = (
        Index("uq_logins_token", "token_hash", unique=True),
        Index("ix_logins_user", "user_id"),
        Index("ix_logins_expiry", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[dt.datetime]


class MailToken(Base):
    """What a link in a mail proves: that its reader has the address. Used once."""

    __tablename__ = "mail_tokens"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify', 'reset')", name="purpose"),
        Index("ix_mail_tokens_user", "user_id"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(Integer, ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)  # which must still be the account's
    expires_at: Mapped[dt.datetime]
