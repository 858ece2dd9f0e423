"""The loop of every background consumer of the log: read on from a stored cursor, handle, store the cursor."""

import asyncio
import contextlib
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
_FAR = 5000  # entries behind the log from which nobody waits for a consumer


class Progress:
    """How far a consumer of the live log has come in this process, for readers of what it writes.

    `wait_s`: how long they wait at most. A consumer that somebody waits for does not gather entries meanwhile.
    """

    def __init__(self, live: Live, pace: Pace = AT_ONCE, wait_s: float = 0.0) -> None:
        self.live = live
        self.pace = pace
        self._wait_s = wait_s
        self._position: LogPosition | None = None  # None: it does not run
        self._wanted = LOG_START
        self._hurry = asyncio.Event()
        self._moved = asyncio.Event()

    async def catch_up(self) -> None:
        """Return once all entries announced so far are handled; at once if the consumer is far behind or stopped."""
        position = self.live.position
        if not self._is_soon(position):
            return
        self._wanted = max(self._wanted, position)
        self._hurry.set()
        try:
            async with asyncio.timeout(self._wait_s):
                while self._is_soon(position):
                    await self._moved.wait()
        except TimeoutError:
            return

    def move(self, position: LogPosition | None) -> None:
        """Note the position of the last entry handled, None when the consumer stops, and tell those who wait."""
        self._position = position
        if position is None or position >= self._wanted:
            self._hurry.clear()
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def pause(self, seconds: float) -> None:
        """Wait, unless somebody waits for the consumer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    def _is_soon(self, position: LogPosition) -> bool:
        return self._position is not None and 0 < position - self._position <= _FAR


async def consume(
    name: str,
    *,
    db: Database,
    progress: Progress,
    handle: Handler,
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
    live, pace = progress.live, progress.pace
    reader = _Reader(name, db, live, handle, await _begin(name, db, live.position))
    next_round = -math.inf
    try:
        while True:
            progress.move(reader.at)
            await live.wait_after(reader.at)
            wait_s = max(pace.gather_s, next_round - time.monotonic())
            if wait_s > 0 and live.position - reader.at < pace.page and not reader.is_retrying:
                await progress.pause(wait_s)
            next_round = time.monotonic() + pace.round_s
            moved = await reader.read(pace.page)
            if moved is None:
                continue
            if moved and follow:
                await live.follow()
            if after is not None:
                after()
    finally:
        progress.move(None)


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
