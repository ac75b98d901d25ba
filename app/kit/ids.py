"""Identifiers. Each noun has its own type, so the type checker refuses a mix-up."""

import os
import secrets
import time
import uuid
from typing import NewType
from uuid import UUID

UserId = NewType("UserId", int)
VisitorId = NewType("VisitorId", UUID)  # an anonymous browser
LoginId = NewType("LoginId", UUID)  # one sign-in on one device
ChatId = NewType("ChatId", UUID)  # the conversation a person returns to; kept until deleted
SessionId = NewType("SessionId", str)  # one client's engagement; gone when its TTL runs out
MessageId = NewType("MessageId", UUID)
RunId = NewType("RunId", UUID)
ConnectionId = NewType("ConnectionId", str)  # one open socket
NodeId = NewType("NodeId", str)  # one server process

_SESSION_PREFIX = "session-"


def uuid7() -> UUID:
    """Return a time-ordered UUID, version 7 (RFC 9562, section 5.7).

    48 bits of milliseconds, then 74 random bits; ids made within one millisecond are
    not ordered among themselves. Python has its own from 3.14 on.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return UUID(int=value)


def new_visitor_id() -> VisitorId:
    return VisitorId(uuid7())


def new_login_id() -> LoginId:
    return LoginId(uuid7())


def new_chat_id() -> ChatId:
    return ChatId(uuid7())


def new_message_id() -> MessageId:
    return MessageId(uuid7())


def new_run_id() -> RunId:
    return RunId(uuid7())


def new_session_id() -> SessionId:
    """122 random bits: an anonymous session's id alone opens its socket."""
    return SessionId(f"{_SESSION_PREFIX}{uuid.uuid4()}")


def new_connection_id() -> ConnectionId:
    return ConnectionId(f"conn_{secrets.token_urlsafe(12)}")


def new_node_id() -> NodeId:
    return NodeId(f"n_{secrets.token_hex(4)}")


def parse_session_id(text: str) -> SessionId | None:
    """Return ``text`` as a session id in its one spelling, or None if it is not one."""
    value = parse_uuid(text.removeprefix(_SESSION_PREFIX))
    if value is None or text != f"{_SESSION_PREFIX}{value}":
        return None
    return SessionId(text)


def parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def short(secret: str) -> str:
    """Return the tail of an id that counts as a secret, fit for a log line."""
    return f"…{secret[-6:]}"
