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


class ToolInterrupted(AppError):
    """The node died during a tool's call, and nobody knows whether the call took effect. It is
    not repeated.
    """

    code = "tool_interrupted"
    kind = Kind.INTERNAL


class ToolNotAwaited(AppError):
    """The agent calls a tool with effects in a way that holds up its whole node: with
    ``invoke`` in an ``async`` function.
    """

    code = "tool_not_awaited"
    kind = Kind.INTERNAL
