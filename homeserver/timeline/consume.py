"""The loop of every background reader of the log: read on from a stored cursor, handle, store the cursor."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.storage import log
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.live import Live, is_outage

_SILENT = 1000  # entries that nothing came of, after which the cursor is stored all the same

Effect = Callable[[AsyncConnection], Awaitable[None]]
Handler = Callable[[Sequence[Entry]], Awaitable[Effect | None]]


class Pace(NamedTuple):
    """How a consumer goes along: at most `page` entries at once; `gather_s` lets that many seconds of them come
    together. `round_s`: what comes now and then is handled at once, but a stream of entries in rounds that begin so
    far apart, as each round is a transaction, for which those who write have to wait."""

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

    `handle` looks and answers what is to be written, or None. That is written in one transaction with the cursor, so
    it is written once, whatever crashes and however many workers read under one name: who was slower reads on from
    where the others are. Entries that nothing came of may be seen again after a crash. A consumer that is new begins
    at the end of the log.
    Where a stretch fails, its entries are handled one by one, and one that fails alone too is set aside: logged,
    counted and passed over. What is away (a database) is no fault of an entry: that ends the run, which begins again
    at the stored cursor.
    `follow`: what is written may have entries of the log with it, to be announced at once. `after`: called each time
    that something is committed, by this worker or by one that was quicker.
    """
    stored = await _begin(name, db, live.position)
    at = stored
    next_round = -math.inf
    alone_until = at  # entries up to here are handled one by one
    while True:
        await live.wait_after(at)
        wait_s = max(pace.gather_s, next_round - time.monotonic())
        if wait_s > 0 and live.position - at < pace.page and at >= alone_until:
            await asyncio.sleep(wait_s)
        next_round = time.monotonic() + pace.round_s
        is_alone = at < alone_until
        entries = await _next(db, live, at, 1 if is_alone else pace.page)
        end = entries[-1].position
        try:
            effect = await handle(entries)
            if effect is None and end - stored < _SILENT:
                at = end
                continue
            moved = await _write(name, db, (stored, end), effect)
        except Exception as error:
            if is_outage(error):
                raise
            if not is_alone:
                alone_until = end
                continue
            live.set_aside(name, entries[0], error)
            moved = await _write(name, db, (stored, end), None)
        if moved:
            stored = at = end
            if follow:
                await live.follow()
        else:  # another worker was quicker
            async with db.read() as conn:
                stored = await log.cursor(conn, name) or 0
            at = max(at, stored)
        if after is not None:
            after()


async def _begin(name: str, db: Database, end: int) -> int:
    """The stored cursor; a new one is at the end of the log, and stays there though the server stops at once."""
    async with db.read() as conn:
        at = await log.cursor(conn, name)
    if at is not None:
        return at
    async with db.write() as conn:
        await log.add_cursor(conn, name, end)
    async with db.read() as conn:
        return await log.cursor(conn, name) or 0


async def _next(db: Database, live: Live, at: int, page: int) -> Sequence[Entry]:
    """The entries after a position that was passed, of which there is one at least."""
    entries: Sequence[Entry] | None = live.recent(at, page)
    if entries is None:
        async with db.read() as conn:
            entries = await log.entries_after(conn, at, page)
    if not entries:
        raise LookupError(f"the log has no entry after {at}, though it goes up to {live.position}")
    return entries


async def _write(name: str, db: Database, move: tuple[int, int], effect: Effect | None) -> bool:
    """Move the cursor and write the effect with it; False, and nothing written, if the cursor is elsewhere."""
    async with db.write() as conn:
        if not await log.move_cursor(conn, name, *move):
            return False
        if effect is not None:
            await effect(conn)
    return True
