"""Shares: how many of something one user or address may have in progress at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from homeserver.errors import RateLimited

_RETRY_MS = 2000


class Shares:
    """Counts what is in progress by key, so that nobody takes all the places. `what`: named in the refusal."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, key: str) -> Iterator[None]:
        """Within the context, one more of `key`. Raises RateLimited("busy"); an empty key is not counted."""
        if not key:
            yield
            return
        if self._taken[key] >= self._most:
            raise RateLimited(f"too many {self._what} at once", retry_ms=_RETRY_MS, code="busy")
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
