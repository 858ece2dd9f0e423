"""A user's membership in each of many rooms, rooms in common with another user, forgotten rooms, and former members."""

from collections.abc import Collection

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import RoomPlace
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.members import MemberRow
from homeserver.storage.schema.timeline import members, rooms

_OF_ROOMS = select(members.c.room_id, members.c.membership).where(
    members.c.user_id == bindparam("of_user"), members.c.room_id.in_(bindparam("room_ids", expanding=True))
)
_others = members.alias("others")
_MUTUAL = (
    select(members.c.room_id, rooms.c.position)
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .join(_others, _others.c.room_id == members.c.room_id)
    .where(
        members.c.user_id == bindparam("of_user"),
        members.c.membership == "join",
        _others.c.user_id == bindparam("of_other"),
        _others.c.membership == "join",
    )
    .order_by(rooms.c.position)
)
_one = (members.c.room_id == bindparam("of_room"), members.c.user_id == bindparam("of_user"))
_FORGET = update(members).where(*_one, members.c.position == bindparam("at")).values(forgotten=True)
_FORGOTTEN = select(members.c.room_id).where(
    members.c.user_id == bindparam("of_user"),
    members.c.room_id.in_(bindparam("room_ids", expanding=True)),
    members.c.forgotten,
)
_GONE = (
    select(members.c.room_id, members.c.user_id)
    .where(
        members.c.room_id.in_(bindparam("room_ids", expanding=True)),
        members.c.membership.in_(("leave", "ban")),
    )
    .order_by(members.c.position)
)


async def memberships(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]
) -> dict[RoomId, str]:
    """A user's membership in each of the rooms where they have one."""
    rows = await conn.execute(_OF_ROOMS, {"of_user": user_id, "room_ids": list(room_ids)})
    return {row.room_id: row.membership for row in rows}


async def mutual_rooms(conn: AsyncConnection, user_id: UserId, other: UserId) -> list[RoomPlace]:
    """The rooms that both users are joined to, the oldest first."""
    rows = await conn.execute(_MUTUAL, {"of_user": user_id, "of_other": other})
    return [RoomPlace(row.room_id, row.position) for row in rows]


async def forget(conn: AsyncConnection, rows: Collection[MemberRow]) -> None:
    """Mark rooms as forgotten by users, unless the membership has changed since."""
    values = [{"of_room": row.room_id, "of_user": row.user_id, "at": row.position} for row in rows]
    await conn.execute(_FORGET, values)


async def forgotten_among(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[RoomId]
) -> set[RoomId]:
    """Those of the rooms that a user has forgotten and not rejoined or been invited to since."""
    values = {"of_user": user_id, "room_ids": list(room_ids)}
    return set((await conn.execute(_FORGOTTEN, values)).scalars())


async def last_gone_of(conn: AsyncConnection, room_ids: Collection[RoomId]) -> dict[RoomId, UserId]:
    """The former member of each room who left it last."""
    rows = await conn.execute(_GONE, {"room_ids": list(room_ids)})
    return {row.room_id: row.user_id for row in rows}
