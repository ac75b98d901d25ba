"""Values of the users room that other rooms see."""

import datetime as dt
from typing import Literal, NamedTuple

from app.kit.ids import UserId, VisitorId

Actor = Literal["user", "operator", "nobody"]


class Owner(NamedTuple):
    """Who a session or a chat belongs to: a user, or an anonymous visitor. Exactly one."""

    user_id: UserId | None
    visitor_id: VisitorId | None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None


class User(NamedTuple):
    """An account and its profile."""

    id: UserId
    email: str | None
    email_verified_at: dt.datetime | None
    is_active: bool
    created_at: dt.datetime
    display_name: str | None
    locale: str | None
    timezone: str | None
    avatar_url: str | None


class Profile(NamedTuple):
    """What a person may say of themselves; None leaves a field as it is, ``""`` empties it."""

    display_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    avatar_url: str | None = None
