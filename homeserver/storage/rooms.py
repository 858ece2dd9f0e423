"""Rooms: their heads, their fields in room lists, and the unique keys by which they are found or created."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.folding import fold_name
from homeserver.model import Link, LogPosition, RoomKind
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.schema.timeline import events, room_keys, rooms, snapshots
from homeserver.storage.sqlite import UNANSWERED


@dataclass(frozen=True, slots=True)
class HeadRow:
    """A room's head: `head_position` is that of its last event and tells whether a cached head is current."""

    room_id: RoomId
    position: LogPosition
    version: str
    head_position: LogPosition
    extremities: tuple[EventId, ...]
    depth: int
    state_id: int
    state_chain: int  # deltas between this state and its last whole ancestor
    message_seq: int
    notify_seq: int


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room's fields in room lists."""

    room_id: RoomId
    position: LogPosition
    creator: UserId
    created_ms: int
    kind: RoomKind
    name: str
    topic: str
    link: Link | None
    closed: bool
    message_seq: int
    last_message_position: LogPosition | None
    active_position: LogPosition
    member_count: int


@dataclass(frozen=True, slots=True)
class NewRoom:
    """A room to be inserted, in the transaction of its create event."""

    head: HeadRow
    creator: UserId
    created_ms: int
    kind: RoomKind


@dataclass(frozen=True, slots=True)
class HeadMove:
    """How a transaction changed a room's head. `last_message_position`: None if there was no message."""

    room_id: RoomId
    head_position: LogPosition
    extremities: tuple[EventId, ...]
    depth: int
    state_id: int
    message_seq: int
    notify_seq: int
    last_message_position: LogPosition | None
    active_position: LogPosition | None
    joined: int  # the change of the number of joined members


ROOM_COLUMNS = (
    rooms.c.room_id,
    rooms.c.position.label("room_position"),
    rooms.c.creator,
    rooms.c.created_ms,
    rooms.c.kind,
    rooms.c.name,
    rooms.c.topic,
    rooms.c.service,
    rooms.c.service_id,
    rooms.c.closed,
    rooms.c.message_seq,
    rooms.c.last_message_position,
    rooms.c.active_position,
    rooms.c.member_count,
)
_HEAD = select(
    rooms.c.room_id,
    rooms.c.position,
    rooms.c.version,
    rooms.c.head_position,
    rooms.c.extremities,
    rooms.c.depth,
    rooms.c.state_id,
    snapshots.c.chain,
    rooms.c.message_seq,
    rooms.c.notify_seq,
).join_from(rooms, snapshots, snapshots.c.state_id == rooms.c.state_id)
_HEAD_OF = _HEAD.where(rooms.c.room_id == bindparam("of_room"))
_LOCK = (  # in the order of ids, so that two workers never deadlock
    select(rooms.c.room_id, rooms.c.head_position)
    .where(rooms.c.room_id.in_(bindparam("room_ids", expanding=True)))
    .order_by(rooms.c.room_id)
    .with_for_update(key_share=True)
)
_ADD = insert(rooms)
_MOVE = (
    update(rooms)
    .where(rooms.c.room_id == bindparam("of_room"))
    .values(
        head_position=bindparam("new_head"),
        extremities=bindparam("new_extremities"),
        depth=bindparam("new_depth"),
        state_id=bindparam("new_state"),
        message_seq=bindparam("new_seq"),
        notify_seq=bindparam("new_notify_seq"),
        last_message_position=func.coalesce(bindparam("new_last"), rooms.c.last_message_position),
        active_position=func.coalesce(bindparam("new_active"), rooms.c.active_position),
        member_count=rooms.c.member_count + bindparam("joined"),
    )
    .execution_options(**UNANSWERED)
)
_SET_NAME = (
    update(rooms)
    .where(rooms.c.room_id == bindparam("of_room"))
    .values(name=bindparam("new_name"), name_folded=bindparam("new_folded"))
)
_SET_TOPIC = update(rooms).where(rooms.c.room_id == bindparam("of_room")).values(topic=bindparam("new_topic"))
_SET_LINK = (
    update(rooms)
    .where(rooms.c.room_id == bindparam("of_room"))
    .values(service=bindparam("new_service"), service_id=bindparam("new_service_id"))
)
_CLOSE = update(rooms).where(rooms.c.room_id.in_(bindparam("room_ids", expanding=True))).values(closed=True)
_REOPEN = update(rooms).where(rooms.c.room_id.in_(bindparam("room_ids", expanding=True))).values(closed=False)
_FIND_LAST = (  # after a redaction the last message may be another one
    update(rooms)
    .where(rooms.c.room_id.in_(bindparam("room_ids", expanding=True)))
    .values(
        last_message_position=select(func.max(events.c.position))
        .where(events.c.room_id == rooms.c.room_id, events.c.shown)
        .scalar_subquery()
    )
)
_BY_ID = select(*ROOM_COLUMNS).where(rooms.c.room_id.in_(bindparam("room_ids", expanding=True)))
_ID_AT = select(rooms.c.room_id).where(rooms.c.position == bindparam("at"))
_KEYS = select(room_keys).where(room_keys.c.room_key.in_(bindparam("keys", expanding=True)))
_ADD_KEY = insert(room_keys)
_FREE_KEYS = delete(room_keys).where(room_keys.c.room_id.in_(bindparam("room_ids", expanding=True)))


