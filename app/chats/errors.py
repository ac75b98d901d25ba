"""Errors of the chats room."""

from app.kit.errors import AppError, Kind


class ChatNotFound(AppError):
    """No such chat, or not this caller's: the answer is the same for both."""

    code = "chat_not_found"
    kind = Kind.NOT_FOUND


class IdempotencyConflict(AppError):
    """The same id or key was used before for something else."""

    code = "idempotency_conflict"
    kind = Kind.CONFLICT
