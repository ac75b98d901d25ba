"""Errors of the runs room."""

from app.kit.errors import AppError, Kind


class RunInProgress(AppError):
    """The chat is answering another message, and the query said not to wait."""

    code = "run_in_progress"
    kind = Kind.CONFLICT


class QueueFull(AppError):
    """As many messages as may wait are waiting in this chat."""

    code = "queue_full"
    kind = Kind.LIMITED


class TooManyRuns(AppError):
    """As many chats of this user as may be are being answered at the same time."""

    code = "too_many_runs"
    kind = Kind.LIMITED


class RunNotFound(AppError):
    """The chat has no such run, or none that could be stopped."""

    code = "run_not_found"
    kind = Kind.NOT_FOUND


class RunTimeout(AppError):
    """The run took longer than one run may."""

    code = "run_timeout"
    kind = Kind.UNAVAILABLE


class AnswerTooLong(AppError):
    """The agent wrote more than one answer may hold."""

    code = "answer_too_long"
    kind = Kind.INTERNAL


class TooManyAttempts(AppError):
    """The run failed with its node as often as a run may."""

    code = "too_many_attempts"
    kind = Kind.INTERNAL


class WrongAgent(AppError):
    """A chat keeps the agent it was started with; another agent needs another session."""

    code = "wrong_agent"
    kind = Kind.CONFLICT
