"""The root of every error this service raises on purpose."""

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What the caller can do about it. Each edge maps a kind to its own vocabulary."""

    INVALID = "invalid"  # fix the request
    UNAUTHENTICATED = "unauthenticated"  # sign in
    FORBIDDEN = "forbidden"  # ask someone else
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"  # look again, then decide
    TOO_LARGE = "too_large"  # send less
    LIMITED = "limited"  # slow down
    UNAVAILABLE = "unavailable"  # wait, then retry
    INTERNAL = "internal"  # report it


class AppError(Exception):
    """An expected failure with a stable, documented code (``docs/errors.md``).

    Subclasses set ``code`` and ``kind``. ``message`` is for people and may be shown.
    ``context`` is logged, never sent: ids and sizes, no message text, no secrets.
    """

    code: ClassVar[str] = "internal"
    kind: ClassVar[Kind] = Kind.INTERNAL
    codes: ClassVar[dict[str, type["AppError"]]] = {}

    def __init_subclass__(cls) -> None:
        taken = AppError.codes.setdefault(cls.code, cls)
        if taken is not cls:
            raise TypeError(f"{cls.__name__} reuses code {cls.code!r} of {taken.__name__}")

    def __init__(
        self, message: str, *, retry_after_ms: int | None = None, **context: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.context = context

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later without being changed."""
        return self.kind in {Kind.LIMITED, Kind.UNAVAILABLE}


AppError.codes[AppError.code] = AppError


class Unavailable(AppError):
    """A store this service depends on does not answer; nothing was kept."""

    code = "unavailable"
    kind = Kind.UNAVAILABLE
