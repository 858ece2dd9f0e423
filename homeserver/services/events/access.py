"""Access checks: every room and message that the product APIs hand out passes through here.

A room or message that is absent and one the requester may not know of raise the same NotFound. The records returned
are proofs that access was checked, so services that take one need not check again. A proof is valid for one request:
a connection checks again for each frame.
"""

from dataclasses import dataclass
from uuid import UUID

from homeserver import publicids
from homeserver.errors import Forbidden, NotFound
from homeserver.kit.cache import BoundedCache
from homeserver.model import LogPosition, Requester
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId
from homeserver.protocol.member import join_rule_in, membership_in
from homeserver.protocol.visibility import HISTORY_VISIBILITY_KEY, history_visibility_of
from homeserver.services.events.visibility import Visibility
from homeserver.storage import events, rooms
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import is_open_to, role_in
from homeserver.timeline.writer import Timeline


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """An open room that the requester has joined. `head`: the room's head at the time of the check."""

    requester: Requester
    head: Head

    @property
    def room_id(self) -> RoomId:
        """The room's id."""
        return self.head.room_id


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message in such a room, as it was at the time of the check."""

    room: OpenRoom
    stored: StoredEvent

    @property
    def requester(self) -> Requester:
        """The user who asked for the message."""
        return self.room.requester

    @property
    def event(self) -> Event:
        """The event as it was sent, without edits."""
        return self.stored.event


class Access:
    """Checks which rooms and messages a requester may access."""

    def __init__(
        self, db: Database, timeline: Timeline, visibility: Visibility, *, cached_rooms: int
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._visibility = visibility
        self._room_ids: BoundedCache[LogPosition, RoomId] = BoundedCache(
            cached_rooms
        )  # by position; never changes

    async def room(self, requester: Requester, room_id: RoomId) -> OpenRoom:
        """An open room that the requester has joined, to read and to send. Raises NotFound("room_not_found")."""
        head = await self._timeline.head(room_id)
        check_open_to(requester, head)
        return OpenRoom(requester, head)

    async def stored_room(self, requester: Requester, room_id: RoomId) -> Head:
        """The head of such a room as it is stored on disk, to be shown. Raises NotFound("room_not_found")."""
        head = await self._timeline.stored_head(room_id)
        check_open_to(requester, head)
        return head

    async def room_to_manage(self, requester: Requester, room_id: RoomId) -> Head:
        """The head of a room that the requester is an admin of. Raises Forbidden("not_admin") for its other
        members."""
        head = await self._timeline.head(room_id)
        check_may_manage(requester, head)
        return head

    async def room_by_uuid(self, requester: Requester, uuid: UUID) -> OpenRoom:
        """The room of a public UUID, if the requester has joined it."""
        room_id = await self._room_at(LogPosition(publicids.position_of(uuid)))
        if publicids.room_uuid(publicids.position_of(uuid), room_id) != uuid:
            raise _no_room()
        return await self.room(requester, room_id)

    async def room_by_number(self, requester: Requester, number: int) -> OpenRoom:
        """The room of a public integer id, if the requester has joined it."""
        return await self.room(requester, await self._room_at(LogPosition(number)))

    async def any_room_by_number(self, number: int) -> RoomId:
        """The room of a public integer id, unchecked: for calls of staff and of other servers."""
        return await self._room_at(LogPosition(number))

    async def message_by_uuid(
        self, requester: Requester, uuid: UUID, *, or_deleted: bool = False
    ) -> SeenMessage:
        """The message of a public UUID, if the requester has joined its room and it was not deleted.

        `or_deleted`: also a deleted message, for its position in time; its content is gone.
        """
        position = publicids.position_of(uuid)
        message = await self.message_by_number(requester, position, or_deleted=or_deleted)
        if publicids.message_uuid(position, message.event.event_id) != uuid:
            raise _no_message()
        return message

    async def message_by_number(
        self, requester: Requester, number: int, *, or_deleted: bool = False
    ) -> SeenMessage:
        """The message of a public integer id, under the same conditions."""
        stored = await self._stored_at(LogPosition(number))
        return await self._shown(requester, stored, or_deleted=or_deleted)

    async def position_by_uuid(self, room: OpenRoom, uuid: UUID) -> LogPosition:
        """The position of a message in this room, to page from; the message may have been deleted."""
        position = LogPosition(publicids.position_of(uuid))
        stored = await self._stored_at(position)
        if stored is None or stored.event.room_id != room.room_id:
            raise _no_message()
        if publicids.message_uuid(position, stored.event.event_id) != uuid:
            raise _no_message()
        return position

    async def message(
        self, requester: Requester, event_id: EventId, *, or_deleted: bool = False
    ) -> SeenMessage:
        """The message of an event id, under the same conditions."""
        async with self._db.read() as conn:
            found = await events.events_by_id(conn, [event_id])
        return await self._shown(requester, found.get(event_id), or_deleted=or_deleted)

    async def event(self, requester: Requester, room_id: RoomId, event_id: EventId) -> StoredEvent:
        """Any event that the requester may see, in a room they have joined. Raises NotFound("event_not_found")."""
        async with self._db.read() as conn:
            found = (await events.events_by_id(conn, [event_id])).get(event_id)
        if found is None or found.event.room_id != room_id:
            raise _no_event()
        state = (await self._timeline.head(room_id)).state.events
        viewer = await self._visibility.viewer(requester.user_id, room_id)
        if membership_in(state, requester.user_id) != "join" or not viewer.sees(found):
            raise _no_event()
        return found

    async def known_room(self, requester: Requester, room_id: RoomId) -> Head:
        """The head of a room in which the requester has any membership, or that is public or world_readable.

        Raises NotFound("room_not_found").
        """
        head = await self._timeline.head(room_id)
        state = head.state.events
        is_open = join_rule_in(state) == "public"
        is_open |= history_visibility_of(state.get(HISTORY_VISIBILITY_KEY)) == "world_readable"
        if not is_open and ("m.room.member", requester.user_id) not in state:
            raise _no_room()
        return head

    async def _stored_at(self, position: LogPosition) -> StoredEvent | None:
        if not 0 < position < events.NEWEST:
            raise _no_message()
        async with self._db.read() as conn:
            return (await events.events_at(conn, [position])).get(position)

    async def _shown(
        self, requester: Requester, stored: StoredEvent | None, *, or_deleted: bool
    ) -> SeenMessage:
        if stored is None or not (stored.shown or (or_deleted and stored.redacted_by is not None)):
            raise _no_message()
        head = await self._timeline.head(stored.event.room_id)
        if not is_open_to(head, requester.user_id):
            raise _no_message()
        return SeenMessage(OpenRoom(requester, head), stored)

    async def _room_at(self, position: LogPosition) -> RoomId:
        if not 0 < position < events.NEWEST:
            raise _no_room()
        room_id = self._room_ids.get(position)
        if room_id is None:
            async with self._db.read() as conn:
                room_id = await rooms.room_at(conn, position)
            if room_id is None:
                raise _no_room()
            self._room_ids.put(position, room_id)
        return room_id


async def head_for_member(timeline: Timeline, requester: Requester, room_id: RoomId) -> Head:
    """The head of a room that the requester has joined, for Matrix clients. Raises Forbidden("not_joined")."""
    head = await timeline.head(room_id)
    check_joined(requester, head)
    return head


def check_joined(requester: Requester, head: Head) -> None:
    """Check on a head what `head_for_member` does. Raises Forbidden("not_joined")."""
    if membership_in(head.state.events, requester.user_id) != "join":
        raise not_joined()


def check_open_to(requester: Requester, head: Head) -> None:
    """Check on a head what `Access.room` does. Raises NotFound("room_not_found")."""
    if not is_open_to(head, requester.user_id):
        raise _no_room()


def check_may_manage(requester: Requester, head: Head) -> None:
    """Check on a head what `Access.room_to_manage` does. Raises NotFound("room_not_found"), Forbidden("not_admin")."""
    check_open_to(requester, head)
    if role_in(head, requester.user_id) != "admin":
        raise Forbidden("only an admin of the room may do this", code="not_admin")


def not_joined() -> Forbidden:
    """The error that Matrix clients get for a room that they have not joined."""
    return Forbidden("you are not in this room", code="not_joined")


def _no_room() -> NotFound:
    return NotFound("no such room", code="room_not_found")


def _no_event() -> NotFound:
    return NotFound("no such event", code="event_not_found")


def _no_message() -> NotFound:
    return NotFound("no such message", code="message_not_found")
