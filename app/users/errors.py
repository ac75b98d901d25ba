"""Errors of the users room."""

from app.kit.errors import AppError, Kind


class UserNotFound(AppError):
    """There is no such account."""

    code = "user_not_found"
    kind = Kind.NOT_FOUND


class EmailTaken(AppError):
    """Another account has this e-mail address."""

    code = "email_taken"
    kind = Kind.CONFLICT
