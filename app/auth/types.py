"""Values of the auth room that other rooms see."""

import datetime as dt
from typing import NamedTuple

from app.kit.ids import LoginId, SessionId, UserId, VisitorId
from app.users.types import Owner


class Login(NamedTuple):
    """A sign-in that is good: of an active account, neither ended nor expired."""

    id: LoginId
    user_id: UserId
    expires_at: dt.datetime
    seconds_left: float  # by the database's clock, when it was read


class SessionToken(NamedTuple):
    """What a session's own token says: whose it is, and under which sign-in it was given out."""

    session_id: SessionId
    login_id: LoginId | None  # None: to an anonymous visitor


class Caller(NamedTuple):
    """What a request proved about who sends it."""

    owner: Owner | None = None  # the user who signed in, or else the visitor of the cookie
    token: SessionToken | None = None  # a session's own, under a sign-in that still is good
    address: str = ""  # of the client, as far as proxies can be believed
    visitor_id: VisitorId | None = None  # of the cookie, signed in or not
    login: Login | None = None


class Person(NamedTuple):
    """What a provider says of somebody."""

    subject: str  # the provider's own name for them: unique there, and for good
    email: str | None = None
    email_verified: bool = False  # whether the provider has made sure that it is theirs
    name: str | None = None


class Linked(NamedTuple):
    """A provider that an account is linked with."""

    provider: str
    email: str | None
    linked_at: dt.datetime
