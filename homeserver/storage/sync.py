"""Statements of /sync: each reads all rooms of a user at once, so that the number of statements is fixed."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, and_, bindparam, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import EntryKind, LogPosition, Place
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Rows, rows_of
from homeserver.storage.events import SELECT_EVENTS, Status, StoredEvent, stored_event
from homeserver.storage.log import Entry, plain_entry
from homeserver.storage.schema.timeline import events, log, members, rooms

HEROES = 5  # members named in `m.heroes`, after whom a room without a name is displayed


class OwnRoom(NamedTuple):
    """A room that a user has a member event in; `name` may be empty.

    `position` is of the member event, `head_position` of the room's last event, `active_position` of the last one that
    moves a room up in lists.
    """

    room_id: RoomId
    membership: str
    sender: UserId
    event_id: EventId
    position: LogPosition
    name: str
    head_position: LogPosition
    active_position: LogPosition
    forgotten: bool


class RoomPeer(NamedTuple):
    """Another member of a room."""

    user_id: UserId
    membership: str


_in_rooms: BindParameter[Any] = bindparam("room_ids", expanding=True)
_reader: BindParameter[Any] = bindparam("reader")
_after: BindParameter[LogPosition] = bindparam("after")
_places = Rows("places")  # (room, place) for each
_place_room, _place = _places.text(0), _places.number(1)
_until: BindParameter[LogPosition] = bindparam("until")
_OWN = (
    select(
        members.c.room_id,
        members.c.membership,
        members.c.sender,
        members.c.event_id,
        members.c.position,
        rooms.c.name,
        rooms.c.head_position,
        rooms.c.active_position,
        members.c.forgotten,
    )
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(members.c.user_id == _reader)
)
_OWN_AMONG = _OWN.where(members.c.room_id.in_(_in_rooms))
_PRIVATE_OTHERS = (
    select(members.c.room_id, members.c.user_id)
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(
        members.c.room_id.in_(_in_rooms),
        rooms.c.kind == "private",
        members.c.user_id != _reader,
        members.c.membership == "join",
    )
    .order_by(members.c.position)
)
_older = events.alias("older")
_end = case(
    (members.c.membership == "join", _until), (members.c.position < _until, members.c.position), else_=_until
)
_edges = (  # for each room where its last events begin; looked up once per room, hence the offset
    select(
        members.c.room_id,
        _end.label("edge_end"),
        func.coalesce(
            select(_older.c.timeline_order)
            .where(
                _older.c.room_id == members.c.room_id,
                _older.c.status == int(Status.ACCEPTED),
                _older.c.timeline_order > _place,
                _older.c.timeline_order <= _end,
            )
            .order_by(_older.c.timeline_order.desc())
            .limit(1)
            .offset(bindparam("more"))
            .correlate(members, _places.table)
            .scalar_subquery(),
            _place + 1,
        ).label("edge"),
    )
    .join_from(_places.table, members, members.c.room_id == _place_room)
    .where(members.c.user_id == _reader)
    .offset(0)
    .subquery()
)
_LAST = (
    SELECT_EVENTS.join(_edges, _edges.c.room_id == events.c.room_id)
    .where(
        events.c.status == int(Status.ACCEPTED),
        events.c.timeline_order >= _edges.c.edge,
        events.c.timeline_order <= _edges.c.edge_end,
    )
    .order_by(events.c.timeline_order)
)
_STATE_BETWEEN = (
    SELECT_EVENTS.join(_places.table, events.c.room_id == _place_room)
    .where(
        events.c.status == int(Status.ACCEPTED),
        events.c.state_key.is_not(None),
        events.c.timeline_order > _place,
        events.c.timeline_order <= _until,
    )
    .order_by(events.c.timeline_order)
)
_state_id = (
    select(_older.c.state_id)
    .where(
        _older.c.room_id == _place_room,
        _older.c.status == int(Status.ACCEPTED),
        _older.c.timeline_order <= _place,
    )
    .order_by(_older.c.timeline_order.desc())
    .limit(1)
    .correlate(_places.table)
    .scalar_subquery()
)
_STATE_IDS = select(_place_room.label("room_id"), _state_id.label("state_id")).select_from(_places.table)
_COUNTS = (
    select(members.c.room_id, members.c.membership, func.count().label("people"))
    .where(members.c.room_id.in_(_in_rooms), members.c.membership.in_(("join", "invite")))
    .group_by(members.c.room_id, members.c.membership)
)
_is_here = case((members.c.membership.in_(("join", "invite")), 0), else_=1)
_ranked = (
    select(
        members.c.room_id,
        members.c.user_id,
        members.c.membership,
        func.row_number()
        .over(partition_by=members.c.room_id, order_by=(_is_here, members.c.joined_ms, members.c.position))
        .label("place"),
    )
    .where(members.c.room_id.in_(_in_rooms), members.c.user_id != _reader)
    .subquery()
)
_COMPANIONS = select(_ranked).where(_ranked.c.place <= HEROES).order_by(_ranked.c.place)
_is_event = log.c.kind == EntryKind.EVENT.value
_in_gap = and_(log.c.position > _after, log.c.position <= _until)
_STIRRED = select(log.c.room_id).distinct().where(log.c.room_id.in_(_in_rooms), _in_gap, _is_event)
_NEWS = (
    select(log)
    .where(_in_gap, ~_is_event, or_(log.c.room_id.in_(_in_rooms), log.c.user_id == _reader))
    .order_by(log.c.position)
)
_LINES = (
    SELECT_EVENTS.where(
        events.c.room_id.in_(_in_rooms),
        events.c.status == int(Status.ACCEPTED),
        events.c.type.in_(("m.room.history_visibility", "m.room.member")),
        events.c.state_key.in_(("", _reader)),
    )
).order_by(events.c.timeline_order)


async def private_others(
    conn: AsyncConnection, reader: UserId, room_ids: Collection[RoomId]
) -> dict[RoomId, list[UserId]]:
    """The other member of those of the rooms that are private rooms of a product API."""
    found: dict[RoomId, list[UserId]] = {}
    for row in await conn.execute(_PRIVATE_OTHERS, {"reader": reader, "room_ids": list(room_ids)}):
        found.setdefault(row.room_id, []).append(row.user_id)
    return found


async def own_rooms(conn: AsyncConnection, user_id: UserId) -> list[OwnRoom]:
    """Every room that a user is or was joined to, or is invited to."""
    return [OwnRoom._make(row) for row in await conn.execute(_OWN, {"reader": user_id})]


async def own_rooms_among(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]
) -> list[OwnRoom]:
    """Those of the rooms in which the user has a member event."""
    values = {"reader": user_id, "room_ids": list(room_ids)}
    return [OwnRoom(*row) for row in await conn.execute(_OWN_AMONG, values)]


async def last_events(
    conn: AsyncConnection,
    user_id: UserId,
    starts: Mapping[RoomId, Place],
    *,
    until: Place,
    limit: int,
) -> dict[RoomId, list[StoredEvent]]:
    """The last `limit` events of each room after its start and up to a place, the oldest first.

    In rooms that the user is not joined to any more, the timeline ends with their own member event.
    """
    values = {"reader": user_id, "places": rows_of(list(starts.items())), "until": until, "more": limit - 1}
    return _by_room(starts, await conn.execute(_LAST, values))


async def state_between(
    conn: AsyncConnection, starts: Mapping[RoomId, Place], *, until: Place
) -> dict[RoomId, list[StoredEvent]]:
    """The state events of each room after its start and up to a place."""
    values = {"places": rows_of(list(starts.items())), "until": until}
    return _by_room(starts, await conn.execute(_STATE_BETWEEN, values))


async def state_ids_at(conn: AsyncConnection, places: Mapping[RoomId, Place]) -> dict[RoomId, int]:
    """The state snapshot of each room at its place; rooms that did not exist there are left out."""
    rows = await conn.execute(_STATE_IDS, {"places": rows_of(list(places.items()))})
    return {row.room_id: row.state_id for row in rows if row.state_id is not None}


async def member_counts(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[tuple[RoomId, str], int]:
    """How many members each room has, by (room, membership): joined and invited ones."""
    rows = await conn.execute(_COUNTS, {"room_ids": list(room_ids)})
    return {(row.room_id, row.membership): row.people for row in rows}


async def companions(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]
) -> dict[RoomId, list[RoomPeer]]:
    """The first few other members of each room, joined or invited ones first."""
    found: dict[RoomId, list[RoomPeer]] = {room_id: [] for room_id in room_ids}
    for row in await conn.execute(_COMPANIONS, {"reader": user_id, "room_ids": list(room_ids)}):
        found[row.room_id].append(RoomPeer(row.user_id, row.membership))
    return found


async def stirred_rooms(
    conn: AsyncConnection, room_ids: Collection[RoomId], *, after: LogPosition, until: LogPosition
) -> set[RoomId]:
    """Those of the rooms that had events between two log positions."""
    values = {"room_ids": list(room_ids), "after": after, "until": until}
    return {row.room_id for row in await conn.execute(_STIRRED, values)}


async def news_for(
    conn: AsyncConnection,
    user_id: UserId,
    room_ids: Collection[RoomId],
    *,
    after: LogPosition,
    until: LogPosition,
) -> list[Entry]:
    """The log entries between two positions that are no events, of these rooms or this user."""
    values = {"reader": user_id, "room_ids": list(room_ids), "after": after, "until": until}
    return [plain_entry(row) for row in await conn.execute(_NEWS, values)]


async def sight_lines(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]
) -> dict[RoomId, list[StoredEvent]]:
    """The events that decide what a user may see of each room: its history visibility, and the user's membership."""
    return _by_room(room_ids, await conn.execute(_LINES, {"reader": user_id, "room_ids": list(room_ids)}))


def _by_room(room_ids: Collection[RoomId], rows: Any) -> dict[RoomId, list[StoredEvent]]:
    found: dict[RoomId, list[StoredEvent]] = {room_id: [] for room_id in room_ids}
    for row in rows:
        one = stored_event(row)
        found[one.event.room_id].append(one)
    return found
