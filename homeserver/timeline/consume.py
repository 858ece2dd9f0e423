"""The loop of every background consumer of the log: read on from a stored cursor, handle, store the cursor."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START, LogPosition
from homeserver.storage import log
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.live import Live, is_outage

_SILENT = 1000  # entries without effect after which the cursor is stored all the same

Effect = Callable[[AsyncConnection], Awaitable[None]]
Handler = Callable[[Sequence[Entry]], Awaitable[Effect | None]]


class Pace(NamedTuple):
    """How a consumer batches: at most `page` entries at once, gathered for `gather_s` seconds.

    `round_s`: minimum seconds between the starts of two rounds under a stream of entries, as each round is a
    transaction that writers wait for. Single entries are handled at once.
    """

    page: int = 500
    gather_s: float = 0.0
    round_s: float = 0.0


AT_ONCE = Pace()


async def consume(
    name: str,
    *,
    db: Database,
    live: Live,
    handle: Handler,
    pace: Pace = AT_ONCE,
    follow: bool = False,
    after: Callable[[], None] | None = None,
) -> None:
    """Give every entry of the log to `handle`, in order, from where `name` stopped last; runs until cancelled.

    `handle` reads only and returns what is to be written, or None. That is written in one transaction with the
    cursor, so exactly once, across crashes and with any number of workers that consume under one name: the slower one
    begins at the end of the log.
    the log.
    If a page fails, its entries are handled one by one; an entry that fails alone too is set aside: logged, counted and
    passed over. An outage (of the database) is not an entry's fault: it ends the run, which begins again at the stored
    cursor.
    `follow`: the effects may append entries to the log, to be announced at once. `after`: called after each commit, by
    this worker or by a quicker one.
    """
    reader = _Reader(name, db, live, handle, await _begin(name, db, live.position))
    next_round = -math.inf
    while True:
        await live.wait_after(reader.at)
        wait_s = max(pace.gather_s, next_round - time.monotonic())
        if wait_s > 0 and live.position - reader.at < pace.page and not reader.is_retrying:
            await asyncio.sleep(wait_s)
        next_round = time.monotonic() + pace.round_s
        moved = await reader.read(pace.page)
        if moved is None:
            continue
        if moved and follow:
            await live.follow()
        if after is not None:
            after()


class _Reader:
    """Progress of one consumer: `at` is the last position handled, `stored` its cursor in the database."""

    def __init__(self, name: str, db: Database, live: Live, handle: Handler, stored: LogPosition) -> None:
        self._name = name
        self._db = db
        self._live = live
        self._handle = handle
        self.stored = self.at = stored
        self._alone_until = stored

    @property
    def is_retrying(self) -> bool:
        """True while entries are handled one by one because their page failed."""
        return self.at < self._alone_until

    async def read(self, page: int) -> bool | None:
        """Handle the next page, at most `page` entries.

        True: its effect was written. False: another worker was quicker. None: there was no effect, or the page failed
        and is retried entry by entry.
        """
        is_alone = self.is_retrying
        entries = await _next(self._db, self._live, self.at, 1 if is_alone else page)
        end = entries[-1].position
        try:
            effect = await self._handle(entries)
            if effect is None and end - self.stored < _SILENT:
                self.at = end
                return None
            return await self._move(end, effect)
        except Exception as error:
            if is_outage(error):
                raise
            if not is_alone:
                self._alone_until = end
                return None
            self._live.set_aside(self._name, entries[0], error)
            return await self._move(end, None)

    async def _move(self, end: LogPosition, effect: Effect | None) -> bool:
        if await _write(self._name, self._db, (self.stored, end), effect):
            self.stored = self.at = end
            return True
        async with self._db.read() as conn:
            self.stored = await log.cursor(conn, self._name) or LOG_START
        self.at = max(self.at, self.stored)
        return False


async def _begin(name: str, db: Database, end: LogPosition) -> LogPosition:
    """The stored cursor. A new one is stored at the end of the log at once, so that a restart does not move it."""
    async with db.read() as conn:
        at = await log.cursor(conn, name)
    if at is not None:
        return at
    async with db.write() as conn:
        await log.add_cursor(conn, name, end)
    async with db.read() as conn:
        return await log.cursor(conn, name) or LOG_START


async def _next(db: Database, live: Live, at: LogPosition, page: int) -> Sequence[Entry]:
    """The entries after a position that was announced: at least one."""
    entries: Sequence[Entry] | None = live.recent(at, page)
    if entries is None:
        async with db.read() as conn:
            entries = await log.entries_after(conn, at, page)
    if not entries:
        raise LookupError(f"the log has no entry after {at}, though it goes up to {live.position}")
    return entries


async def _write(
    name: str, db: Database, move: tuple[LogPosition, LogPosition], effect: Effect | None
) -> bool:
    """Move the cursor and write the effect with it. False, with nothing written, if the cursor is elsewhere."""
    async with db.write() as conn:
        if not await log.move_cursor(conn, name, *move):
            return False
        if effect is not None:
            await effect(conn)
    return True
