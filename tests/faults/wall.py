"""A process's time of day, which somebody else can move while it runs."""

import datetime as dt
import os
import time
from pathlib import Path

_BYTES = 32
_time, _time_ns = time.time, time.time_ns


class WallClock:
    """The system's clock, except that the time of day is off by what a file says.

    Args:
        file: whoever moves the clock writes it, whoever goes by the clock reads it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._open: int | None = None

    def move(self, seconds: int) -> None:
        """Have it off by so much from now on."""
        place = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(place, str(seconds).encode().ljust(_BYTES), 0)  # whole or not at all
        os.close(place)

    @property
    def off(self) -> int:
        """Seconds by which it is ahead."""
        if self._open is None:
            self._open = os.open(self.file, os.O_RDONLY)
        return int(os.pread(self._open, _BYTES, 0))

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(_time() + self.off, dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def rule(self) -> None:
        """Have everything in this process that asks ``time`` for the time of day go by it."""
        time.time = lambda: _time() + self.off
        time.time_ns = lambda: _time_ns() + self.off * 10**9
