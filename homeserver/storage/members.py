"""Members of rooms and how far each has read; a user's list of rooms."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Select, and_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START, LogPosition, RoomPlace
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Upsert, larger
from homeserver.storage.rooms import ROOM_COLUMNS, RoomRow, room_row
from homeserver.storage.schema.people import users
from homeserver.storage.schema.timeline import members, rooms
from homeserver.storage.sqlite import UNANSWERED


@dataclass(frozen=True, slots=True)
class MemberRow:
    """The current member event of a user in a room. Users who left keep their row.

    `read_position`: how far they have read, as others see it; `own_position`: the same with private receipts.
    """

    room_id: RoomId
    user_id: UserId
    membership: str
    sender: UserId
    event_id: EventId
    position: LogPosition
    joined_ms: int
    read_position: LogPosition = LOG_START
    own_position: LogPosition = LOG_START
    read_seq: int = 0
    unread_removed: int = 0
    main_seq: int = 0


@dataclass(frozen=True, slots=True)
class ReadMove:
    """A user has read a room up to `own`, where its `message_seq` was `seq`; others see that up to `position`.

    For the counts of Matrix clients: `seen` is the position up to which the room is read with all its threads, `main`
    that without threads, where the room's `notify_seq` was `main_seq`. None leaves the stored value unchanged.
    """

    room_id: RoomId
    user_id: UserId
    position: LogPosition | None = None
    own: LogPosition | None = None
    seq: int = 0
    seen: LogPosition | None = None
    main: LogPosition | None = None
    main_seq: int = 0


class ReadSpan(NamedTuple):
    """What a joined member has read: everything after their join, up to `upto`."""

    joined: LogPosition
    upto: LogPosition


@dataclass(frozen=True, slots=True)
class ListedRoom:
    """A room in a user's list, with that user's unread count."""

    room: RoomRow
    unread_count: int


_CHANGED = ["membership", "sender", "event_id", "position", "forgotten"]
_SET_JOINED = Upsert(
    members,
    ["room_id", "user_id"],
    [
        *(*_CHANGED, "joined_ms", "joined_position", "read_position", "own_position", "read_seq"),
        *("unread_removed", "seen_position", "main_position", "main_seq"),
    ],
)
_SET_OTHERS = Upsert(members, ["room_id", "user_id"], _CHANGED)
_OF_ROOMS = (
    select(members)
    .where(members.c.room_id.in_(bindparam("room_ids", expanding=True)), members.c.membership == "join")
    .order_by(members.c.joined_ms, members.c.position)
)
_numbered = (
    select(
        members,
        func.row_number()
        .over(partition_by=members.c.room_id, order_by=(members.c.joined_ms, members.c.position))
        .label("place"),
    )
    .where(members.c.room_id.in_(bindparam("room_ids", expanding=True)), members.c.membership == "join")
    .subquery()
)
_FIRST_OF_ROOMS = select(_numbered).where(_numbered.c.place <= bindparam("most")).order_by(_numbered.c.place)
_ROOMS_OF = (
    select(members.c.user_id, rooms.c.room_id, rooms.c.position)
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(
        members.c.user_id.in_(bindparam("user_ids", expanding=True)),
        members.c.membership == "join",
        ~rooms.c.closed,
    )
    .order_by(rooms.c.active_position.desc())
    .limit(bindparam("count"))
)
_ONE = select(members).where(
    members.c.room_id == bindparam("of_room"), members.c.user_id == bindparam("of_user")
)
_JOINED = (
    select(members.c.room_id)
    .where(members.c.user_id == bindparam("of_user"), members.c.membership == "join")
    .order_by(members.c.position)
)
_WITH = (
    select(members.c.room_id)
    .where(
        members.c.user_id == bindparam("of_user"),
        members.c.membership.in_(bindparam("memberships", expanding=True)),
    )
    .order_by(members.c.position)
)
_JOINED_AMONG = _JOINED.where(members.c.room_id.in_(bindparam("room_ids", expanding=True)))
_room = rooms.c.room_id == bindparam("of_room")
_is_further = members.c.own_position < bindparam("own", type_=BigInteger)
_READ = (
    update(members)
    .where(
        members.c.room_id == bindparam("of_room"),
        members.c.user_id == bindparam("of_user"),
        or_(
            _is_further,
            members.c.read_position < bindparam("at", type_=BigInteger),
            members.c.seen_position < bindparam("seen", type_=BigInteger),
            members.c.main_position < bindparam("main", type_=BigInteger),
        ),
    )
    .values(
        read_position=larger(members.c.read_position, bindparam("at", type_=BigInteger)),
        own_position=larger(members.c.own_position, bindparam("own", type_=BigInteger)),
        # Messages deleted after the room's last one are not unread either.
        read_seq=case(
            (~_is_further, members.c.read_seq),
            (
                select(rooms.c.last_message_position).where(_room).scalar_subquery() <= bindparam("own"),
                select(rooms.c.message_seq).where(_room).scalar_subquery(),
            ),
            else_=bindparam("seq"),
        ),
        unread_removed=case((_is_further, 0), else_=members.c.unread_removed),
        seen_position=larger(members.c.seen_position, bindparam("seen", type_=BigInteger)),
        main_position=larger(members.c.main_position, bindparam("main", type_=BigInteger)),
        main_seq=larger(members.c.main_seq, bindparam("main_seq", type_=BigInteger)),
    )
    .execution_options(**UNANSWERED)
)
_UNREAD_REMOVED = (
    update(members)
    .where(
        members.c.room_id == bindparam("of_room"),
        members.c.own_position < bindparam("at"),
        members.c.membership == "join",
    )
    .values(unread_removed=members.c.unread_removed + 1)
)
_READERS = select(members.c.user_id, members.c.joined_position, members.c.read_position).where(
    members.c.room_id == bindparam("of_room"),
    members.c.membership == "join",
    members.c.read_position >= bindparam("since"),
)
_others = members.alias("others")
_found_person = exists().where(
    _others.c.room_id == rooms.c.room_id,
    _others.c.user_id != bindparam("of_user"),
    _others.c.membership == "join",
    users.c.user_id == _others.c.user_id,
    users.c.search_text.like(bindparam("pattern"), escape="\\"),
)
_LIST = (
    select(
        *ROOM_COLUMNS,
        (rooms.c.message_seq - members.c.read_seq - members.c.unread_removed).label("unread_count"),
    )
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(members.c.user_id == bindparam("of_user"), members.c.membership == "join", ~rooms.c.closed)
    .order_by(rooms.c.active_position.desc())
    .limit(bindparam("count"))
    .offset(bindparam("skip"))
)
_in_service = rooms.c.service == bindparam("of_service")
_of_object = and_(_in_service, rooms.c.service_id == bindparam("of_service_id"))
_named_like = or_(
    rooms.c.name_folded.like(bindparam("pattern"), escape="\\"),
    and_(rooms.c.kind == "private", _found_person),
)
# Every combination of filters, as a statement built once: {(by service, by object, by name): statement}.
_LISTS: dict[tuple[bool, bool, bool], Select[Any]] = {
    (by_service, by_object, by_name): _LIST.where(
        *([_of_object] if by_object else [_in_service] if by_service else []),
        *([_named_like] if by_name else []),
    )
    for by_service in (False, True)
    for by_object in (False, True)
    for by_name in (False, True)
}
_ONE_LISTED = _LIST.where(rooms.c.room_id == bindparam("of_room"))
_SHARED = (
    select(_others.c.user_id)
    .distinct()
    .join_from(members, _others, _others.c.room_id == members.c.room_id)
    .where(
        members.c.user_id == bindparam("of_user"),
        members.c.membership == "join",
        _others.c.membership == "join",
        _others.c.user_id.in_(bindparam("user_ids", expanding=True)),
    )
)


async def set_joined(conn: AsyncConnection, rows: Sequence[MemberRow]) -> None:
    """Write the member events of users who joined; all earlier messages count as read for them."""
    await conn.execute(_SET_JOINED.on(conn), [_row(row) for row in rows])


async def set_members(conn: AsyncConnection, rows: Sequence[MemberRow]) -> None:
    """Write any other current member events; read positions stay."""
    await conn.execute(_SET_OTHERS.on(conn), [_row(row) for row in rows])


async def members_of(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[RoomId, list[MemberRow]]:
    """The joined members of each room, in the order of joining."""
    found: dict[RoomId, list[MemberRow]] = {room_id: [] for room_id in room_ids}
    for row in await conn.execute(_OF_ROOMS, {"room_ids": list(room_ids)}):
        found[row.room_id].append(_member(row))
    return found


async def first_members_of(
    conn: AsyncConnection, room_ids: Collection[RoomId], most: int
) -> dict[RoomId, list[MemberRow]]:
    """The first joined members of each room, at most `limit` of each, in the order of joining."""
    found: dict[RoomId, list[MemberRow]] = {room_id: [] for room_id in room_ids}
    for row in await conn.execute(_FIRST_OF_ROOMS, {"room_ids": list(room_ids), "most": most}):
        found[row.room_id].append(_member(row))
    return found


async def room_places(
    conn: AsyncConnection, user_ids: Collection[UserId], limit: int
) -> dict[UserId, list[RoomPlace]]:
    """The open rooms of each user, latest activity first; at most `limit` altogether."""
    found: dict[UserId, list[RoomPlace]] = {user_id: [] for user_id in user_ids}
    for row in await conn.execute(_ROOMS_OF, {"user_ids": list(user_ids), "count": limit}):
        found[row.user_id].append(RoomPlace(row.room_id, row.position))
    return found


async def member(conn: AsyncConnection, room_id: RoomId, user_id: UserId) -> MemberRow | None:
    """A user's current member event in a room."""
    row = (await conn.execute(_ONE, {"of_room": room_id, "of_user": user_id})).one_or_none()
    return None if row is None else _member(row)


