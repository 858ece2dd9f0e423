"""Works off a table of things to send: so many at a time, each outcome written down before it is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_LANDING_S = 2.0  # what is under way when the server stops may finish for so long

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Taken(Generic[Item]):
    """Items that are due. `pause_s`: after so long another one is, if that is known."""

    items: Sequence[Item] = ()
    pause_s: float | None = None


def nothing_until(due_ms: int | None, now_ms: int) -> Taken[Any]:
    """Nothing is due before a time; what is due already, others have, or it waits for what is under way."""
    return Taken(pause_s=(due_ms - now_ms) / 1000 if due_ms is not None and due_ms > now_ms else None)


class Line(Generic[Item, Done]):
    """`take` gives at most so many that are due; `settle` writes down what became of some, in one transaction.

    It looks for more when it was woken, something is done, or the next is due. `poll_interval_s`: no later than after
    so long, for others may have put something into the table.
    """

    def __init__(
        self,
        *,
        take: Callable[[int], Awaitable[Taken[Item]]],
        settle: Callable[[Sequence[Done]], Awaitable[None]],
        concurrency: int,
        poll_interval_s: float,
    ) -> None:
        self._take = take
        self._write = settle
        self._concurrency = concurrency
        self._poll_interval_s = poll_interval_s
        self._unsettled: list[Done] = []  # kept when the database is away for a while
        self._stirred = asyncio.Event()

    def wake(self) -> None:
        """Look into the table soon: something new was committed."""
        self._stirred.set()

    async def run(self, send: Callable[[Item], Coroutine[Any, Any, Done]]) -> None:
        """Send until cancelled; what is under way then gets a moment to finish."""
        under_way: set[asyncio.Task[Done]] = set()
        try:
            while True:
                self._stirred.clear()  # what comes from here on is either seen below, or wakes anew
                done = {task for task in under_way if task.done()}
                under_way -= done
                self._unsettled += [task.result() for task in done]
                await self._settle()  # at once, as a crash before that repeats them
                taken = await self._take(self._concurrency - len(under_way))
                for item in taken.items:
                    task = asyncio.create_task(send(item))
                    task.add_done_callback(lambda _: self._stirred.set())
                    under_way.add(task)
                if not taken.items:
                    await self._wait(taken.pause_s)
        finally:
            await self._land(under_way)

    async def _wait(self, pause_s: float | None) -> None:
        bound_s = self._poll_interval_s
        try:
            async with asyncio.timeout(bound_s if pause_s is None else min(bound_s, pause_s)):
                await self._stirred.wait()
        except TimeoutError:
            return

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
