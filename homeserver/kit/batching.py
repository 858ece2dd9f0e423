"""Single questions answered by plural queries.

A message wakes everybody who waits in its room, and all of them ask the same about themselves at once. What is asked
while a query is under way, or in one turn of the loop, goes together into the next query.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BatchLoader(Generic[K, V]):
    """`ask` answers every key that it is given, at most `most` at once; it is called after the questions were asked."""

    def __init__(self, name: str, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], most: int) -> None:
        self._name = name
        self._ask = ask
        self._most = most
        self._asked: dict[K, asyncio.Future[V]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """The answer for one key; what `ask` raises, all who waited for it are told."""
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._run(), name=self._name)
        return await asyncio.shield(answer)  # others may wait for it too

    async def _run(self) -> None:
        try:
            while self._asked:
                await asyncio.sleep(0)  # whoever was woken together with us asks now
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
                answer.exception()  # who asked may be gone; that is no news for the loop
            if not isinstance(error, Exception):
                raise
            return
        for key, answer in waiting.items():
            answer.set_result(found[key])
