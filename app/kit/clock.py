"""The only module that reads the system clock."""

import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Wall-clock time, timezone-aware, UTC. For records and display."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back. For TTLs, timeouts and rates."""
        ...


class SystemClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def wire_time(instant: dt.datetime) -> str:
    """Return ``instant`` as RFC 3339 UTC with ``Z`` and milliseconds."""
    text = instant.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