async def lock_heads(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[RoomId, LogPosition]:
    """Lock the rooms' rows for this transaction and return the positions of their heads."""
    rows = await conn.execute(_LOCK, {"room_ids": list(room_ids)})
    return {row.room_id: row.head_position for row in rows}


async def head_of(conn: AsyncConnection, room_id: RoomId) -> HeadRow | None:
    """The head of a room, or None if there is no such room."""
    row = (await conn.execute(_HEAD_OF, {"of_room": room_id})).one_or_none()
    if row is None:
        return None
    return HeadRow(
        room_id=row.room_id,
        position=row.position,
        version=row.version,
        head_position=row.head_position,
        extremities=tuple(orjson.loads(row.extremities)),
        depth=row.depth,
        state_id=row.state_id,
        state_chain=row.chain,
        message_seq=row.message_seq,
        notify_seq=row.notify_seq,
    )


async def add_rooms(conn: AsyncConnection, new: Sequence[NewRoom]) -> None:
    """Insert rooms."""
    await conn.execute(_ADD, [_new_row(room) for room in new])


async def move_heads(conn: AsyncConnection, moves: Sequence[HeadMove]) -> None:
    """Set the heads of rooms whose rows are locked."""
    await conn.execute(_MOVE, [_move_row(move) for move in moves])


async def set_names(conn: AsyncConnection, names: Mapping[RoomId, str]) -> None:
    """Set the rooms' names in room lists."""
    rows = [{"of_room": r, "new_name": name, "new_folded": fold_name(name)} for r, name in names.items()]
    await conn.execute(_SET_NAME, rows)


async def set_topics(conn: AsyncConnection, topics: Mapping[RoomId, str]) -> None:
    """Set the rooms' topics in room lists."""
    await conn.execute(_SET_TOPIC, [{"of_room": r, "new_topic": topic} for r, topic in topics.items()])


async def set_links(conn: AsyncConnection, links: Mapping[RoomId, Link | None]) -> None:
    """Set the host objects that the rooms belong to."""
    rows = [
        {
            "of_room": room_id,
            "new_service": link.service if link else None,
            "new_service_id": link.service_id if link else None,
        }
        for room_id, link in links.items()
    ]
    await conn.execute(_SET_LINK, rows)


async def close_rooms(conn: AsyncConnection, room_ids: Collection[RoomId]) -> None:
    """Mark rooms as closed, and free their keys."""
    await conn.execute(_CLOSE, {"room_ids": list(room_ids)})
    await free_keys(conn, room_ids)


async def reopen_rooms(conn: AsyncConnection, room_ids: Collection[RoomId]) -> None:
    """Mark rooms as open; they do not get their former keys back."""
    await conn.execute(_REOPEN, {"room_ids": list(room_ids)})


async def find_last_messages(conn: AsyncConnection, room_ids: Collection[RoomId]) -> None:
    """Recompute the rooms' last messages."""
    await conn.execute(_FIND_LAST, {"room_ids": list(room_ids)})


async def rooms_by_id(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[RoomId, RoomRow]:
    """Rooms by id; unknown ones are left out."""
    rows = await conn.execute(_BY_ID, {"room_ids": list(room_ids)})
    return {row.room_id: room_row(row) for row in rows}


async def room_at(conn: AsyncConnection, position: LogPosition) -> RoomId | None:
    """The room whose create event has this position."""
    return (await conn.execute(_ID_AT, {"at": position})).scalar_one_or_none()


async def rooms_by_key(conn: AsyncConnection, keys: Collection[str]) -> dict[str, RoomId]:
    """The rooms that hold these keys."""
    rows = await conn.execute(_KEYS, {"keys": list(keys)})
    return {row.room_key: row.room_id for row in rows}


async def add_keys(conn: AsyncConnection, keys: Mapping[str, RoomId]) -> None:
    """Assign keys to rooms. Raises IntegrityError if one is taken."""
    await conn.execute(_ADD_KEY, [{"room_key": key, "room_id": room_id} for key, room_id in keys.items()])


async def free_keys(conn: AsyncConnection, room_ids: Collection[RoomId]) -> None:
    """Delete all keys of these rooms."""
    await conn.execute(_FREE_KEYS, {"room_ids": list(room_ids)})


def room_row(row: Row[*tuple[Any, ...]]) -> RoomRow:
    """The record of a row that has ROOM_COLUMNS."""
    return RoomRow(
        room_id=row.room_id,
        position=row.room_position,
        creator=row.creator,
        created_ms=row.created_ms,
        kind=row.kind,
        name=row.name,
        topic=row.topic,
        link=Link(row.service, row.service_id) if row.service is not None else None,
        closed=row.closed,
        message_seq=row.message_seq,
        last_message_position=row.last_message_position,
        active_position=row.active_position,
        member_count=row.member_count,
    )


def _new_row(room: NewRoom) -> dict[str, Any]:
    head = room.head
    return {
        "room_id": head.room_id,
        "position": head.position,
        "version": head.version,
        "creator": room.creator,
        "created_ms": room.created_ms,
        "kind": room.kind,
        "head_position": head.head_position,
        "extremities": _ids_json(head.extremities),
        "depth": head.depth,
        "state_id": head.state_id,
        "message_seq": head.message_seq,
        "notify_seq": head.notify_seq,
        "active_position": head.head_position,
    }


def _move_row(move: HeadMove) -> dict[str, Any]:
    return {
        "of_room": move.room_id,
        "new_head": move.head_position,
        "new_extremities": _ids_json(move.extremities),
        "new_depth": move.depth,
        "new_state": move.state_id,
        "new_seq": move.message_seq,
        "new_notify_seq": move.notify_seq,
        "new_last": move.last_message_position,
        "new_active": move.active_position,
        "joined": move.joined,
    }


def _ids_json(event_ids: Sequence[EventId]) -> str:
    return orjson.dumps(event_ids).decode()