async def joined_rooms(conn: AsyncConnection, user_id: UserId) -> list[RoomId]:
    """Every room that a user is joined to, closed ones too."""
    return [row.room_id for row in await conn.execute(_JOINED, {"of_user": user_id})]


async def rooms_with(conn: AsyncConnection, user_id: UserId, memberships: Collection[str]) -> list[RoomId]:
    """The rooms in which a user has one of these memberships."""
    values = {"of_user": user_id, "memberships": list(memberships)}
    return [row.room_id for row in await conn.execute(_WITH, values)]


async def joined_among(conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]) -> list[RoomId]:
    """Those of the rooms that a user is joined to."""
    values = {"of_user": user_id, "room_ids": list(room_ids)}
    return [row.room_id for row in await conn.execute(_JOINED_AMONG, values)]


async def move_read(conn: AsyncConnection, moves: Sequence[ReadMove]) -> None:
    """Move read positions forward; a position that is further already stays."""
    rows = [
        {
            "of_room": move.room_id,
            "of_user": move.user_id,
            "at": LOG_START if move.position is None else move.position,
            "own": LOG_START if move.own is None else move.own,
            "seq": move.seq,
            "seen": LOG_START if move.seen is None else move.seen,
            "main": LOG_START if move.main is None else move.main,
            "main_seq": move.main_seq,
        }
        for move in moves
    ]
    await conn.execute(_READ, rows)


