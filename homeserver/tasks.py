"""Background tasks: every task has a name and an owner, and every crash is logged and counted.

Long-lived work (the appender, log consumers) is `start`ed and restarted after a crash, with growing delays; periodic
work is `repeat`ed. Short work that is not awaited is watched by `once`. `stop` cancels all tasks, the youngest first,
so that a task never outlives what it depends on.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from homeserver.errors import Unavailable
from homeserver.metrics import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 30.0
FIRST_ROUND_S = 15.0
STEADY_S = 60.0  # a task that ran this long without a crash is restarted with the first delay again


class Tasks:
    """The tasks of one server. `sleep` and `monotonic` can be replaced in tests."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._sleep = sleep
        self._monotonic = monotonic
        self._running: dict[
            asyncio.Task[Any], str
        ] = {}  # in the order of their start; also keeps them referenced
        self._stopping = False

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the running tasks, oldest first."""
        return tuple(self._running.values())

    def start(self, name: str, work: Callable[[], Awaitable[None]], *, restart: bool = True) -> None:
        """Run `work` until it returns or the server stops. With `restart` it is restarted after a crash.

        Raises ValueError if a task of this name is running, Unavailable if the server is stopping.
        """
        if self._stopping:
            raise Unavailable("the server is stopping")
        if name in self._running.values():
            raise ValueError(f"a task named {name} is running already")
        self._keep(name, self._supervise(name, work, restart=restart))

    def repeat(self, name: str, work: Callable[[], Awaitable[object]], *, every_s: float) -> None:
        """`start` periodic work. A server that has just started is busy, so the first run comes after FIRST_ROUND_S, or
        `every_s` if that is less."""

        async def run() -> None:
            await self._sleep(min(FIRST_ROUND_S, every_s))
            while True:
                await work()
                await self._sleep(every_s)

        self.start(name, run)

    def once(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` concurrently; the caller may await the task or ignore it: a crash is logged in any case.

        Several of one name may run; the caller bounds their number. Raises Unavailable if the server is stopping.
        """
        if self._stopping:
            work.close()
            raise Unavailable("the server is stopping")
        task = self._keep(name, work)
        task.add_done_callback(lambda done: self._report(name, done))
        return task

    async def stop(self, deadline_s: float) -> tuple[str, ...]:
        """Cancel all tasks, youngest first, awaiting each before the next. Returns the names of those still running.

        All together have `deadline_s`; after that the rest are cancelled without waiting.
        """
        self._stopping = True
        end = self._monotonic() + deadline_s
        for task, name in reversed(list(self._running.items())):
            task.cancel()
            left = end - self._monotonic()
            await asyncio.wait([task], timeout=max(left, 0.0))
            if not task.done():
                log.error("task %s did not stop in time", name)
        return self.running

    def _keep(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._running[task] = name
        task.add_done_callback(lambda done: self._running.pop(done, None))
        return task

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]], *, restart: bool) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            began = self._monotonic()
            try:
                await work()
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                crash: BaseException = (
                    error  # something that it waited for was cancelled, not the task itself
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and counted below
                crash = error
            else:
                log.debug("task %s is done", name)
                return
            self._metrics.task_failed(name)
            if _is_cancelled():
                log.error("task %s crashed while it was being stopped", name, exc_info=crash)
                return
            if not restart:
                log.error("task %s crashed and stays down", name, exc_info=crash)
                return
            if self._monotonic() - began >= STEADY_S:
                delay_s = FIRST_DELAY_S
            log.error("task %s crashed; it starts again in %.1f s", name, delay_s, exc_info=crash)
            await self._sleep(delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)
            self._metrics.task_restarted(name)

    def _report(self, name: str, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        if error := task.exception():
            self._metrics.task_failed(name)
            log.error("task %s crashed", name, exc_info=error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
