"""What a client missed while it was offline: new, edited and deleted messages, in the order of the log.

New messages are given in their current form. A message that the client knows already (by `since`) is given as edited
or deleted, if it was.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from homeserver.model import LogPosition, Message, MessageRef, Requester, place_at
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.events.access import Access
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.realtime.records import MessageDeleted, MessageEdited, MessageNew
from homeserver.storage import events, relations, rooms
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.timeline.build import MESSAGE_TYPES

Told: TypeAlias = MessageNew | MessageEdited | MessageDeleted
_Complete: TypeAlias = Callable[[Sequence[StoredEvent]], Awaitable[list[Message]]]


class Missed(NamedTuple):
    """A missed record, and its position in the log."""

    position: LogPosition
    record: Told


class LogPage(NamedTuple):
    """A page of the log, read up to position `upto`."""

    news: Sequence[Missed]
    upto: LogPosition
    is_last: bool


class _Found(NamedTuple):
    """The messages of a page, each with the position of the last change to it."""

    new: dict[EventId, tuple[LogPosition, StoredEvent]]
    edited: dict[EventId, tuple[LogPosition, StoredEvent]]
    deleted: dict[EventId, tuple[LogPosition, StoredEvent]]


class CatchUp:
    """Reads the log for clients, page by page, with a fixed number of queries each.

    `since`: the client knows the messages up to this position. `after`: the position before the page. `limit`: the
    most log entries of the page.
    """

    def __init__(self, *, db: Database, access: Access, views: MessageViews) -> None:
        self._db = db
        self._access = access
        self._views = views

    async def of_room(
        self, requester: Requester, room_id: RoomId, *, since: LogPosition, after: LogPosition, limit: int
    ) -> LogPage:
        """What happened in one room. Raises NotFound if the requester has not joined it."""
        await self._access.room(requester, room_id)
        async with self._db.read() as conn:
            page = await events.told_after(conn, room_id, after=place_at(after), limit=limit)

        async def complete(shown: Sequence[StoredEvent]) -> list[Message]:
            return await self._views.complete(room_id, shown)

        return await self._page(page, since, after, limit, complete)

    async def of_person(
        self, requester: Requester, *, since: LogPosition, after: LogPosition, limit: int
    ) -> LogPage:
        """What happened in all rooms of the requester. The messages have no reader count."""
        async with self._db.read() as conn:
            page = await events.told_to_after(conn, requester.user_id, after=after, limit=limit)
        return await self._page(page, since, after, limit, self._views.of_rooms)

    async def _page(
        self,
        page: Sequence[StoredEvent],
        since: LogPosition,
        after: LogPosition,
        limit: int,
        complete: _Complete,
    ) -> LogPage:
        found = await self._find(page, since)
        places = {**found.new, **found.edited}
        whole = await complete([stored for _, stored in places.values()])
        news = [
            Missed(
                places[one.event_id][0],
                MessageNew(one) if one.event_id in found.new else MessageEdited(one),
            )
            for one in whole
        ]
        news += await self._deletions(found)
        upto = page[-1].arrived if page else after
        return LogPage(sorted(news, key=lambda one: one.position), upto, len(page) < limit)

    async def _find(self, page: Sequence[StoredEvent], since: LogPosition) -> _Found:
        found = _Found({}, {}, {})
        cut = {one.event.redacts for one in page if one.event.redacts is not None}
        parts = {one.event.event_id for one in page if not one.shown}
        async with self._db.read() as conn:
            parents = await relations.targets_of(conn, cut | parts) if cut or parts else {}
            wanted = cut | set(parents.values())
            named = await events.events_by_id(conn, wanted) if wanted else {}
        for one in page:
            if one.shown:
                found.new[one.event.event_id] = (one.arrived, one)
                continue
            subject = one.event.redacts or one.event.event_id
            message = named.get(parents.get(subject, subject))
            if message is None or message.arrived > since:
                continue  # the message is new to the client too: given in its current form, or not at all
            if subject in parents:
                if message.shown:
                    found.edited[message.event.event_id] = (one.arrived, message)
            elif message.redacted_by == one.event.event_id and message.event.type in MESSAGE_TYPES:
                found.deleted[message.event.event_id] = (one.arrived, message)
        return found

    async def _deletions(self, found: _Found) -> list[Missed]:
        room_ids = {stored.event.room_id for _, stored in found.deleted.values()}
        if not room_ids:
            return []
        async with self._db.read() as conn:
            known = await rooms.rooms_by_id(conn, room_ids)
        return [
            Missed(
                position,
                MessageDeleted(
                    stored.event.room_id,
                    known[stored.event.room_id].position,
                    MessageRef(event_id, stored.arrived),
                ),
            )
            for event_id, (position, stored) in found.deleted.items()
        ]
