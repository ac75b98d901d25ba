"""Why the server ends a connection, and whether the client should come back."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_name("close_codes.json")


class Close(NamedTuple):
    """A close code and its reason.

    The hundreds tell the client what to do (``close_codes.json``, which clients, docs and
    tests read too). ``reason`` is for people and logs, or a small JSON object, and stays
    under 124 bytes (RFC 6455, section 5.5).
    """

    code: int
    reason: str = ""


DONE = Close(1000, "done")
PROTOCOL_ERROR = Close(4000, "protocol error")
UNAUTHENTICATED = Close(4001, "unauthenticated")
FORBIDDEN = Close(4003, "forbidden")
SESSION_NOT_FOUND = Close(4004, "session not found or expired")
VERSION = Close(4005, "unknown protocol version")
SUPERSEDED = Close(4006, "superseded by the same tab")
FRAME_TOO_LARGE = Close(4009, "frame too large")
SESSION_ENDED = Close(4010, "session ended")
TOO_MANY_CONNECTIONS = Close(4029, "too many connections")
INTERNAL = Close(4100, "internal error")
CREDENTIALS_AGED = Close(4101, "credentials aged out")
STORAGE_UNAVAILABLE = Close(4103, "storage unavailable")
HELLO_TIMEOUT = Close(4108, "no hello in time")
TOO_SLOW = Close(4109, "too slow")
NO_CONTINUITY = Close(4110, "continuity cannot be proved")
NO_PONG = Close(4111, "no pong")


def rate_limited(retry_after_ms: int) -> Close:
    return Close(4129, json.dumps({"retry_after_ms": retry_after_ms}))


def draining(delay_ms: int) -> Close:
    return Close(4200, json.dumps({"delay_ms": delay_ms}))


@cache
def close_table() -> dict[int, dict[str, Any]]:
    """Return the table of close codes, by code."""
    return {row["code"]: row for row in json.loads(TABLE.read_text(encoding="utf-8"))["codes"]}


class ConnectionEnded(Exception):
    """The server ended this connection; ``close`` says why."""

    def __init__(self, close: Close) -> None:
        super().__init__(f"{close.code} {close.reason}")
        self.close = close
