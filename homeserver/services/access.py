"""The gatekeepers: nothing else hands out a room or a message.

What is absent and what one may not know of are answered alike, by NotFound.
"""

from collections.abc import Mapping
from uuid import UUID

from homeserver.errors import Forbidden, NotFound
from homeserver.model import CLOSED_EVENT, KIND_KEY, Requester, Role, RoomKind
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.member import membership_in
from homeserver.protocol.power import Level, PowerLevels
from homeserver.services import publicids
from homeserver.services.bounded import BoundedCache
from homeserver.storage import events, rooms
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.timeline.heads import Head
from homeserver.timeline.writer import Timeline

ADMIN_LEVEL = 50  # from here on a member counts as an admin on the product APIs


class Access:
    """Who may come near what."""

    def __init__(self, db: Database, timeline: Timeline, *, cached_rooms: int) -> None:
        self._db = db
        self._timeline = timeline
        self._room_ids: BoundedCache[int, RoomId] = BoundedCache(cached_rooms)  # by position; never changes

    async def room(self, requester: Requester, room_id: RoomId) -> Head:
        """A room that the requester is in, and that is open; to read it and to speak in it."""
        head = await self._timeline.head(room_id)
        if not is_open_to(head, requester.user_id):
            raise _no_room()
        return head

    async def room_to_manage(self, requester: Requester, room_id: RoomId) -> Head:
        """A room that the requester is an admin of; Forbidden (code "not_admin") to its other members."""
        head = await self.room(requester, room_id)
        if role_in(head, requester.user_id) != "admin":
            raise Forbidden("only an admin of the room may do this", code="not_admin")
        return head

    async def room_by_uuid(self, requester: Requester, uuid: UUID) -> RoomId:
        """The room of a public UUID, if the requester is in it."""
        room_id = await self._room_at(publicids.position_of(uuid))
        if publicids.room_uuid(publicids.position_of(uuid), room_id) != uuid:
            raise _no_room()
        await self.room(requester, room_id)
        return room_id

    async def room_by_number(self, requester: Requester, position: int) -> RoomId:
        """The room of a public integer id, if the requester is in it."""
        room_id = await self._room_at(position)
        await self.room(requester, room_id)
        return room_id

    async def any_room_by_number(self, position: int) -> RoomId:
        """The room of a public integer id, whoever asks: for calls that staff or other servers may make."""
        return await self._room_at(position)

    async def message_by_uuid(
        self, requester: Requester, uuid: UUID, *, or_deleted: bool = False
    ) -> StoredEvent:
        """The message of a public UUID, if the requester is in its room and it was not deleted.

        `or_deleted`: a deleted one too, for what it says of the time; nothing of it is left to show.
        """
        position = publicids.position_of(uuid)
        stored = await self.message_by_number(requester, position, or_deleted=or_deleted)
        if publicids.message_uuid(position, stored.event.event_id) != uuid:
            raise _no_message()
        return stored

    async def message_by_number(
        self, requester: Requester, position: int, *, or_deleted: bool = False
    ) -> StoredEvent:
        """The message of a public integer id, under the same conditions."""
        if not 0 < position < events.NEWEST:
            raise _no_message()
        async with self._db.read() as conn:
            found = await events.events_at(conn, [position])
        return await self._shown(requester, found.get(position), or_deleted=or_deleted)

    async def place_by_uuid(self, requester: Requester, room_id: RoomId, uuid: UUID) -> int:
        """The position of a message of this room, also of one that was deleted: a place to read on from."""
        await self.room(requester, room_id)
        position = publicids.position_of(uuid)
        if not 0 < position < events.NEWEST:
            raise _no_message()
        async with self._db.read() as conn:
            stored = (await events.events_at(conn, [position])).get(position)
        if stored is None or stored.event.room_id != room_id:
            raise _no_message()
        if publicids.message_uuid(position, stored.event.event_id) != uuid:
            raise _no_message()
        return position

    async def message(
        self, requester: Requester, event_id: EventId, *, or_deleted: bool = False
    ) -> StoredEvent:
        """The message of an event id, under the same conditions."""
        async with self._db.read() as conn:
            found = await events.events_by_id(conn, [event_id])
        return await self._shown(requester, found.get(event_id), or_deleted=or_deleted)

    async def _shown(
        self, requester: Requester, stored: StoredEvent | None, *, or_deleted: bool
    ) -> StoredEvent:
        if stored is None or not (stored.shown or (or_deleted and stored.redacted_by is not None)):
            raise _no_message()
        head = await self._timeline.head(stored.event.room_id)
        if not is_open_to(head, requester.user_id):
            raise _no_message()
        return stored

    async def _room_at(self, position: int) -> RoomId:
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
    """The head of a room that the requester is in, for Matrix clients, who are told Forbidden("not_joined") else."""
    head = await timeline.head(room_id)
    if membership_in(head.state.events, requester.user_id) != "join":
        raise not_joined()
    return head


def not_joined() -> Forbidden:
    """What Matrix clients are told of a room that they are not in."""
    return Forbidden("you are not in this room", code="not_joined")


def is_open_to(head: Head, user_id: UserId) -> bool:
    """Whether a person is in the room, and it was not closed."""
    state = head.state.events
    return membership_in(state, user_id) == "join" and (CLOSED_EVENT, "") not in state


def kind_of(head: Head) -> RoomKind:
    """Private or group; a room that another server or client made is a group."""
    create = head.state.events.get(("m.room.create", ""))
    return "private" if create is not None and create.content.get(KIND_KEY) == "private" else "group"


def levels_of(head: Head) -> PowerLevels:
    """The room's power levels."""
    return PowerLevels.from_state(head.state.events, head.rules)


def role_in(head: Head, user_id: UserId) -> Role:
    """What the product APIs call a member of this power."""
    return role_of_level(levels_of(head).user(user_id))


def role_of_level(level: Level) -> Role:
    """What the product APIs call a power level."""
    return "admin" if level >= ADMIN_LEVEL else "member"


def joined_in(state: Mapping[StateKey, Event]) -> list[UserId]:
    """Everybody who is joined, by the state."""
    return [
        UserId(state_key)
        for (kind, state_key), event in state.items()
        if kind == "m.room.member" and event.membership == "join"
    ]


def _no_room() -> NotFound:
    return NotFound("no such room", code="room_not_found")


def _no_message() -> NotFound:
    return NotFound("no such message", code="message_not_found")