async def count_removed(conn: AsyncConnection, removed: Sequence[tuple[RoomId, LogPosition]]) -> None:
    """Messages, as (room, position), were deleted: lower the unread counts of members who had not read them."""
    rows = [{"of_room": room_id, "at": position} for room_id, position in removed]
    await conn.execute(_UNREAD_REMOVED, rows)


async def readers_since(
    conn: AsyncConnection, room_id: RoomId, position: LogPosition
) -> dict[UserId, ReadSpan]:
    """What the joined members have read who have read up to `position` or further."""
    rows = await conn.execute(_READERS, {"of_room": room_id, "since": position})
    return {row.user_id: ReadSpan(row.joined_position, row.read_position) for row in rows}


async def rooms_of(
    conn: AsyncConnection,
    user_id: UserId,
    *,
    service: str | None = None,
    service_id: str | None = None,
    pattern: str = "",
    limit: int,
    offset: int = 0,
) -> list[ListedRoom]:
    """A user's open rooms, latest activity first. `pattern` is a LIKE pattern with backslash escapes."""
    statement = _LISTS[service is not None, service is not None and service_id is not None, bool(pattern)]
    values = {
        "of_user": user_id,
        "of_service": service,
        "of_service_id": service_id,
        "pattern": pattern,
        "count": limit,
        "skip": offset,
    }
    return [_listed(row) for row in await conn.execute(statement, values)]


async def room_of(conn: AsyncConnection, user_id: UserId, room_id: RoomId) -> ListedRoom | None:
    """One room as it stands in a user's list; None if it is not in it."""
    values = {"of_user": user_id, "of_room": room_id, "count": 1, "skip": 0}
    row = (await conn.execute(_ONE_LISTED, values)).one_or_none()
    return None if row is None else _listed(row)


async def sharing_a_room(conn: AsyncConnection, user_id: UserId, user_ids: Collection[UserId]) -> set[UserId]:
    """Those of `user_ids` who share a room with this user."""
    rows = await conn.execute(_SHARED, {"of_user": user_id, "user_ids": list(user_ids)})
    return {row.user_id for row in rows}


def _listed(row: Any) -> ListedRoom:
    return ListedRoom(room_row(row), max(0, row.unread_count))


def _member(row: Any) -> MemberRow:
    return MemberRow(
        room_id=row.room_id,
        user_id=row.user_id,
        membership=row.membership,
        sender=row.sender,
        event_id=row.event_id,
        position=row.position,
        joined_ms=row.joined_ms,
        read_position=row.read_position,
        own_position=row.own_position,
        read_seq=row.read_seq,
        unread_removed=row.unread_removed,
    )


def _row(row: MemberRow) -> dict[str, Any]:
    return {
        "room_id": row.room_id,
        "user_id": row.user_id,
        "membership": row.membership,
        "sender": row.sender,
        "event_id": row.event_id,
        "position": row.position,
        "joined_ms": row.joined_ms,
        "joined_position": row.position,
        "read_position": row.read_position,
        "own_position": row.own_position,
        "read_seq": row.read_seq,
        "unread_removed": 0,
        "seen_position": row.read_position,
        "main_position": row.read_position,
        "main_seq": row.main_seq,
        "forgotten": False,
    }
