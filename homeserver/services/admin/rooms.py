"""What server admins do to messages and rooms.

Their acts are signed events in the log, so every API, worker and Matrix client learns of them. An event needs a
sender whom the room's auth rules permit. A server user would have to join each room first, visible to all; so the
server sends as the member with the most power, as it does when it adds users, and the event says that the server's
admins did it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Conflict, NotFound
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.messages.messages import Messages
from homeserver.services.rooms.member_events import strongest_in
from homeserver.services.rooms.rooms import Rooms
from homeserver.storage import events
from homeserver.storage import reports as stored
from homeserver.storage.db import Database
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import is_closed, ours_in
from homeserver.timeline.submission import Placed, SideWrite
from homeserver.timeline.writer import Timeline

REASON = "by the administrators of the server"
OUTCOME = "message removed"


class _Closing(NamedTuple):
    event_id: EventId
    now_ms: int


class Moderation:
    """Acts of admins. No permission is checked: only the command line gets here."""

    def __init__(
        self, *, db: Database, timeline: Timeline, messages: Messages, rooms: Rooms, clock: Clock
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._messages = messages
        self._rooms = rooms
        self._clock = clock

    async def remove_message(self, event_id: EventId) -> None:
        """Redact a message with its edits and files, and close the reports about it.

        Raises NotFound("message_not_found"), Conflict("room_closed").
        """
        async with self._db.read() as conn:
            found = (await events.events_by_id(conn, [event_id])).get(event_id)
        if found is None or not found.shown:
            raise NotFound("no such message, or it was deleted already", code="message_not_found")
        head = await self._open_room(found.event.room_id)
        closing = SideWrite(_close_reports, _Closing(event_id, self._clock.now_ms()))
        await self._messages.redact_as(strongest_in(head), found, content={"reason": REASON}, also=[closing])

    async def close_room(self, room_id: RoomId) -> None:
        """Close a room for all its members. Raises NotFound("room_not_found"), Conflict("room_closed")."""
        head = await self._open_room(room_id)
        await self._rooms.close_as(strongest_in(head), room_id, reason=REASON)

    async def _open_room(self, room_id: RoomId) -> Head:
        head = await self._timeline.head(room_id)
        if is_closed(head) or not ours_in(head):
            raise Conflict("this room is closed", code="room_closed")
        return head


async def _close_reports(conn: AsyncConnection, items: Sequence[Placed[_Closing]]) -> None:
    now_ms = max(item.row.now_ms for item in items)
    await stored.close_reports_of(conn, {item.row.event_id for item in items}, OUTCOME, now_ms)
