"""Errors of the sessions room."""

from app.kit.errors import AppError, Kind


class SessionNotFound(AppError):
    """The session is unknown, expired, ended, or somebody else's: one answer for all."""

    code = "session_not_found"
    kind = Kind.NOT_FOUND


class UnknownAgent(AppError):
    """There is no agent of that name here, or the chat belongs to another one."""

    code = "unknown_agent"
    kind = Kind.INVALID


class BadRequest(AppError):
    """The request's body or headers cannot be read."""

    code = "bad_request"
    kind = Kind.INVALID
