"""Room aliases of this server."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomAlias, RoomId, UserId
from homeserver.storage.schema.directory import aliases


class AliasRow(NamedTuple):
    """An alias, its room and its creator."""

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
    """Those of the aliases that exist, by name."""
    rows = await conn.execute(_FIND, {"aliases": list(names)})
    return {row.alias: AliasRow(*row) for row in rows}


async def of_room(conn: AsyncConnection, room_id: RoomId) -> list[RoomAlias]:
    """All aliases of a room, the oldest first."""
    return [row.alias for row in await conn.execute(_OF_ROOM, {"of_room": room_id})]


async def count(conn: AsyncConnection, room_id: RoomId) -> int:
    """How many aliases a room has."""
    return (await conn.execute(_COUNT, {"of_room": room_id})).scalar_one()


async def add(conn: AsyncConnection, rows: Sequence[AliasRow]) -> None:
    """Insert aliases. Raises IntegrityError if one is taken."""
    await conn.execute(_ADD, [row._asdict() for row in rows])


async def drop(conn: AsyncConnection, names: Collection[str]) -> None:
    """Delete aliases."""
    await conn.execute(_DROP, {"aliases": list(names)})


async def move(conn: AsyncConnection, moves: Mapping[RoomId, RoomId]) -> None:
    """Move all aliases of each room (the key) to another (the value)."""
    await conn.execute(_MOVE, [{"of_room": old, "to_room": new} for old, new in moves.items()])
