"""Values of the auth room that other rooms see."""

from typing import NamedTuple

from app.kit.ids import SessionId
from app.users.types import Owner


class Caller(NamedTuple):
    """What a request proved about who sends it."""

    owner: Owner | None = None  # a visitor's or a user's cookie
    session_id: SessionId | None = None  # a session's own token
    address: str = ""  # of the client, as far as proxies can be believed
