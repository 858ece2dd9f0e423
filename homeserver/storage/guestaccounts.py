"""Guest accounts of the Matrix API: rows of `users` with numbers in a range of their own."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.kit.names import search_text
from homeserver.model import MATRIX_GUESTS, Person
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.schema.directory import room_summaries
from homeserver.storage.schema.people import sessions, users
from homeserver.storage.schema.timeline import members

_FIRST_NUMBER: Final = MATRIX_GUESTS << 32
_is_guest = users.c.number.between(_FIRST_NUMBER, _FIRST_NUMBER + 2**32 - 1)
_was_here = exists().where(
    sessions.c.user_id == users.c.user_id, sessions.c.last_used_ms >= bindparam("before_ms")
)
_IDLE = (
    select(users.c.user_id)
    .where(_is_guest, ~users.c.deactivated, users.c.created_ms < bindparam("before_ms"), ~_was_here)
    .order_by(users.c.number)
    .limit(bindparam("count"))
)
_UPGRADE = (
    update(users)
    .where(users.c.user_id == bindparam("of"), _is_guest, ~users.c.deactivated)
    .values(
        number=bindparam("account_number"),
        tag=bindparam("account_tag"),
        password_hash=bindparam("hash"),
        search_text=bindparam("text"),
    )
)
_UNWANTED = (
    select(members.c.room_id, members.c.user_id)
    .join_from(room_summaries, members, members.c.room_id == room_summaries.c.room_id)
    .join(users, users.c.user_id == members.c.user_id)
    .where(
        room_summaries.c.room_id.in_(bindparam("room_ids", expanding=True)),
        ~room_summaries.c.guests_can_join,
        members.c.membership == "join",
        _is_guest,
    )
    .order_by(members.c.position)
)


async def upgrade_guest(conn: AsyncConnection, person: Person, *, password_hash: str) -> bool:
    """Make a guest the account `person`, under the same Matrix id; False if there is no such guest any more."""
    values = {
        "of": person.user_id,
        "account_number": person.number,
        "account_tag": person.tag,
        "hash": password_hash,
        "text": search_text(person),
    }
    return (await conn.execute(_UPGRADE, values)).rowcount == 1


async def idle_guests(conn: AsyncConnection, *, before_ms: int, limit: int) -> list[UserId]:
    """Guests, not deactivated yet, who were last seen before a time, the oldest first."""
    return list((await conn.execute(_IDLE, {"before_ms": before_ms, "count": limit})).scalars())


async def unwanted_guests(conn: AsyncConnection, room_ids: Collection[RoomId]) -> list[tuple[UserId, RoomId]]:
    """The guests joined to those of the rooms that do not allow guest access."""
    rows = await conn.execute(_UNWANTED, {"room_ids": list(room_ids)})
    return [(row.user_id, row.room_id) for row in rows]
