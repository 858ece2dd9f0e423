"""Guests, known by a UUID from their browser. Only keyed hashes of UUIDs and hashes of cookies are stored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.schema.people import guests, successors, users
from homeserver.storage.schema.push import push_subscriptions
from homeserver.storage.schema.timeline import members, rooms


@dataclass(frozen=True, slots=True)
class GuestRow:
    """A guest. `bound`: the browser has sent the cookie once, and must send it from then on."""

    key_hash: str
    user_id: UserId
    number: int
    alias: str
    cookie_hash: str
    bound: bool
    created_ms: int
    seen_ms: int
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class GuestClaim:
    """A guest and the account that the guest became."""

    guest: UserId
    account: UserId


_GUESTS: Select[Any] = select(
    guests.c.key_hash,
    guests.c.user_id,
    users.c.number,
    guests.c.alias,
    guests.c.cookie_hash,
    guests.c.bound,
    guests.c.created_ms,
    guests.c.seen_ms,
    users.c.suspended,
).join_from(guests, users, users.c.user_id == guests.c.user_id)
_BY_KEY = _GUESTS.where(guests.c.key_hash == bindparam("of"))
_BY_ALIAS = select(guests.c.user_id).where(guests.c.alias == bindparam("of"))
_ADD = insert(guests)
_SEEN = (
    update(guests)
    .where(guests.c.key_hash == bindparam("of"), guests.c.seen_ms < bindparam("now_ms"))
    .values(seen_ms=bindparam("now_ms"))
)
_BIND = update(guests).where(guests.c.key_hash == bindparam("of")).values(bound=True)
_FORGET = delete(guests).where(guests.c.user_id.in_(bindparam("user_ids", expanding=True)))
_NO_PUSHES = delete(push_subscriptions).where(
    push_subscriptions.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_CLOSE = (
    update(users).where(users.c.user_id.in_(bindparam("user_ids", expanding=True))).values(deactivated=True)
)
_IDLE = (
    select(guests.c.user_id)
    .where(guests.c.seen_ms < bindparam("before_ms"))
    .order_by(guests.c.seen_ms)
    .limit(bindparam("count"))
)
_ROOMS = (
    select(members.c.room_id)
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(members.c.user_id == bindparam("of"), members.c.membership == "join", ~rooms.c.closed)
    .order_by(members.c.position)
    .limit(bindparam("count"))
)
_SUCCEED = insert(successors)
_SUCCESSORS = select(successors.c.user_id, successors.c.successor).where(
    successors.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_theirs = members.alias("theirs")
_own_of_guest = (
    _theirs.c.room_id == members.c.room_id,
    _theirs.c.user_id == bindparam("guest"),
)
_KEEP_READ = (
    update(members)
    .where(
        members.c.user_id == bindparam("account"),
        members.c.room_id.in_(bindparam("room_ids", expanding=True)),
    )
    .values(
        {
            name: select(_theirs.c[name]).where(*_own_of_guest).scalar_subquery()
            for name in (
                *("joined_position", "read_position", "own_position", "read_seq", "unread_removed"),
                *("seen_position", "main_position", "main_seq"),
            )
        }
    )
)


async def guest_of(conn: AsyncConnection, key_hash: str) -> GuestRow | None:
    """The guest with this keyed hash of a UUID."""
    row = (await conn.execute(_BY_KEY, {"of": key_hash})).one_or_none()
    return None if row is None else _guest(row)


async def guest_by_alias(conn: AsyncConnection, alias: str) -> UserId | None:
    """The guest whom other users see under this UUID."""
    return (await conn.execute(_BY_ALIAS, {"of": alias})).scalar_one_or_none()


async def add_guests(conn: AsyncConnection, new: Sequence[GuestRow]) -> None:
    """Insert guests, whose user rows exist. Raises IntegrityError if one is a guest already."""
    rows = [
        {
            "key_hash": one.key_hash,
            "user_id": one.user_id,
            "alias": one.alias,
            "cookie_hash": one.cookie_hash,
            "bound": one.bound,
            "created_ms": one.created_ms,
            "seen_ms": one.seen_ms,
        }
        for one in new
    ]
    await conn.execute(_ADD, rows)


async def set_seen(conn: AsyncConnection, key_hash: str, now_ms: int) -> None:
    """Store when a guest was last seen."""
    await conn.execute(_SEEN, {"of": key_hash, "now_ms": now_ms})


async def bind_guest(conn: AsyncConnection, key_hash: str) -> None:
    """Store that a guest's browser keeps the cookie."""
    await conn.execute(_BIND, {"of": key_hash})


async def forget_guests(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete these guests' UUIDs and deactivate their user rows; what they wrote stays."""
    await conn.execute(_FORGET, {"user_ids": list(user_ids)})
    await conn.execute(_NO_PUSHES, {"user_ids": list(user_ids)})
    await conn.execute(_CLOSE, {"user_ids": list(user_ids)})


async def idle_guests(conn: AsyncConnection, *, before_ms: int, limit: int) -> list[UserId]:
    """Guests who were last seen before a time, the longest absent first."""
    return list((await conn.execute(_IDLE, {"before_ms": before_ms, "count": limit})).scalars())


async def rooms_of_guest(conn: AsyncConnection, user_id: UserId, limit: int) -> list[RoomId]:
    """The open rooms that a guest is joined to, in the order of joining."""
    return list((await conn.execute(_ROOMS, {"of": user_id, "count": limit})).scalars())


async def succeed(conn: AsyncConnection, found: Sequence[GuestClaim]) -> None:
    """Store that these guests became accounts. Raises IntegrityError for a guest that has an account already."""
    await conn.execute(_SUCCEED, [{"user_id": one.guest, "successor": one.account} for one in found])


async def successors_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, UserId]:
    """The accounts that guests among these users became."""
    rows = await conn.execute(_SUCCESSORS, {"user_ids": list(user_ids)})
    return {row.user_id: row.successor for row in rows}


async def keep_read_marks(
    conn: AsyncConnection, succession: GuestClaim, room_ids: Collection[RoomId]
) -> None:
    """In these rooms, which the account has just joined, copy the guest's read position to the account."""
    values = {"guest": succession.guest, "account": succession.account, "room_ids": list(room_ids)}
    await conn.execute(_KEEP_READ, values)


def _guest(row: Row[Any]) -> GuestRow:
    return GuestRow(
        key_hash=row.key_hash,
        user_id=row.user_id,
        number=row.number,
        alias=row.alias,
        cookie_hash=row.cookie_hash,
        bound=row.bound,
        created_ms=row.created_ms,
        seen_ms=row.seen_ms,
        suspended=row.suspended,
    )
