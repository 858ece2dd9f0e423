"""Blocks between users. A row is one direction; services check both."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, literal, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.guests import GuestClaim
from homeserver.storage.schema.safety import blocks
from homeserver.storage.schema.timeline import members, rooms


@dataclass(frozen=True, slots=True)
class Block:
    """`user_id` blocks `blocked`."""

    user_id: UserId
    blocked: UserId
    created_ms: int


_OF = select(blocks.c.user_id, blocks.c.blocked).where(
    blocks.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_IN_ROOM = (
    select(blocks.c.user_id, blocks.c.blocked)
    .join_from(members, blocks, blocks.c.user_id == members.c.user_id)
    .where(members.c.room_id == bindparam("in_room"), members.c.membership == "join")
)
_LIST = (
    select(blocks.c.blocked)
    .where(blocks.c.user_id == bindparam("of"))
    .order_by(blocks.c.created_ms.desc(), blocks.c.blocked)
    .limit(bindparam("count"))
    .offset(bindparam("skip"))
)
_ADD = Upsert(blocks, ["user_id", "blocked"])
_REMOVE = delete(blocks).where(blocks.c.user_id == bindparam("by"), blocks.c.blocked == bindparam("whom"))
_theirs = members.alias("theirs")
_between = union(
    select(blocks.c.blocked.label("other")).where(blocks.c.user_id == bindparam("of")),
    select(blocks.c.user_id.label("other")).where(blocks.c.blocked == bindparam("of")),
).subquery()
_SILENT = (
    select(members.c.room_id)
    .select_from(_between)
    .join(_theirs, (_theirs.c.user_id == _between.c.other) & (_theirs.c.membership == literal("join")))
    .join(members, members.c.room_id == _theirs.c.room_id)
    .join(rooms, rooms.c.room_id == members.c.room_id)
    .where(
        members.c.user_id == bindparam("of"),
        members.c.membership == "join",
        rooms.c.kind == "private",
        rooms.c.member_count == 2,
        ~rooms.c.closed,
    )
    .limit(bindparam("count"))
)
_of_guest = or_(blocks.c.user_id == bindparam("guest"), blocks.c.blocked == bindparam("guest"))
_OF_GUEST = select(blocks.c.user_id, blocks.c.blocked, blocks.c.created_ms).where(_of_guest)
_FORGET = delete(blocks).where(_of_guest)


async def pairs_in(conn: AsyncConnection, room_id: RoomId) -> list[tuple[UserId, UserId]]:
    """The blocks between members of a room: (user id, blocked user id)."""
    return [(row.user_id, row.blocked) for row in await conn.execute(_IN_ROOM, {"in_room": room_id})]


async def blocked_by(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, frozenset[UserId]]:
    """The users whom each of these users blocks."""
    found: dict[UserId, set[UserId]] = {user_id: set() for user_id in user_ids}
    for row in await conn.execute(_OF, {"user_ids": list(user_ids)}):
        found[row.user_id].add(row.blocked)
    return {user_id: frozenset(blocked) for user_id, blocked in found.items()}


async def list_blocked(conn: AsyncConnection, user_id: UserId, *, limit: int, offset: int) -> list[UserId]:
    """The users whom a user blocks, the latest block first."""
    values = {"of": user_id, "count": limit, "skip": offset}
    return list((await conn.execute(_LIST, values)).scalars())


async def silent_rooms(conn: AsyncConnection, user_id: UserId, limit: int) -> set[RoomId]:
    """The user's open private rooms in which the only other member blocks them or is blocked by them."""
    return set((await conn.execute(_SILENT, {"of": user_id, "count": limit})).scalars())


async def add_blocks(conn: AsyncConnection, new: Sequence[Block]) -> None:
    """Insert blocks; existing ones stay unchanged."""
    rows = [{"user_id": one.user_id, "blocked": one.blocked, "created_ms": one.created_ms} for one in new]
    await conn.execute(_ADD.on(conn), rows)


async def remove_blocks(conn: AsyncConnection, gone: Sequence[Block]) -> None:
    """Delete blocks."""
    await conn.execute(_REMOVE, [{"by": one.user_id, "whom": one.blocked} for one in gone])


async def hand_over_blocks(conn: AsyncConnection, succession: GuestClaim) -> None:
    """Move a guest's blocks, of and by the guest, to the account that the guest became."""
    guest, account = succession.guest, succession.account
    rows = (await conn.execute(_OF_GUEST, {"guest": guest})).all()
    if not rows:
        return
    await conn.execute(_FORGET, {"guest": guest})
    renamed = [
        Block(
            account if row.user_id == guest else row.user_id,
            account if row.blocked == guest else row.blocked,
            row.created_ms,
        )
        for row in rows
    ]
    # A user cannot block themselves: the account may have blocked its own guest.
    if kept := [one for one in renamed if one.user_id != one.blocked]:
        await add_blocks(conn, kept)
