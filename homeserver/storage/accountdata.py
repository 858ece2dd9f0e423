"""Account data, and the filters that clients stored (client-server API, "Client Config" and "Filtering").

An item with empty content is deleted (MSC3391). Its row stays for a while, so that the user's devices learn of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage.dialect import Upsert, among, rows_of
from homeserver.storage.schema.matrix import account_data, account_data_totals, filters
from homeserver.storage.schema.timeline import members

GONE = b"{}"
_GONE_KEPT = 100  # deleted items kept per user for their devices to learn of, the latest


class DataKey(NamedTuple):
    """User, room ("" for global account data) and type of an item."""

    user_id: UserId
    room_id: str
    type: str


class AccountDataItem(NamedTuple):
    """An item of account data: `content` is JSON, `position` the log position of its last change."""

    room_id: str
    type: str
    content: bytes
    position: LogPosition

    @property
    def is_gone(self) -> bool:
        """True if the item was deleted."""
        return self.content == GONE


@dataclass(frozen=True, slots=True)
class DataTotal:
    """A number of items with content, and their bytes: of rooms, types and contents."""

    items: int = 0
    bytes: int = 0

    def __add__(self, other: "DataTotal") -> "DataTotal":
        return DataTotal(self.items + other.items, self.bytes + other.bytes)

    def __sub__(self, other: "DataTotal") -> "DataTotal":
        return DataTotal(self.items - other.items, self.bytes - other.bytes)


_key = (account_data.c.user_id, account_data.c.room_id, account_data.c.type)
_SET = Upsert(account_data, ["user_id", "room_id", "type"], ["content", "position"])
_FIND = select(*_key, account_data.c.content).where(
    # The user id is named too: SQLite does not use an index for a list of triples alone.
    account_data.c.user_id.in_(bindparam("user_ids", expanding=True)),
    tuple_(*_key).in_(bindparam("keys", expanding=True)),
)
_SIZES = select(*_key, func.length(account_data.c.content).label("size")).where(
    account_data.c.user_id.in_(bindparam("user_ids", expanding=True)),
    among("keys", *_key),
    account_data.c.content != GONE,
)
_COUNT = Upsert(account_data_totals, ["user_id"], count=["items", "bytes"])
_TOTALS = select(account_data_totals).where(
    account_data_totals.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_IN_ROOM = (
    select(account_data.c.user_id, account_data.c.content)
    .join_from(members, account_data, account_data.c.user_id == members.c.user_id)
    .where(
        members.c.room_id == bindparam("in_room"),
        members.c.membership == "join",
        account_data.c.room_id == "",
        account_data.c.type == bindparam("of_type"),
    )
)
_CHANGED = (
    select(account_data.c.room_id, account_data.c.type, account_data.c.content, account_data.c.position)
    .where(account_data.c.user_id == bindparam("of_user"), account_data.c.position > bindparam("after"))
    .order_by(account_data.c.position)
)
_OF_ROOMS = (
    select(account_data.c.room_id, account_data.c.type, account_data.c.content, account_data.c.position)
    .where(
        account_data.c.user_id == bindparam("of_user"),
        account_data.c.room_id.in_(bindparam("room_ids", expanding=True)),
    )
    .order_by(account_data.c.position)
)
_of_users = account_data.c.user_id.in_(bindparam("user_ids", expanding=True))
_gone = (
    select(
        *_key,
        func.row_number()
        .over(partition_by=account_data.c.user_id, order_by=account_data.c.position.desc())
        .label("place"),
    )
    .where(_of_users, account_data.c.content == GONE)
    .subquery()
)
_DROP_LONG_GONE = delete(account_data).where(
    _of_users,
    tuple_(*_key).in_(
        select(_gone.c.user_id, _gone.c.room_id, _gone.c.type).where(_gone.c.place > bindparam("kept"))
    ),
)
_DROP_ALL = delete(account_data).where(_of_users)
_DROP_TOTALS = delete(account_data_totals).where(
    account_data_totals.c.user_id.in_(bindparam("user_ids", expanding=True))
)
_ADD_FILTER = Upsert(filters, ["user_id", "filter_id"])
_FILTER = select(filters.c.body).where(
    filters.c.user_id == bindparam("of_user"), filters.c.filter_id == bindparam("of_id")
)
_DROP_FILTERS = delete(filters).where(filters.c.user_id.in_(bindparam("user_ids", expanding=True)))
_COUNT_FILTERS = select(func.count()).where(filters.c.user_id == bindparam("of_user"))


async def pieces(conn: AsyncConnection, keys: Collection[DataKey]) -> dict[DataKey, bytes]:
    """The content of these items; missing ones are left out."""
    values = {"user_ids": list({key.user_id for key in keys}), "keys": list(keys)}
    rows = await conn.execute(_FIND, values)
    return {DataKey(row.user_id, row.room_id, row.type): row.content for row in rows}


async def pieces_in(conn: AsyncConnection, room_id: RoomId, kind: str) -> dict[UserId, bytes]:
    """The content of global account data of one type, for each user in a room who has it."""
    rows = await conn.execute(_IN_ROOM, {"in_room": room_id, "of_type": kind})
    return {row.user_id: row.content for row in rows}


async def set_pieces(
    conn: AsyncConnection, rows: Sequence[tuple[DataKey, bytes, int]]
) -> dict[UserId, DataTotal]:
    """Set items, given as (key, content, position), replacing earlier content; returns by how much each user's account
    data grew."""
    grown = await _count(conn, {key: content for key, content, _ in rows})
    values: list[dict[str, Any]] = [
        {**key._asdict(), "content": content, "position": position} for key, content, position in rows
    ]
    await conn.execute(_SET.on(conn), values)
    gone = {key.user_id for key, content, _ in rows if content == GONE}
    if gone:
        await conn.execute(_DROP_LONG_GONE, {"user_ids": list(gone), "kept": _GONE_KEPT})
    return grown


async def empty_pieces(conn: AsyncConnection, keys: Collection[DataKey], position: LogPosition) -> None:
    """Empty those of the items that exist."""
    there = await sizes(conn, keys)
    if there:
        await set_pieces(conn, [(key, GONE, position) for key in there])


async def sizes(conn: AsyncConnection, keys: Collection[DataKey]) -> dict[DataKey, DataTotal]:
    """The sizes of those of the items that have content."""
    values = {"user_ids": list({key.user_id for key in keys}), "keys": rows_of(keys)}
    found: dict[DataKey, DataTotal] = {}
    for row in await conn.execute(_SIZES, values):
        key = DataKey(row.user_id, row.room_id, row.type)
        found[key] = _size(key, row.size)
    return found


async def totals(conn: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, DataTotal]:
    """How much account data these users have."""
    found = dict.fromkeys(user_ids, DataTotal())
    for row in await conn.execute(_TOTALS, {"user_ids": list(user_ids)}):
        found[row.user_id] = DataTotal(row.items, row.bytes)
    return found


def size_of(key: DataKey, content: bytes) -> DataTotal:
    """The size of an item with this content as counted in the totals."""
    return DataTotal() if content == GONE else _size(key, len(content))


def _size(key: DataKey, content_bytes: int) -> DataTotal:
    return DataTotal(1, len(key.room_id.encode()) + len(key.type.encode()) + content_bytes)


async def _count(conn: AsyncConnection, contents: Mapping[DataKey, bytes]) -> dict[UserId, DataTotal]:
    """Count new contents of items, before they are written; returns the difference for each user."""
    old = await sizes(conn, contents)
    grown: dict[UserId, DataTotal] = {}
    for key, content in contents.items():
        change = size_of(key, content) - old.get(key, DataTotal())
        grown[key.user_id] = grown.get(key.user_id, DataTotal()) + change
    changed = [
        {"user_id": user_id, "items": more.items, "bytes": more.bytes}
        for user_id, more in grown.items()
        if more != DataTotal()
    ]
    if changed:
        await conn.execute(_COUNT.on(conn), changed)
    return grown


async def changed_after(conn: AsyncConnection, user_id: UserId, after: LogPosition) -> list[AccountDataItem]:
    """A user's items that changed after a position, in the order of the changes."""
    return [
        AccountDataItem(*row) for row in await conn.execute(_CHANGED, {"of_user": user_id, "after": after})
    ]


