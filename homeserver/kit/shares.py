"""Shares: how many of something one user or address may have in progress at once."""

from collections import Counter

from homeserver.errors import RateLimited

_RETRY_MS = 2000


class Shares:
    """Counts what is in progress by key, so that nobody takes all the places. `what`: named in the refusal."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._taken: Counter[str] = Counter()

    def take(self, key: str) -> "_Share":
        """A context: within it, one more of `key`. Raises RateLimited("busy"); an empty key is not counted."""
        return _Share(self, key)

    def add(self, key: str) -> None:
        """Count one more of `key`. Raises RateLimited("busy")."""
        if self._taken[key] >= self._most:
            raise RateLimited(f"too many {self._what} at once", retry_ms=_RETRY_MS, code="busy")
        self._taken[key] += 1

    def remove(self, key: str) -> None:
        """Count one less of `key`."""
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


class _Share:
    """One place in Shares while its context lasts. Every request enters two: a class is cheaper than a generator."""

    __slots__ = ("_key", "_shares")

    def __init__(self, shares: Shares, key: str) -> None:
        self._shares = shares
        self._key = key

    def __enter__(self) -> None:
        if self._key:
            self._shares.add(self._key)

    def __exit__(self, *_: object) -> None:
        if self._key:
            self._shares.remove(self._key)
