"""Errors of the limits room."""

from app.kit.errors import AppError, Kind


class RateLimited(AppError):
    """Too much of something in too short a time: frames, commands in work, messages, sessions
    or connections.
    """

    code = "rate_limited"
    kind = Kind.LIMITED
