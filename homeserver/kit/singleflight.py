"""Work that concurrent callers need and that is done once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Callers that come while the work for a key is running wait for its result.

    A cancelled caller does not cancel the work, as others may wait for it.
    """

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """The result of `work`; an exception is raised in every caller."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(_call(work))
            self._running[key] = task
            task.add_done_callback(lambda done: self._finish(key, done))
        return await asyncio.shield(task)

    def _finish(self, key: K, done: asyncio.Task[V]) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # retrieved, as every caller may be gone and asyncio would log it


async def _call(work: Callable[[], Awaitable[V]]) -> V:
    return await work()
