"""The time, as something that can be handed in and faked."""

import time
from typing import Protocol


class Clock(Protocol):
    """Milliseconds since 1970 (UTC), never used to measure short spans."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class FakeClock:
    """A clock for tests: stands still until it is moved."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, ms: int) -> None:
        """Move on by so many milliseconds."""
        self._now_ms += ms
