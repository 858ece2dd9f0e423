"""The live log: committed entries in memory, announced to listeners in order, each once.

Entries that another worker process committed are fetched from the database before ours that follow them, so a
listener never sees a later position before an earlier one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy.exc import IntegrityError

from homeserver.errors import Unavailable
from homeserver.metrics import Metrics
from homeserver.model import LOG_START, LogPosition
from homeserver.storage import log
from homeserver.storage.db import Database
from homeserver.storage.dialect import is_away, may_pass_when_repeated
from homeserver.storage.log import Entry

logger = logging.getLogger(__name__)
Listener = Callable[[Entry], None]
_FETCH = 1000  # entries of other workers read at once


def is_outage(error: Exception) -> bool:
    """True if a dependency is down and the same work may succeed later; otherwise the entry is at fault."""
    if isinstance(error, IntegrityError):
        return False  # a lost race passes when the entry is handled again alone
    return isinstance(error, Unavailable) or is_away(error) or may_pass_when_repeated(error)


def _size(entry: Entry) -> int:
    return 0 if entry.event is None else len(entry.event.event.json)


class Live:
    """The last announced `position` and the entries shortly before it."""

    def __init__(self, db: Database, ring_entries: int, ring_bytes: int, metrics: Metrics) -> None:
        self._db = db
        self._metrics = metrics
        self._ring: deque[Entry] = deque()
        self._ring_entries = ring_entries
        self._ring_bytes = ring_bytes
        self._held_bytes = 0
        self._listeners: list[Listener] = []
        self._own_listeners: list[Listener] = []
        self._order = asyncio.Lock()
        self._moved = asyncio.Event()
        self.position = LOG_START

    async def start(self) -> None:
        """Start at the end of the log."""
        async with self._db.read() as conn:
            self.position = await log.head(conn)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every entry from now on; returns an unsubscribe function. It must not block or raise."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def listen_own(self, listener: Listener) -> None:
        """Call `listener` with the entries that this process wrote, after the others. It must not block or raise."""
        self._own_listeners.append(listener)

    def set_aside(self, reader: str, entry: Entry, error: Exception) -> None:
        """Log and count an entry that `reader` cannot handle. It is passed over, so that later entries are handled."""
        event_id = entry.event.event.event_id if entry.event is not None else None
        logger.error("%s set log entry %d aside (%s)", reader, entry.position, event_id, exc_info=error)
        self._metrics.set_aside(reader)

    async def publish(self, entries: Sequence[Entry]) -> None:
        """Announce entries that were just committed here, after any of other workers that come before them."""
        async with self._order:
            if (
                entries and entries[-1].position > self.position
            ):  # else already fetched as another worker's entries
                if entries[0].position > self.position + 1:
                    await self._fetch(LogPosition(entries[0].position - 1))
                self._announce([entry for entry in entries if entry.position > self.position])
            self._tell(entries, self._own_listeners)

    async def follow(self) -> None:
        """Announce all entries of the log after `position`: those of other processes."""
        async with self._order:
            async with self._db.read() as conn:
                end = await log.head(conn)
            if end > self.position:
                await self._fetch(end)

    def recent(self, after: LogPosition, limit: int) -> list[Entry] | None:
        """The next entries after a position from memory; None if memory does not reach back that far."""
        if after >= self.position:
            return []
        if not self._ring or self._ring[0].position > after + 1:
            return None
        start = after + 1 - self._ring[0].position  # the ring has no gaps
        return [self._ring[at] for at in range(start, min(start + limit, len(self._ring)))]

    async def wait_after(self, position: LogPosition) -> None:
        """Return once something after `position` was announced."""
        while self.position <= position:
            await self._moved.wait()

    async def _fetch(self, end: LogPosition) -> None:
        while self.position < end:
            async with self._db.read() as conn:
                entries = await log.entries_after(conn, self.position, min(_FETCH, end - self.position))
            if not entries:
                logger.error("the log has no entries after %d, though its head is at %d", self.position, end)
                return
            self._announce(entries)

    def _announce(self, entries: Sequence[Entry]) -> None:
        self._keep(entries)
        self.position = entries[-1].position
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        self._tell(entries, self._listeners)

    def _keep(self, entries: Sequence[Entry]) -> None:
        """Keep new entries, and of the oldest as many as the bounds leave room for."""
        self._ring.extend(entries)
        self._held_bytes += sum(map(_size, entries))
        while self._ring and (len(self._ring) > self._ring_entries or self._held_bytes > self._ring_bytes):
            self._held_bytes -= _size(self._ring.popleft())

    def _tell(self, entries: Sequence[Entry], listeners: Sequence[Listener]) -> None:
        for entry in entries:
            for listener in tuple(listeners):
                try:
                    listener(entry)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and counted
                    self.set_aside("live", entry, error)