async def of_rooms(
    conn: AsyncConnection, user_id: UserId, room_ids: Collection[str]
) -> list[AccountDataItem]:
    """All items of a user in these rooms."""
    values = {"of_user": user_id, "room_ids": list(room_ids)}
    return [AccountDataItem(*row) for row in await conn.execute(_OF_ROOMS, values)]


async def drop_all_of(conn: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Delete all account data and filters of these users."""
    for statement in (_DROP_ALL, _DROP_TOTALS, _DROP_FILTERS):
        await conn.execute(statement, {"user_ids": list(user_ids)})


async def add_filter(conn: AsyncConnection, user_id: UserId, filter_id: str, body: bytes) -> None:
    """Store a filter, unless it is stored already."""
    values = {"user_id": user_id, "filter_id": filter_id, "body": body}
    await conn.execute(_ADD_FILTER.on(conn), values)


async def find_filter(conn: AsyncConnection, user_id: UserId, filter_id: str) -> bytes | None:
    """The JSON of a user's filter."""
    return (await conn.execute(_FILTER, {"of_user": user_id, "of_id": filter_id})).scalar_one_or_none()


async def count_filters(conn: AsyncConnection, user_id: UserId) -> int:
    """How many filters a user has."""
    return (await conn.execute(_COUNT_FILTERS, {"of_user": user_id})).scalar_one()
