"""One durable queue: claims due items and stores their outcome."""

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
    """Exponential backoff: `first_s` seconds, doubled after each failure up to `longest_s`.

    `jitter`: the share of the pause that is random, so that items that failed together are not retried together.
    `max_tries`: an item is given up after this many tries; None for never.
    """

    first_s: float
    longest_s: float
    max_tries: int | None = None
    jitter: float = 0.0

    def pause_ms(self, tries: int) -> int:
        """The pause after this many failed tries, at least one."""
        doublings = min(tries - 1, 60)  # beyond that the pause is the longest anyway
        pause_s = min(self.first_s * 2.0**doublings, self.longest_s)
        share = random.random() * self.jitter  # noqa: S311 - spreads retries, needs no secrecy
        return round(pause_s * (1 - share) * 1000)

    def is_over(self, tries: int) -> bool:
        """True if an item is given up after this many tries."""
        return self.max_tries is not None and tries >= self.max_tries


@dataclass(frozen=True, slots=True)
class Due:
    """Claimed items. `pause_s`: seconds until the next item is due, if known."""

    claims: Sequence[Claim] = ()
    pause_s: float | None = None


class Queue:
    """The items of a table. Several workers may share it: an item is claimed by one at a time.

    `lease_s`: seconds after which an unsettled claim counts as abandoned, and another worker gets the item. Must be
    longer than any try may take.
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
        """When the next item is due; None if the queue is empty."""
        async with self._db.read() as conn:
            return await self._outbox.next_due_ms(conn)

    async def claim(self, most: int, next_ms: int) -> Due:
        """Claim at most `most` due items, one of each destination; `next_ms` is the result of `next_due_ms`.

        Items with too many tries are dropped on the way: their worker crashed on them, or could not store the outcome.
        """
        now_ms = self._clock.now_ms()
        if most <= 0 or next_ms > now_ms:
            return _nothing_until(next_ms, now_ms)
        async with self._db.write() as conn:
            found = await self._outbox.claim_due(
                conn, now_ms=now_ms, until_ms=now_ms + self._lease_ms, limit=most
            )
        if not found:  # other workers were quicker
            return _nothing_until(next_ms, now_ms)
        spent = [one for one in found if self._backoff.is_over(one.tries - 1)]
        await self.drop([one.key for one in spent])
        return Due([one for one in found if one not in spent], pause_s=0)

    async def drop(self, keys: Collection[Key]) -> None:
        """Delete items that are not to be sent any more."""
        if keys:
            async with self._db.write() as conn:
                await self._outbox.drop(conn, keys)

    def again_ms(self, claim: Claim, *, wait_ms: int = 0, until_ms: int | None = None) -> int | None:
        """When a failed item is due again, not before `wait_ms` have passed; None if it is given up.

        `until_ms`: the item expires then.
        """
        if self._backoff.is_over(claim.tries):
            return None
        due_ms = self._clock.now_ms() + max(self._backoff.pause_ms(claim.tries), wait_ms)
        return None if until_ms is not None and due_ms >= until_ms else due_ms

    async def settle(
        self, over: Collection[Key], again: Sequence[Postponed], also: Also | None = None
    ) -> None:
        """Store in one transaction which items are finished and which are due again, and run `also`."""
        async with self._db.write() as conn:
            if over:
                await self._outbox.drop(conn, over)
            if again:
                await self._outbox.postpone(conn, again)
            if also is not None:
                await also(conn)


def _nothing_until(due_ms: int, now_ms: int) -> Due:
    """No claims before a time. Items due already were claimed by other workers, or wait behind claimed ones."""
    return Due(pause_s=(due_ms - now_ms) / 1000 if due_ms > now_ms else None)
