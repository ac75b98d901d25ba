"""Time on the wire, and the system's clock."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.clock import SystemClock, wire_time

KST = dt.timezone(dt.timedelta(hours=9))


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05.000Z"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=dt.UTC), "2026-01-02T03:04:05.678Z"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=KST), "2026-01-01T18:04:05.000Z"),
    ],
    ids=["whole second", "microseconds are cut", "another zone"],
)
def test_times_on_the_wire_are_utc_with_milliseconds(instant: dt.datetime, written: str) -> None:
    assert wire_time(instant) == written


@given(
    st.datetimes(
        min_value=dt.datetime(1970, 1, 2),  # noqa: DTZ001 - the zone is drawn below
        max_value=dt.datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.timezones(),
    )
)
def test_a_time_on_the_wire_reads_back_to_the_millisecond(instant: dt.datetime) -> None:
    read = dt.datetime.fromisoformat(wire_time(instant))

    assert dt.timedelta(0) <= instant - read < dt.timedelta(milliseconds=1)


def test_the_system_clock_knows_its_zone_and_never_goes_back() -> None:
    clock = SystemClock()

    moments = [clock.monotonic() for _ in range(100)]

    assert clock.now().tzinfo is dt.UTC
    assert moments == sorted(moments)
