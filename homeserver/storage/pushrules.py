"""Push rules of users who changed the default ones."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.notify import push_rules
from homeserver.storage.schema.timeline import members


class StoredRules(NamedTuple):
    """A user's push rules: `rules` is JSON, `position` the log position of their last change."""

    user_id: UserId
    rules: bytes
    position: LogPosition


_SET = Upsert(push_rules, ["user_id"], ["rules", "position"])
_OF = select(push_rules).where(push_rules.c.user_id.in_(bindparam("user_ids", expanding=True)))
_DROP = delete(push_rules).where(push_rules.c.user_id.in_(bindparam("user_ids", expanding=True)))
_IN_ROOM = (
    select(push_rules)
    .join_from(members, push_rules, push_rules.c.user_id == members.c.user_id)
    .where(members.c.room_id == bindparam("in_room"), members.c.membership == "join")
)


async def rules_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, StoredRules]:
    """The stored rules of these users; missing for users with the default rules."""
    rows = await conn.execute(_OF, {"user_ids": list(user_ids)})
    return {row.user_id: StoredRules(*row) for row in rows}


async def rules_in(conn: AsyncConnection, room_id: RoomId) -> list[StoredRules]:
    """The stored rules of the members of a room; missing for members with the default rules."""
    return [StoredRules(*row) for row in await conn.execute(_IN_ROOM, {"in_room": room_id})]


async def set_rules(conn: AsyncConnection, rows: Sequence[StoredRules]) -> None:
    """Set rules, replacing existing ones."""
    await conn.execute(_SET.on(conn), [row._asdict() for row in rows])


async def drop_rules(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Reset these users to the default rules."""
    await conn.execute(_DROP, {"user_ids": list(user_ids)})
