"""Works off a queue with bounded concurrency; each outcome is stored before it leaves memory."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Unavailable
from homeserver.outbox.queue import Queue
from homeserver.storage.outbox import Claim, Key, Postponed

logger = logging.getLogger(__name__)
_LANDING_S = 2.0  # seconds that tries in progress may take to finish when the server stops

Job = TypeVar("Job")


class SendResult(StrEnum):
    """Result of a try."""

    SENT = "sent"
    GONE = "gone"  # the destination accepts nothing any more
    AGAIN = "again"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Tried:
    """A finished try. For AGAIN: retried no earlier than `wait_ms` (if the destination gave a time), and not after
    `until_ms`.

    `also`: further items of the destination sent with it; they are finished too unless the fate is AGAIN.
    """

    result: SendResult
    wait_ms: int = 0
    until_ms: int | None = None
    also: Collection[Key] = ()


@dataclass(frozen=True, slots=True)
class Prepared(Generic[Job]):
    """Jobs by their claims. `later`: claims that cannot be prepared now; they are due again after the lease.

    Claims that are in neither are dropped.
    """

    jobs: Sequence[tuple[Claim, Job]] = ()
    later: Collection[Key] = ()


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Job]):
    """The result of a job."""

    claim: Claim
    job: Job
    result: SendResult
    due_ms: int = 0
    also: Collection[Key] = ()


class Sending(ABC, Generic[Job]):
    """What a kind of outgoing request implements."""

    @abstractmethod
    async def prepare(self, claims: Sequence[Claim]) -> Prepared[Job]:
        """Make the jobs to send now; checks again which recipients may still get them."""

    @abstractmethod
    async def send(self, job: Job) -> Tried:
        """Send a job. Errors of the destination are a Tried; any exception counts as a failed try."""

    async def obsolete(self) -> Collection[Key]:
        """Items that need not be sent any more; called at each look into the queue while it is not empty."""
        return ()

    async def settled(self, conn: AsyncConnection, outcomes: Sequence[Outcome[Job]]) -> None:
        """Store further consequences of outcomes, in the transaction in which the queue settles them."""


class Worker(Generic[Job]):
    """Sends what is due. `tried` is told the result of every try, for the metrics.

    The queue is read when the worker is woken, a job is done, or the next item is due. `poll_interval_s`: the longest
    pause between reads, as other workers may have added items.
    """

    def __init__(
        self,
        queue: Queue,
        sending: Sending[Job],
        *,
        concurrency: int,
        poll_interval_s: float,
        tried: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._sending = sending
        self._concurrency = concurrency
        self._poll_interval_s = poll_interval_s
        self._tried = tried
        self._unsettled: list[Outcome[Job]] = []  # kept while the database is unavailable
        self._stirred = asyncio.Event()

    def wake(self) -> None:
        """Read the queue soon: new items were committed."""
        self._stirred.set()

    async def run(self) -> None:
        """Send until cancelled; jobs in progress then get a moment to finish."""
        under_way: set[asyncio.Task[Outcome[Job]]] = set()
        try:
            while True:
                self._stirred.clear()  # whatever is set from here on is either handled below, or wakes the next round
                done = {task for task in under_way if task.done()}
                under_way -= done
                self._unsettled += [task.result() for task in done]
                await self._settle()  # at once, as a crash before that repeats them
                jobs, pause_s = await self._take(self._concurrency - len(under_way))
                for claim, job in jobs:
                    task = asyncio.create_task(self._send(claim, job))
                    task.add_done_callback(lambda _: self._stirred.set())
                    under_way.add(task)
                if not jobs:
                    await self._wait(pause_s)
        finally:
            await self._land(under_way)

    async def _take(self, most: int) -> tuple[Sequence[tuple[Claim, Job]], float | None]:
        """Due jobs; without any, the seconds until the next read of the queue, if known."""
        next_ms = await self._queue.next_due_ms()
        if next_ms is None:
            return (), None
        await self._queue.drop(await self._sending.obsolete())
        due = await self._queue.claim(most, next_ms)
        if not due.claims:
            return (), due.pause_s
        prepared = await self._prepare(due.claims)
        wanted = {claim.key for claim, _ in prepared.jobs} | set(prepared.later)
        await self._queue.drop([one.key for one in due.claims if one.key not in wanted])
        return prepared.jobs, due.pause_s

    async def _prepare(self, claims: Sequence[Claim]) -> Prepared[Job]:
        """Prepare all claims together; if that fails, one by one, so that one bad item does not block the rest."""
        try:
            return await self._sending.prepare(claims)
        except Unavailable:  # the database is down, which is no fault of an item
            raise
        except Exception:
            logger.exception("%d items cannot be prepared together", len(claims))
        jobs: list[tuple[Claim, Job]] = []
        later: list[Key] = []
        for claim in claims:
            try:
                found = await self._sending.prepare([claim])
            except Unavailable:
                raise
            except Exception:
                logger.exception("an item of %s cannot be prepared", claim.key.destination)
                await self._set_aside(claim)
                later.append(claim.key)
            else:
                jobs += found.jobs
                later += found.later
        return Prepared(jobs, later)

    async def _set_aside(self, claim: Claim) -> None:
        """Count a failed try for an item that cannot be prepared."""
        due_ms = self._queue.again_ms(claim)
        self._tried((SendResult.DROPPED if due_ms is None else SendResult.AGAIN).value)
        if due_ms is None:
            await self._queue.settle([claim.key], [])
        else:
            await self._queue.settle([], [Postponed(claim, due_ms)])

    async def _send(self, claim: Claim, job: Job) -> Outcome[Job]:
        try:
            tried = await self._sending.send(job)
        except Exception:  # one bad item must not block the rest
            logger.exception("an item of %s cannot be sent", claim.key.destination)
            tried = Tried(SendResult.AGAIN)
        if tried.result is not SendResult.AGAIN:
            return Outcome(claim, job, tried.result, also=tried.also)
        due_ms = self._queue.again_ms(claim, wait_ms=tried.wait_ms, until_ms=tried.until_ms)
        if due_ms is None:
            return Outcome(claim, job, SendResult.DROPPED)
        return Outcome(claim, job, SendResult.AGAIN, due_ms)

    async def _wait(self, pause_s: float | None) -> None:
        bound_s = self._poll_interval_s
        try:
            async with asyncio.timeout(bound_s if pause_s is None else min(bound_s, pause_s)):
                await self._stirred.wait()
        except TimeoutError:
            return

    async def _settle(self) -> None:
        """Store the outcomes of finished jobs in one transaction."""
        outcomes = self._unsettled
        if not outcomes:
            return
        over = {one.claim.key for one in outcomes if one.result is not SendResult.AGAIN}
        over |= {key for one in outcomes if one.result is not SendResult.AGAIN for key in one.also}
        again = [Postponed(one.claim, one.due_ms) for one in outcomes if one.result is SendResult.AGAIN]
        await self._queue.settle(over, again, partial(self._sending.settled, outcomes=outcomes))
        self._unsettled = []
        for one in outcomes:
            self._tried(one.result.value)

    async def _land(self, under_way: Collection[asyncio.Task[Outcome[Job]]]) -> None:
        """Let jobs in progress finish, and store their outcomes: they must not be sent again at the next start."""
        if under_way:
            done, pending = await asyncio.wait(under_way, timeout=_LANDING_S)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            self._unsettled += [task.result() for task in done]
        await self._settle()
