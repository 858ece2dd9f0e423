"""Works off a table of things to send: so many at a time, each outcome written down before it is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Generic, TypeVar

_LANDING_S = 2.0  # what is under way when the server stops may finish for so long

Item = TypeVar("Item")
Done = TypeVar("Done")


class Line(Generic[Item, Done]):
    """`take` gives at most so many that are due; `settle` writes down what became of some, in one transaction."""

    def __init__(
        self,
        *,
        take: Callable[[int], Awaitable[Sequence[Item]]],
        settle: Callable[[Sequence[Done]], Awaitable[None]],
        concurrency: int,
        poll_interval_s: float,
    ) -> None:
        self._take = take
        self._write = settle
        self._concurrency = concurrency
        self._poll_interval_s = poll_interval_s
        self._unsettled: list[Done] = []  # kept when the database is away for a while

    async def run(self, send: Callable[[Item], Coroutine[Any, Any, Done]]) -> None:
        """Send until cancelled; what is under way then gets a moment to finish."""
        under_way: set[asyncio.Task[Done]] = set()
        try:
            while True:
                await self._settle()
                for item in await self._take(self._concurrency - len(under_way)):
                    under_way.add(asyncio.create_task(send(item)))
                done = await self._wait(under_way)
                under_way -= done
                self._unsettled += [task.result() for task in done]
        finally:
            await self._land(under_way)

    async def _wait(self, under_way: Collection[asyncio.Task[Done]]) -> set[asyncio.Task[Done]]:
        """Those that are done: to be noted at once, as a crash before that repeats them. More may come meanwhile."""
        if not under_way:
            await asyncio.sleep(self._poll_interval_s)
            return set()
        done, _ = await asyncio.wait(
            under_way, timeout=self._poll_interval_s, return_when=asyncio.FIRST_COMPLETED
        )
        return done

    async def _settle(self) -> None:
        if self._unsettled:
            await self._write(self._unsettled)
            self._unsettled = []

    async def _land(self, under_way: Collection[asyncio.Task[Done]]) -> None:
        """Let what is under way finish, and note it: it must not be sent again at the next start."""
        if under_way:
            done, pending = await asyncio.wait(under_way, timeout=_LANDING_S)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            self._unsettled += [task.result() for task in done]
        await self._settle()
