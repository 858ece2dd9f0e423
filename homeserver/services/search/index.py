"""The search index: follows the log in the background; sending never waits for it, searching does.

An event is found by its current text. After an edit or a redaction its row is made anew from the stored event, so
that handling a log entry twice is harmless.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.search.words import words_of
from homeserver.storage import events, log, relations, rooms
from homeserver.storage import search as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.storage.search import SearchText
from homeserver.tasks import Tasks
from homeserver.timeline.build import relation_of
from homeserver.timeline.consume import Effect, Pace, Progress, consume
from homeserver.timeline.live import Live

CONSUMER: Final = "search"
KEYS: Final[Mapping[str, str]] = {
    "m.room.message": "content.body",
    "m.room.name": "content.name",
    "m.room.topic": "content.topic",
}
"""The content key of the indexed text, by event type."""
_PAGE: Final = 200


class SearchIndex:
    """Follows the log. `gather_s`: how long entries are gathered before a write, if nobody searches; `wait_s`: how
    long a search waits for the newest."""

    def __init__(self, *, db: Database, live: Live, gather_s: float, wait_s: float) -> None:
        self._db = db
        self._live = live
        self._progress = Progress(live, Pace(_PAGE, gather_s), wait_s)

    def start(self, tasks: Tasks) -> None:
        """Start following; the first time from the beginning of the log."""
        tasks.start("search index", self.run)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        await asyncio.to_thread(words_of, "é")  # makes the tables of characters
        async with self._db.write() as conn:
            await log.add_cursor(conn, CONSUMER, LOG_START)  # an existing cursor is kept
        await consume(
            CONSUMER,
            db=self._db,
            progress=self._progress,
            handle=self.handle,
        )

    async def catch_up(self) -> None:
        """Return once everything that was answered before, by any worker, is in the index, but not after `wait_s`."""
        await self._live.follow()
        await self._progress.catch_up()

    async def handle(self, entries: Sequence[Entry]) -> Effect | None:
        """The index changes for these entries; None if there are none."""
        news = [entry.event.event for entry in entries if entry.event is not None]
        touched = {event_id for event in news if (event_id := _touched(event)) is not None}
        if not touched:
            return None
        async with self._db.read() as conn:
            # redacting an edit changes the edited event
            touched |= set((await relations.targets_of(conn, touched)).values())
            found = await events.events_by_id(conn, touched)
            places = await rooms.rooms_by_id(conn, {one.event.room_id for one in found.values()})
        numbers = {room_id: room.position for room_id, room in places.items()}
        texts = [text for one in found.values() if (text := _text(one, numbers)) is not None]
        return partial(_write, [one.position for one in found.values() if one.position is not None], texts)


async def _write(positions: Sequence[LogPosition], texts: Sequence[SearchText], conn: Any) -> None:
    await stored.set_texts(conn, positions, texts)


def _touched(event: Event) -> EventId | None:
    """The event whose text this one changes."""
    if event.redacts is not None:
        return event.redacts
    if event.type not in KEYS:
        return None
    edited = _edited(event)
    return event.event_id if edited is None else edited


def _edited(event: Event) -> EventId | None:
    relation = relation_of(event.content)
    return relation[1] if relation is not None and relation[0] == "m.replace" else None


def _text(one: StoredEvent, numbers: Mapping[RoomId, LogPosition]) -> SearchText | None:
    event = one.event
    key = KEYS.get(event.type)
    if key is None or one.redacted_by is not None or _edited(event) is not None:
        return None
    if event.type != "m.room.message" and event.state_key != "":
        return None
    content: Mapping[str, Any] = event.content
    if one.edit is not None:
        new = one.edit.content.get("m.new_content")
        content = new if isinstance(new, Mapping) else one.edit.content
    said = content.get(key.removeprefix("content."))
    words = words_of(said) if isinstance(said, str) else []
    if not words or one.position is None:
        return None
    return SearchText(one.position, event.room_id, numbers[event.room_id], event.sender, key, words)
