"""A bounded LRU cache that does not store values that were invalidated while they were loaded."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Keeps the most recently used entries.

    Read `age` before loading a value from the database and pass it to `put`: if anything was dropped in between, the
    value may have been read before the change, and is not stored. `weigh` tells the bytes of a value, where all values
    together are bounded by `max_bytes` as well.
    """

    def __init__(
        self, max_entries: int, *, max_bytes: int = 0, weigh: Callable[[V], int] = lambda _value: 0
    ) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._weigh = weigh
        self.bytes = 0
        self.age = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, or None; marks the entry as recently used."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V, age: int | None = None) -> None:
        """Store a value that was loaded at `age` (None: it cannot be out of date)."""
        if age is not None and age != self.age:
            return
        self._remove(key)
        size = self._weigh(value)
        if size > self._max_bytes > 0:
            return  # all others would have to go for it
        self._entries[key] = value
        self.bytes += size
        while len(self._entries) > self._max_entries or self.bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= self._weigh(oldest)

    def drop(self, key: K) -> None:
        """Drop an entry that changed; values that are being loaded now will not be stored."""
        self.age += 1
        self._remove(key)

    def drop_where(self, fits: Callable[[K, V], bool]) -> None:
        """Drop all entries for which `fits` is true; values that are being loaded now will not be stored. O(n)."""
        self.age += 1
        for key in [key for key, value in self._entries.items() if fits(key, value)]:
            self._remove(key)

    def clear(self) -> None:
        """Drop all entries."""
        self.age += 1
        self._entries.clear()
        self.bytes = 0

    def _remove(self, key: K) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self.bytes -= self._weigh(value)
