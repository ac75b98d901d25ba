"""Cursors and page sizes: what we made is read back, everything else is refused."""

import datetime as dt
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.errors import AppError
from app.kit.ids import uuid7
from app.kit.paging import MAX_LIMIT, BadCursor, Cursor, parse_cursor, parse_limit


def packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(
    at=st.datetimes(
        min_value=dt.datetime(2000, 1, 1),  # noqa: DTZ001 - the zone is drawn below
        timezones=st.just(dt.UTC),
    ),
    row_id=st.uuids(),
)
def test_a_cursor_is_read_back_as_it_was(at: dt.datetime, row_id: object) -> None:
    cursor = Cursor(at, row_id)  # type: ignore[arg-type]

    assert parse_cursor(cursor.encode()) == cursor


@pytest.mark.parametrize("text", [None, ""])
def test_no_cursor_is_the_first_page(text: str | None) -> None:
    assert parse_cursor(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "é",
        "a" * 100_000,
        packed("2026-01-01T00:00:00+00:00"),
        packed(f"2026-01-01T00:00:00|{uuid7()}"),
        packed(f"soon|{uuid7()}"),
        packed("2026-01-01T00:00:00+00:00|7"),
        packed(f"0001-01-01T00:00:00+23:59|{uuid7()}"),
        packed(f"9999-12-31T23:59:59-23:59|{uuid7()}"),
    ],
    ids=[
        "too short",
        "not ASCII",
        "long",
        "no row",
        "no zone",
        "no time",
        "no id",
        "before the calendar",
        "after the calendar",
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(text: str) -> None:
    """A time that has no UTC passed here once, and failed in the database as a 500."""
    with pytest.raises(BadCursor):
        parse_cursor(text)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        parse_cursor(text)
    except AppError as error:
        assert isinstance(error, BadCursor)  # noqa: PT017 - either way is right


@pytest.mark.parametrize(
    ("text", "limit"), [(None, 30), ("", 30), ("1", 1), ("200", MAX_LIMIT), ("007", 7)]
)
def test_a_page_size_is_read_or_the_default(text: str | None, limit: int) -> None:
    assert parse_limit(text, default=30) == limit


@pytest.mark.parametrize(
    "text", ["0", "201", "-1", "+1", " 1", "1.0", "١", "x", "000001999", "000001" + "9" * 10_000]
)
def test_a_page_size_out_of_range_is_refused(text: str) -> None:
    """Only six digits were looked at once: ``000001999`` asked for 1,999 rows."""
    with pytest.raises(BadCursor):
        parse_limit(text, default=30)
