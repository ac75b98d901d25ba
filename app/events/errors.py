"""Errors of the events room."""

from app.kit.errors import AppError, Kind


class StaleFence(AppError):
    """A newer owner has taken the chat's run over: whoever gets this must stop writing."""

    code = "stale_fence"
    kind = Kind.CONFLICT
