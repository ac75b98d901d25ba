"""Errors of the gateway, and how errors become replies."""

from typing import Any

from app.kit.errors import AppError, Kind


class NotNow(AppError):
    """A frame that is not expected at this point of a connection's life."""

    code = "unexpected_frame"
    kind = Kind.INVALID


def error_reply(error: AppError, ref: str | None) -> dict[str, Any]:
    """Return the reply to a command that failed; the connection lives on."""
    reply: dict[str, Any] = {
        "type": "error",
        "id": ref,
        "code": error.code,
        "message": error.message,
        "temporary": error.temporary,
    }
    if error.retry_after_ms is not None:
        reply["retry_after_ms"] = error.retry_after_ms
    return reply
