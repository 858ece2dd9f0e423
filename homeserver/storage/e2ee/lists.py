"""Device list changes: users whose devices changed, and users who began or ceased to share a room with a reader."""

from collections.abc import Collection
from typing import NamedTuple

import orjson
from sqlalchemy import bindparam, exists, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.e2ee import device_lists
from homeserver.storage.schema.timeline import events, members, snapshot_entries, snapshots
from homeserver.storage.state import LINK, chain_of


class Move(NamedTuple):
    """The member event of a user in a room after some position."""

    room_id: RoomId
    user_id: UserId
    membership: str
    position: LogPosition


_SET = Upsert(device_lists, ["user_id"], ["position"])
_SET_OWN = Upsert(device_lists, ["user_id"], ["own_position"])
_mine = members.alias("mine")
_theirs = members.alias("theirs")
_CHANGED = union(
    select(device_lists.c.user_id).where(
        device_lists.c.position > bindparam("after"),
        exists().where(
            _theirs.c.user_id == device_lists.c.user_id,
            _theirs.c.membership == "join",
            _mine.c.room_id == _theirs.c.room_id,
            _mine.c.user_id == bindparam("reader"),
            _mine.c.membership == "join",
        ),
    ),
    select(device_lists.c.user_id).where(
        device_lists.c.user_id == bindparam("reader"),
        or_(device_lists.c.position > bindparam("after"), device_lists.c.own_position > bindparam("after")),
    ),
)
_MOVED = (
    select(_theirs.c.room_id, _theirs.c.user_id, _theirs.c.membership, _theirs.c.position)
    .join_from(_mine, _theirs, _theirs.c.room_id == _mine.c.room_id)
    .where(
        _mine.c.user_id == bindparam("reader"),
        _mine.c.membership == "join",
        _theirs.c.user_id != bindparam("reader"),
        _theirs.c.position > bindparam("after"),
    )
)
_OWN_MOVES = select(members.c.room_id, members.c.user_id, members.c.membership, members.c.position).where(
    members.c.user_id == bindparam("reader"), members.c.position > bindparam("after")
)
_JOINED = (
    select(members.c.user_id)
    .distinct()
    .where(members.c.room_id.in_(bindparam("room_ids", expanding=True)), members.c.membership == "join")
)
_LEFT_BEHIND = (
    select(_theirs.c.user_id)
    .distinct()
    .join_from(_mine, _theirs, _theirs.c.room_id == _mine.c.room_id)
    .where(
        _mine.c.room_id.in_(bindparam("room_ids", expanding=True)),
        _mine.c.user_id == bindparam("reader"),
        _theirs.c.membership == "join",
        _theirs.c.position < _mine.c.position,  # users who joined later do not concern the reader
    )
)
_last = events.alias("last")
_state_then = (
    select(_last.c.state_id)
    .where(
        _last.c.room_id == members.c.room_id,
        _last.c.timeline_order <= bindparam("at"),
        _last.c.state_id.is_not(None),
    )
    .order_by(_last.c.timeline_order.desc())
    .limit(1)
    .scalar_subquery()
)
_then = (
    select(members.c.room_id, _state_then.label("state_id"))
    .where(
        members.c.user_id == bindparam("reader"),
        members.c.room_id.in_(bindparam("room_ids", expanding=True)),
    )
    .cte("room_then")
)
_chain = chain_of(
    select(_then.c.room_id.label("root"), *LINK).join_from(
        _then, snapshots, snapshots.c.state_id == _then.c.state_id
    )
)
_THEN = (
    select(_chain.c.root, events.c.pdu)
    .join_from(_chain, snapshot_entries, snapshot_entries.c.state_id == _chain.c.state_id)
    .join(events, events.c.event_id == snapshot_entries.c.event_id, isouter=True)
    .where(snapshot_entries.c.type == "m.room.member", snapshot_entries.c.state_key == bindparam("reader"))
    .order_by(_chain.c.back.desc())
)


async def set_changed(conn: AsyncConnection, user_ids: Collection[UserId], position: LogPosition) -> None:
    """Store that these users' devices or keys changed at a position."""
    await conn.execute(_SET.on(conn), [{"user_id": user_id, "position": position} for user_id in user_ids])


async def set_own_changed(conn: AsyncConnection, user_ids: Collection[UserId], position: LogPosition) -> None:
    """Store that keys of these users that only they may see changed at a position."""
    rows = [{"user_id": user_id, "position": LOG_START, "own_position": position} for user_id in user_ids]
    await conn.execute(_SET_OWN.on(conn), rows)


async def changed_since(conn: AsyncConnection, reader: UserId, after: LogPosition) -> set[UserId]:
    """The users sharing a room with `reader`, and `reader`, whose devices or keys changed after a position."""
    rows = await conn.execute(_CHANGED, {"reader": reader, "after": after})
    return set(rows.scalars())


async def moves_since(conn: AsyncConnection, reader: UserId, after: LogPosition) -> list[Move]:
    """Member events after a position of other users in `reader`'s rooms, the latest of each user and room.

    A new display name is a member event too, and shows here as a join.
    """
    rows = await conn.execute(_MOVED, {"reader": reader, "after": after})
    return [Move(*row) for row in rows]


async def own_moves_since(conn: AsyncConnection, reader: UserId, after: LogPosition) -> list[Move]:
    """The latest member event of `reader` in each room where there was one after a position."""
    rows = await conn.execute(_OWN_MOVES, {"reader": reader, "after": after})
    return [Move(*row) for row in rows]


async def rooms_joined_at(
    conn: AsyncConnection, reader: UserId, room_ids: Collection[RoomId], at: LogPosition
) -> set[RoomId]:
    """Those of the rooms to which `reader` was joined at a log position."""
    rows = await conn.execute(_THEN, {"reader": reader, "room_ids": list(room_ids), "at": at})
    then = {row.root: row.pdu for row in rows}  # oldest delta first, so that newer ones win
    return {
        room_id
        for room_id, pdu in then.items()
        if pdu is not None and orjson.loads(pdu)["content"].get("membership") == "join"
    }


async def joined_in(conn: AsyncConnection, room_ids: Collection[RoomId]) -> set[UserId]:
    """The users joined to any of the rooms."""
    return set((await conn.execute(_JOINED, {"room_ids": list(room_ids)})).scalars())


async def left_behind(conn: AsyncConnection, reader: UserId, room_ids: Collection[RoomId]) -> set[UserId]:
    """The users who were joined when `reader` left the rooms, and still are."""
    rows = await conn.execute(_LEFT_BEHIND, {"reader": reader, "room_ids": list(room_ids)})
    return set(rows.scalars())
