"""Statements of sliding sync alone: stored connections, and the data that room lists filter and sort by."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.accountdata import AccountDataItem
from homeserver.storage.events import Status
from homeserver.storage.receipts import Receipt
from homeserver.storage.schema.matrix import account_data, sliding_connections
from homeserver.storage.schema.timeline import events, receipts


class ConnectionKey(NamedTuple):
    """Key of one stored state of a connection."""

    session_key: str
    conn_id: str
    serial: str


class StatePiece(NamedTuple):
    """A state event of a room with an empty state key: `pdu` is JSON."""

    room_id: RoomId
    type: str
    pdu: bytes


_table = sliding_connections
_is_of_connection = and_(
    _table.c.session_key == bindparam("of_session"), _table.c.conn_id == bindparam("of_conn")
)
_FIND = select(_table.c.body, _table.c.used_ms).where(
    _is_of_connection, _table.c.serial == bindparam("of_serial")
)
_ADD = insert(_table)
_DROP_OTHERS = delete(_table).where(
    _is_of_connection, _table.c.serial.not_in(bindparam("kept", expanding=True))
)
_latest = func.max(_table.c.used_ms)
_newest = (
    select(_table.c.conn_id)
    .where(_table.c.session_key == bindparam("of_session"))
    .group_by(_table.c.conn_id)
    .order_by(_latest.desc(), _table.c.conn_id)
    .limit(bindparam("most"))
    .subquery()
)
_TRIM = delete(_table).where(
    _table.c.session_key == bindparam("of_session"), _table.c.conn_id.not_in(select(_newest.c.conn_id))
)
_TOUCH = (
    update(_table)
    .where(_is_of_connection, _table.c.serial == bindparam("of_serial"))
    .values(used_ms=bindparam("now_ms"))
)
_NTH = select(_table.c.used_ms).order_by(_table.c.used_ms.desc()).limit(1).offset(bindparam("most"))
_PURGE = delete(_table).where(_table.c.used_ms <= bindparam("until_ms"))
_TOLD_TYPES = ("m.room.create", "m.room.encryption")
_FACTS = select(events.c.room_id, events.c.type, events.c.pdu).where(
    events.c.room_id.in_(bindparam("room_ids", expanding=True)),
    events.c.type.in_(_TOLD_TYPES),
    events.c.state_key == "",
    events.c.status == int(Status.ACCEPTED),
)
_DATA = select(
    account_data.c.room_id, account_data.c.type, account_data.c.content, account_data.c.position
).where(
    account_data.c.user_id == bindparam("of_user"),
    account_data.c.type.in_(bindparam("types", expanding=True)),
)
_RECEIPTS = (
    select(receipts)
    .where(
        receipts.c.room_id.in_(bindparam("room_ids", expanding=True)),
        or_(
            receipts.c.user_id == bindparam("reader"),
            and_(
                receipts.c.receipt_type == "m.read",
                receipts.c.event_id.in_(bindparam("event_ids", expanding=True)),
            ),
        ),
    )
    .order_by(receipts.c.position.desc())
    .limit(bindparam("count"))
)


async def find_connection(conn: AsyncConnection, key: ConnectionKey) -> tuple[bytes, int] | None:
    """The stored state of a connection, and about when it was last used."""
    row = (await conn.execute(_FIND, _named(key))).one_or_none()
    return None if row is None else (row.body, row.used_ms)


async def add_connection(
    conn: AsyncConnection, key: ConnectionKey, body: bytes, now_ms: int, *, before: str, most: int
) -> None:
    """Insert a state of a connection; of its other states only `before` is kept. `most`: connections of a session."""
    await conn.execute(_ADD, {**key._asdict(), "body": body, "used_ms": now_ms})
    await conn.execute(_DROP_OTHERS, {**_named(key), "kept": [key.serial, before]})
    await conn.execute(_TRIM, {"of_session": key.session_key, "most": most})


async def touch_connection(conn: AsyncConnection, key: ConnectionKey, now_ms: int) -> None:
    """Store that a connection is in use."""
    await conn.execute(_TOUCH, {**_named(key), "now_ms": now_ms})


async def purge_connections(conn: AsyncConnection, *, before_ms: int, most: int) -> None:
    """Delete connections last used before a time, and of the rest all but the newest `most`."""
    nth: int | None = (await conn.execute(_NTH, {"most": most})).scalar_one_or_none()
    await conn.execute(_PURGE, {"until_ms": before_ms if nth is None else max(before_ms, nth)})


async def state_pieces(conn: AsyncConnection, room_ids: Collection[RoomId]) -> list[StatePiece]:
    """The create and encryption events of these rooms."""
    rows = await conn.execute(_FACTS, {"room_ids": list(room_ids)})
    return [StatePiece(*row) for row in rows]


async def data_of_types(
    conn: AsyncConnection, user_id: UserId, types: Collection[str]
) -> list[AccountDataItem]:
    """A user's account data of these types, global and of all rooms."""
    return [
        AccountDataItem(*row) for row in await conn.execute(_DATA, {"of_user": user_id, "types": list(types)})
    ]


async def receipts_at(
    conn: AsyncConnection,
    reader: UserId,
    room_ids: Collection[RoomId],
    event_ids: Sequence[EventId],
    limit: int,
) -> list[Receipt]:
    """The user's own receipts in these rooms, and others' on these events that the user may see; at most `limit`."""
    values = {"reader": reader, "room_ids": list(room_ids), "event_ids": list(event_ids), "count": limit}
    return [Receipt(*row) for row in await conn.execute(_RECEIPTS, values)]


def _named(key: ConnectionKey) -> dict[str, str]:
    return {"of_session": key.session_key, "of_conn": key.conn_id, "of_serial": key.serial}
