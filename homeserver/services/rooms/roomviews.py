"""Stored rooms as one user sees them: names, members, unread counts, last messages; with a fixed number of queries."""

from collections.abc import Collection, Mapping, Sequence

from homeserver.errors import NotFound
from homeserver.folding import fold_name, like_pattern
from homeserver.kit.text import one_line
from homeserver.model import Member, Message, Page, Person, Room, RoomNow, RoomPlace
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.messageviews import MessageViews
from homeserver.storage import members, memberships, rooms
from homeserver.storage.db import Database
from homeserver.storage.members import ListedRoom, MemberRow
from homeserver.storage.rooms import RoomRow
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import levels_of, role_of_level

# Of what Matrix clients have set. The product APIs take no more than that.
_MAX_NAME_CHARS = 1000
_MAX_TOPIC_CHARS = 4000


class RoomViews:
    """Makes Room and Member records of stored rooms."""

    def __init__(self, *, db: Database, profiles: Profiles, messages: MessageViews) -> None:
        self._db = db
        self._profiles = profiles
        self._messages = messages

    async def listing(
        self,
        viewer: UserId,
        *,
        service: str | None,
        service_id: str | None,
        search: str,
        page: Page,
        people_of_each: int = 0,
    ) -> list[Room]:
        """A user's open rooms, latest activity first; with at most `people_of_each` of their `people`, without
        `members`."""
        async with self._db.read() as conn:
            listed = await members.rooms_of(
                conn,
                viewer,
                service=service,
                service_id=service_id,
                pattern=like_pattern(fold_name(search.strip())) if search else "",
                limit=page.limit,
                offset=page.offset,
            )
            if people_of_each:
                of_all = [one.room.room_id for one in listed]
                rows = await members.first_members_of(conn, of_all, max(2, people_of_each))
            else:
                private = [one.room.room_id for one in listed if one.room.kind == "private"]
                rows = await members.members_of(conn, private) if private else {}
        return await self._rooms(viewer, listed, rows, shows_people=people_of_each > 0)

    async def one(self, viewer: UserId, head: Head) -> Room:
        """One of a user's rooms, with its members."""
        async with self._db.read() as conn:
            listed = await members.room_of(conn, viewer, head.room_id)
            rows = await members.members_of(conn, [head.room_id])
        if listed is None:
            raise NotFound("no such room", code="room_not_found")
        everybody = await self._members(head, rows[head.room_id])
        shown = await self._rooms(viewer, [listed], rows, {head.room_id: everybody}, shows_people=True)
        return shown[0]

    async def now(self, head: Head) -> RoomNow:
        """One room in its current state, the same for all members. Raises NotFound if it is unknown."""
        async with self._db.read() as conn:
            room = (await rooms.rooms_by_id(conn, [head.room_id])).get(head.room_id)
            rows = (await members.members_of(conn, [head.room_id]))[head.room_id]
        if room is None:
            raise NotFound("no such room", code="room_not_found")
        everybody = await self._members(head, rows)
        last = await self._last_messages([room])
        gone = (await self._gone([room])).get(room.room_id)
        named = await self._profiles.people({room.creator} | ({gone} if gone is not None else set()))
        shown = _room(
            ListedRoom(room, unread_count=0),
            creator=named.get(room.creator),
            other=named.get(gone) if gone is not None else None,
            last_message=last.get(room.room_id),
            everybody=everybody,
            people=tuple(one.person for one in everybody),
        )
        seq = room.message_seq
        return RoomNow(shown, {row.user_id: max(0, seq - row.read_seq - row.unread_removed) for row in rows})

    async def places(self, user_id: UserId, limit: int) -> list[RoomPlace]:
        """The ids and positions of a user's open rooms, latest activity first."""
        async with self._db.read() as conn:
            return (await members.room_places(conn, [user_id], limit))[user_id]

    async def room_of_key(self, key: str) -> RoomId | None:
        """The room that has this key; None if there is none."""
        async with self._db.read() as conn:
            return (await rooms.rooms_by_key(conn, [key])).get(key)

    async def members(self, head: Head) -> list[Member]:
        """All members of a room, in the order of their joins."""
        async with self._db.read() as conn:
            rows = await members.members_of(conn, [head.room_id])
        return list(await self._members(head, rows[head.room_id]))

    async def companions(self, viewer: UserId, user_ids: Collection[UserId]) -> set[UserId]:
        """The users among these that share a room with the viewer."""
        async with self._db.read() as conn:
            return await members.sharing_a_room(conn, viewer, user_ids)

    async def _members(self, head: Head, rows: Sequence[MemberRow]) -> tuple[Member, ...]:
        people = await self._profiles.people([row.user_id for row in rows])
        levels = levels_of(head)
        return tuple(
            Member(people[row.user_id], role_of_level(levels.user(row.user_id)), row.joined_ms)
            for row in rows
            if row.user_id in people
        )

    async def _rooms(
        self,
        viewer: UserId,
        listed: Sequence[ListedRoom],
        rows: Mapping[RoomId, Sequence[MemberRow]],
        with_members: Mapping[RoomId, tuple[Member, ...]] | None = None,
        *,
        shows_people: bool = False,
    ) -> list[Room]:
        last = await self._last_messages([one.room for one in listed])
        others = {
            room_id: next((row.user_id for row in people if row.user_id != viewer), None)
            for room_id, people in rows.items()
        }
        others |= await self._gone([one.room for one in listed])
        wanted = {one.room.creator for one in listed} | {one for one in others.values() if one is not None}
        if shows_people:
            wanted |= {row.user_id for those in rows.values() for row in those}
        people = await self._profiles.people(wanted)
        return [
            _room(
                one,
                creator=people.get(one.room.creator),
                other=people.get(others.get(one.room.room_id) or UserId("")),
                last_message=last.get(one.room.room_id),
                everybody=(with_members or {}).get(one.room.room_id),
                people=_those(rows[one.room.room_id], people) if shows_people else None,
            )
            for one in listed
        ]

    async def _gone(self, shown: Sequence[RoomRow]) -> dict[RoomId, UserId]:
        """The former members of the private rooms in which one is alone, as these keep the other's name."""
        alone = [room.room_id for room in shown if room.kind == "private" and room.member_count == 1]
        if not alone:
            return {}
        async with self._db.read() as conn:
            return await memberships.last_gone_of(conn, alone)

    async def _last_messages(self, listed: Sequence[RoomRow]) -> dict[RoomId, Message]:
        places = [one.last_message_position for one in listed if one.last_message_position is not None]
        return await self._messages.briefs(places, {one.room_id: one.position for one in listed})


def _those(rows: Sequence[MemberRow], people: Mapping[UserId, Person]) -> tuple[Person, ...]:
    return tuple(people[row.user_id] for row in rows if row.user_id in people)


def _room(
    listed: ListedRoom,
    *,
    creator: Person | None,
    other: Person | None,
    last_message: Message | None,
    everybody: tuple[Member, ...] | None,
    people: tuple[Person, ...] | None,
) -> Room:
    room = listed.room
    name = one_line(room.name[:_MAX_NAME_CHARS])  # and the topic: Matrix clients may have set any
    named_after_other = room.kind == "private" and not name and other is not None
    return Room(
        room_id=room.room_id,
        position=room.position,
        kind=room.kind,
        name=other.display_name if named_after_other and other is not None else name,
        topic=one_line(room.topic[:_MAX_TOPIC_CHARS]),
        creator=room.creator,
        creator_number=creator.number if creator is not None else 0,
        created_ms=room.created_ms,
        link=room.link,
        member_count=room.member_count,
        unread_count=listed.unread_count,
        last_message=last_message,
        members=everybody,
        people=people,
    )
