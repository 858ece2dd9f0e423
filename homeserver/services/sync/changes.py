"""Changes since a client's token that concern its user: from memory if possible, else from the database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from homeserver.model import EntryKind, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.timeline.consume import Progress

_LOOKED_THROUGH: Final = 2000  # cached entries that are scanned; above that the database is faster
_KEYS: Final = frozenset({EntryKind.DEVICES, EntryKind.KEYS_SIGNED, EntryKind.SESSION_ENDED})


@dataclass(slots=True)
class News:
    """Changes in a range of the log. `rooms`: with new events; `counted`: with changed unread counts. `timelines`: all
    these events, if they were in memory. `data`, `keys`: account data or device keys may have changed; `own`: the
    user's own memberships changed."""

    rooms: set[RoomId] = field(default_factory=set)
    counted: set[RoomId] = field(default_factory=set)
    timelines: Mapping[RoomId, list[StoredEvent]] | None = None
    receipts: list[Entry] = field(default_factory=list)
    data: bool = False
    keys: bool = False
    own: bool = False


class NewsDesk:
    """Finds the changes for a user. `evaluation`: of push rules, which events are told with the counts of."""

    def __init__(self, db: Database, evaluation: Progress) -> None:
        self._db = db
        self._live = evaluation.live
        self._evaluation = evaluation

    async def ready(self) -> None:
        """Return once the newest events are evaluated, as a rule at once, so that they are told with their counts."""
        await self._evaluation.catch_up()

    async def since(
        self, user_id: UserId, room_ids: Collection[RoomId], *, after: LogPosition, until: LogPosition
    ) -> News:
        """The changes after `after` up to `until` for a user who is joined to these rooms."""
        if until <= after:
            return News(timelines={})
        entries = self._live.recent(after, _LOOKED_THROUGH + 1) if self._live.position >= until else None
        if entries is None or len(entries) > _LOOKED_THROUGH:
            return await self._from_database(user_id, room_ids, after, until)
        return _sorted(user_id, room_ids, [one for one in entries if one.position <= until])

    async def _from_database(
        self, user_id: UserId, room_ids: Collection[RoomId], after: LogPosition, until: LogPosition
    ) -> News:
        async with self._db.read() as conn:
            rooms = await stored.stirred_rooms(conn, room_ids, after=after, until=until)
            entries = await stored.news_for(conn, user_id, room_ids, after=after, until=until)
        news = _sorted(user_id, room_ids, entries)
        news.rooms, news.timelines, news.keys, news.own = rooms, None, True, True
        return news


def _sorted(user_id: UserId, room_ids: Collection[RoomId], entries: Sequence[Entry]) -> News:
    news, here = News(), frozenset(room_ids)
    timelines: dict[RoomId, list[StoredEvent]] = {}
    for entry in entries:
        if entry.event is not None:
            event = entry.event.event
            if event.room_id in here:
                timelines.setdefault(event.room_id, []).append(entry.event)
            if moved := entry.moved:
                news.keys = news.keys or event.room_id in here or user_id in moved
                news.own = news.own or user_id in moved
        elif entry.kind is EntryKind.RECEIPT:
            room_id = entry.room_id or RoomId((entry.body or {}).get("room_id", ""))
            if room_id in here and (entry.room_id is not None or entry.user_id == user_id):
                news.receipts.append(entry)
        elif entry.kind is EntryKind.COUNTS:
            room_id = RoomId((entry.body or {}).get("room_id", ""))
            if room_id in here and (entry.room_id is not None or entry.user_id == user_id):
                news.counted.add(room_id)
        elif entry.kind in _KEYS:
            news.keys = True
            # A deleted device takes its local notification settings with it.
            own_end = entry.kind is EntryKind.SESSION_ENDED and entry.user_id == user_id
            news.data = news.data or own_end
        elif entry.kind is EntryKind.ACCOUNT_DATA and entry.user_id == user_id:
            news.data = True
    news.rooms, news.timelines = set(timelines), timelines
    return news
