"""Names of rooms on this server."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomAlias, RoomId, UserId
from homeserver.storage.schema.directory import aliases


class AliasRow(NamedTuple):
    """An alias, and who made it."""

    alias: RoomAlias
    room_id: RoomId
    creator: UserId
    created_ms: int


_FIND = select(aliases).where(aliases.c.alias.in_(bindparam("aliases", expanding=True)))
_OF_ROOM = (
    select(aliases.c.alias)
    .where(aliases.c.room_id == bindparam("of_room"))
    .order_by(aliases.c.created_ms, aliases.c.alias)
)
_COUNT = select(func.count()).where(aliases.c.room_id == bindparam("of_room"))
_ADD = insert(aliases)
_DROP = delete(aliases).where(aliases.c.alias.in_(bindparam("aliases", expanding=True)))
_MOVE = update(aliases).where(aliases.c.room_id == bindparam("of_room")).values(room_id=bindparam("to_room"))


async def find(conn: AsyncConnection, names: Collection[str]) -> dict[str, AliasRow]:
    """Those of the aliases that are there."""
    rows = await conn.execute(_FIND, {"aliases": list(names)})
    return {row.alias: AliasRow(*row) for row in rows}


async def of_room(conn: AsyncConnection, room_id: RoomId) -> list[RoomAlias]:
    """All that point to a room, the oldest first."""
    return [row.alias for row in await conn.execute(_OF_ROOM, {"of_room": room_id})]


async def count(conn: AsyncConnection, room_id: RoomId) -> int:
    """How many point to a room."""
    return (await conn.execute(_COUNT, {"of_room": room_id})).scalar_one()


async def add(conn: AsyncConnection, rows: Sequence[AliasRow]) -> None:
    """Write aliases; IntegrityError if one is taken."""
    await conn.execute(_ADD, [row._asdict() for row in rows])


async def drop(conn: AsyncConnection, names: Collection[str]) -> None:
    """Take aliases away."""
    await conn.execute(_DROP, {"aliases": list(names)})


async def move(conn: AsyncConnection, moves: Mapping[RoomId, RoomId]) -> None:
    """Let what points to the one room point to the other."""
    await conn.execute(_MOVE, [{"of_room": old, "to_room": new} for old, new in moves.items()])
