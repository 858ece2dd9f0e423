"""Request coalescing (as in DataLoader): concurrent loads of single keys share one plural query.

A message wakes every long poll of its room, and all of them load the same for their own user at once. Keys that are
requested while a query runs, or in one turn of the event loop, go together into the next query.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchLoader(Generic[K, V]):
    """Loads values by key. `ask` loads all keys that it is given, at most `most` per call; it runs after `get` was
    called, so its result is never older than the call."""

    def __init__(self, name: str, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], most: int) -> None:
        self._name = name
        self._ask = ask
        self._most = most
        self._asked: dict[K, asyncio.Future[V]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """The value of one key. An exception of `ask` is raised in every caller of its batch."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._run(), name=self._name)
        return await asyncio.shield(answer)  # other callers may wait for it too

    async def _run(self) -> None:
        try:
            while self._asked:
                await asyncio.sleep(0)  # tasks woken at the same time add their keys now
                await self._answer()
        finally:
            self._asking = None

    async def _answer(self) -> None:
        keys = list(self._asked)[: self._most]
        waiting = {key: self._asked.pop(key) for key in keys}
        try:
            found = await self._ask(keys)
        except BaseException as error:
            for answer in waiting.values():
                answer.set_exception(error)
                answer.exception()  # retrieved, as all callers may be gone and asyncio would log it
            if not isinstance(error, Exception):
                raise
            return
        for key, answer in waiting.items():
            answer.set_result(found[key])
