"""Profile fields other than display name and avatar."""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.people import profile_fields

_OF = select(profile_fields.c.name, profile_fields.c.value).where(
    profile_fields.c.user_id == bindparam("of_user")
)
_SIZE = select(
    func.coalesce(func.sum(func.length(profile_fields.c.name) + func.length(profile_fields.c.value)), 0)
).where(profile_fields.c.user_id == bindparam("of_user"), profile_fields.c.name != bindparam("but"))
_SET = Upsert(profile_fields, ["user_id", "name"], ["value"])
_DROP = delete(profile_fields).where(
    profile_fields.c.user_id == bindparam("of_user"), profile_fields.c.name == bindparam("of_name")
)
_DROP_ALL = delete(profile_fields).where(profile_fields.c.user_id.in_(bindparam("user_ids", expanding=True)))


async def fields_of(conn: AsyncConnection, user_id: UserId) -> dict[str, bytes]:
    """A user's fields: JSON by name."""
    return {row.name: row.value for row in await conn.execute(_OF, {"of_user": user_id})}


async def size_of_others(conn: AsyncConnection, user_id: UserId, but: str) -> int:
    """How many bytes a user's fields have, names and values, without the field `but`."""
    return int((await conn.execute(_SIZE, {"of_user": user_id, "but": but})).scalar_one())


async def set_field(conn: AsyncConnection, user_id: UserId, name: str, value: bytes) -> None:
    """Set a field."""
    await conn.execute(_SET.on(conn), {"user_id": user_id, "name": name, "value": value})


async def drop_field(conn: AsyncConnection, user_id: UserId, name: str) -> bool:
    """Delete a field; False if there was none."""
    return (await conn.execute(_DROP, {"of_user": user_id, "of_name": name})).rowcount == 1


async def drop_fields(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete all fields of these users."""
    await conn.execute(_DROP_ALL, {"user_ids": list(user_ids)})
