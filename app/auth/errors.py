"""Errors of the auth room."""

from app.kit.errors import AppError, Kind


class Unauthenticated(AppError):
    """The credential is missing, wrong, used or expired."""

    code = "unauthenticated"
    kind = Kind.UNAUTHENTICATED


class Forbidden(AppError):
    """Known, but not allowed."""

    code = "forbidden"
    kind = Kind.FORBIDDEN
