"""A cache with a fixed number of places that does not keep what was out of date before it arrived."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Keeps the entries that were used last.

    Whoever fills it from the database notes `age` before the look and passes it to `put`: if anything was
    dropped in between, the look may have been before the change, and the entry is not kept.
    """

    def __init__(self, max_entries: int) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._max_entries = max_entries
        self.age = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, or None; what is used stays longer."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V, age: int | None = None) -> None:
        """Keep a value that was looked up at `age` (None: it cannot be out of date)."""
        if age is not None and age != self.age:
            return
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget what changed, and whatever is being looked up now."""
        self.age += 1
        self._entries.pop(key, None)

    def drop_where(self, fits: Callable[[K, V], bool]) -> None:
        """Forget all entries of which `fits` says so, and whatever is being looked up now; looks at every one."""
        self.age += 1
        for key in [key for key, value in self._entries.items() if fits(key, value)]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything."""
        self.age += 1
        self._entries.clear()
