"""One durable queue: what is due, and what becomes of what was taken."""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.storage.db import Database
from homeserver.storage.outbox import Claim, Key, Outbox, Postponed

Also = Callable[[AsyncConnection], Awaitable[None]]
"""Written in the transaction that settles."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures: `first_s`, doubled each time up to `longest_s`.

    `jitter`: up to such a share of it is left off, so that what failed together does not come again together.
    `max_tries`: after so many it is given up; None for never.
    """

    first_s: float
    longest_s: float
    max_tries: int | None = None
    jitter: float = 0.0

    def pause_ms(self, tries: int) -> int:
        """How long to wait after so many failures, at least one."""
        doublings = min(tries - 1, 60)  # beyond that it is the longest in any case, and no float any more
        pause_s = min(self.first_s * 2.0**doublings, self.longest_s)
        share = random.random() * self.jitter  # noqa: S311 - spreads tries, hides nothing
        return round(pause_s * (1 - share) * 1000)

    def is_over(self, tries: int) -> bool:
        """Whether there shall be no further try after so many."""
        return self.max_tries is not None and tries >= self.max_tries


@dataclass(frozen=True, slots=True)
class Due:
    """What was claimed. `pause_s`: after so long something else is due, if that is known."""

    claims: Sequence[Claim] = ()
    pause_s: float | None = None


class Queue:
    """The items of a table. Several workers may work it off: an item is with one at a time.

    `lease_s`: who took an item and has not settled it after so long is taken for dead, and another gets it. Longer than
    any try may take.
    """

    def __init__(
        self, outbox: Outbox, *, db: Database, clock: Clock, lease_s: float, backoff: Backoff
    ) -> None:
        self._outbox = outbox
        self._db = db
        self._clock = clock
        self._lease_ms = round(lease_s * 1000)
        self._backoff = backoff

    async def next_due_ms(self) -> int | None:
        """When the next is due; None if nothing waits."""
        async with self._db.read() as conn:
            return await self._outbox.next_due_ms(conn)

    async def claim(self, most: int, next_ms: int) -> Due:
        """Take at most so many that are due, one of each destination; `next_ms` is what `next_due_ms` said.

        What was tried too often is dropped on the way: whoever took it died of it, or could not say so.
        """
        now_ms = self._clock.now_ms()
        if most <= 0 or next_ms > now_ms:
            return _nothing_until(next_ms, now_ms)
        async with self._db.write() as conn:
            found = await self._outbox.claim_due(
                conn, now_ms=now_ms, until_ms=now_ms + self._lease_ms, limit=most
            )
        if not found:  # others were quicker
            return _nothing_until(next_ms, now_ms)
        spent = [one for one in found if self._backoff.is_over(one.tries - 1)]
        await self.drop([one.key for one in spent])
        return Due([one for one in found if one not in spent], pause_s=0)

    async def drop(self, keys: Collection[Key]) -> None:
        """These shall not be sent any more."""
        if keys:
            async with self._db.write() as conn:
                await self._outbox.drop(conn, keys)

    def again_ms(self, claim: Claim, *, wait_ms: int = 0, until_ms: int | None = None) -> int | None:
        """When something that failed is due again, not before `wait_ms` have passed; None if it is given up.

        `until_ms`: after that it is of no use.
        """
        if self._backoff.is_over(claim.tries):
            return None
        due_ms = self._clock.now_ms() + max(self._backoff.pause_ms(claim.tries), wait_ms)
        return None if until_ms is not None and due_ms >= until_ms else due_ms

    async def settle(
        self, over: Collection[Key], again: Sequence[Postponed], also: Also | None = None
    ) -> None:
        """Write down in one transaction what is over, what is due again, and whatever else follows."""
        async with self._db.write() as conn:
            if over:
                await self._outbox.drop(conn, over)
            if again:
                await self._outbox.postpone(conn, again)
            if also is not None:
                await also(conn)


def _nothing_until(due_ms: int, now_ms: int) -> Due:
    """Nothing is due before a time; what is due already, others have, or it waits for what is under way."""
    return Due(pause_s=(due_ms - now_ms) / 1000 if due_ms > now_ms else None)
