"""The loop of every background reader of the log: read on from a stored cursor, handle, store the cursor."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from homeserver.storage import log
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.live import Live

_PAGE = 500
Handler = Callable[[Sequence[Entry]], Awaitable[None]]


async def consume(name: str, *, db: Database, live: Live, handle: Handler) -> None:
    """Give every entry of the log to `handle`, in order, from where `name` stopped last; runs until cancelled.

    The cursor moves after `handle` returns, so a crash repeats entries and never skips one: `handle` must not mind
    to see an entry twice. A consumer that is new begins at the end of the log.
    """
    async with db.read() as conn:
        at = await log.cursor(conn, name)
    if at is None:
        at = live.position
    while True:
        await live.wait_after(at)
        entries = live.recent(at, _PAGE)
        if entries is None:
            async with db.read() as conn:
                entries = await log.entries_after(conn, at, _PAGE)
        if not entries:
            await asyncio.sleep(0)
            continue
        await handle(entries)
        at = entries[-1].position
        async with db.write() as conn:
            await log.set_cursor(conn, name, at)
