"""The time, as a dependency that tests can replace."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time in milliseconds since 1970 (UTC); not for measuring short durations."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The system clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class FakeClock:
    """A clock for tests: stands still until it is advanced."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, ms: int) -> None:
        """Advance by `ms` milliseconds."""
        self._now_ms += ms
