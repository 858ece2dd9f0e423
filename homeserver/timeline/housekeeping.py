"""Periodic tasks of the timeline: following other processes, deleting old transaction ids."""

import asyncio

from homeserver.clock import Clock
from homeserver.settings.models import TimelineSettings
from homeserver.storage import transactions
from homeserver.storage.db import Database
from homeserver.timeline.live import Live

PURGE_INTERVAL_S = 600
_PURGE_PAGE = 1000


async def follow(live: Live, settings: TimelineSettings) -> None:
    """Poll for entries of other processes until cancelled."""
    while True:
        await asyncio.sleep(settings.follow_interval_ms / 1000)
        await live.follow()


async def purge_transactions(db: Database, clock: Clock, settings: TimelineSettings) -> None:
    """Delete expired transaction ids, a page at a time."""
    before_ms, gone = clock.now_ms() - settings.transaction_keep_s * 1000, _PURGE_PAGE
    while gone == _PURGE_PAGE:
        async with db.write() as conn:
            gone = await transactions.drop_before(conn, before_ms, _PURGE_PAGE)
