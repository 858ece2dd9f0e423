"""Users who deactivated their accounts with the request to erase what they wrote."""

from collections.abc import Collection

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import UserId
from homeserver.storage.schema.people import users

_ALL = select(users.c.user_id).where(users.c.erased)
_SET = update(users).where(users.c.user_id.in_(bindparam("user_ids", expanding=True))).values(erased=True)


async def erased_people(conn: AsyncConnection) -> set[UserId]:
    """All users who asked for erasure."""
    return set((await conn.execute(_ALL)).scalars())


async def set_erased(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Mark these users as erased."""
    await conn.execute(_SET, {"user_ids": list(user_ids)})
