"""Errors of the agents room."""

from app.kit.errors import AppError, Kind


class NoAnswer(AppError):
    """The agent's graph ended and left nothing that could be its answer."""

    code = "no_answer"
    kind = Kind.INTERNAL


class BadModel(AppError):
    """``COLLOQUY_MODEL`` names a provider that is unknown or not installed."""

    code = "bad_model"
    kind = Kind.INVALID
