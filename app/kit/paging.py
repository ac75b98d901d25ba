"""Pages by keyset: a cursor says after which row the next page begins."""

import datetime as dt
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

from app.kit.errors import AppError, Kind

MAX_LIMIT = 200


class BadCursor(AppError):
    """The cursor or the limit of a page cannot be read."""

    code = "bad_cursor"
    kind = Kind.INVALID


class Cursor(NamedTuple):
    """Where a page ended: the sort key of its last row."""

    at: dt.datetime
    id: UUID

    def encode(self) -> str:
        text = f"{self.at.isoformat()}|{self.id}"
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(text: str | None) -> Cursor | None:
    """Read a cursor that ``Cursor.encode`` made.

    Raises:
        BadCursor: it was made by somebody else.
    """
    if not text:
        return None
    try:
        at, _, row_id = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
        instant = dt.datetime.fromisoformat(at)
        if instant.tzinfo is None:
            raise ValueError("a time without a zone")
        # in UTC, because an instant near the calendar's ends has none: no store can take it
        cursor = Cursor(instant.astimezone(dt.UTC), UUID(row_id))
    except (ValueError, OverflowError) as error:
        raise BadCursor("The cursor cannot be read; leave it out for the first page.") from error
    return cursor


def parse_limit(text: str | None, *, default: int) -> int:
    """Read a page's size, from 1 to ``MAX_LIMIT``.

    Raises:
        BadCursor: not such a number.
    """
    if not text:
        return default
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not (digits and 1 <= int(text) <= MAX_LIMIT):
        raise BadCursor(f"limit is a number from 1 to {MAX_LIMIT}.")
    return int(text)
