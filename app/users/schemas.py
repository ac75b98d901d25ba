"""Accounts on the wire."""

import re
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, Field

from app.kit.clock import wire_time
from app.users.types import User

_LANGUAGE = re.compile(r"(|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})")  # RFC 5646, its usual part
_SECRETS = 1_024  # characters; longer ones are no passwords, and are not worth hashing


def _is_locale(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("is a language tag, such as en or ko-KR")
    return value


def _is_timezone(value: str) -> str:
    if value and value not in available_timezones():
        raise ValueError("is a time zone's name, such as Asia/Seoul")
    return value


def _is_web_address(value: str) -> str:
    if value and not (value.startswith("https://") and value.isprintable() and " " not in value):
        raise ValueError("is an address that begins with https://, and holds no blanks")
    return value


def _is_one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds what cannot be shown")
    return value.strip()


Name = Annotated[str, Field(max_length=100), AfterValidator(_is_one_line)]
Secret = Annotated[str, Field(max_length=_SECRETS)]
Email = Annotated[str, Field(max_length=254)]


class UserView(BaseModel):
    user_id: int
    email: str | None
    email_verified: bool
    display_name: str | None
    locale: str | None
    timezone: str | None
    avatar_url: str | None
    created_at: str


class ProfileBody(BaseModel):
    """What is left out stays; an empty text takes a value away."""

    display_name: Name | None = None
    locale: Annotated[str, Field(max_length=35), AfterValidator(_is_locale)] | None = None
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_is_timezone)] | None = None
    avatar_url: Annotated[str, Field(max_length=500), AfterValidator(_is_web_address)] | None = None


class DeleteBody(BaseModel):
    password: Secret = ""


def user_fields(user: User) -> dict[str, Any]:
    return {
        "user_id": user.id,
        "email": user.email,
        "email_verified": user.email_verified_at is not None,
        "display_name": user.display_name,
        "locale": user.locale,
        "timezone": user.timezone,
        "avatar_url": user.avatar_url,
        "created_at": wire_time(user.created_at),
    }


def user_view(user: User) -> UserView:
    return UserView(**user_fields(user))
