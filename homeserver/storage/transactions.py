"""Transaction ids: which event each made, so that a repeated request makes no second one."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, RoomId
from homeserver.storage.dialect import among, rows_of
from homeserver.storage.schema.timeline import transactions
from homeserver.storage.sqlite import UNANSWERED


class TxnKey(NamedTuple):
    """A transaction id of a session in a room. `scope`: the call that it is an id of, as `send/m.room.message`."""

    session_key: str
    room_id: RoomId
    scope: str
    txn_id: str


_columns = (
    transactions.c.session_key,
    transactions.c.room_id,
    transactions.c.scope,
    transactions.c.txn_id,
)
_FIND = select(transactions).where(among("keys", *_columns))
_MADE_BY = select(transactions.c.event_id, transactions.c.txn_id).where(
    transactions.c.session_key == bindparam("session"),
    transactions.c.room_id.in_(bindparam("room_ids", expanding=True)),
    transactions.c.event_id.in_(bindparam("event_ids", expanding=True)),
)
_ADD = insert(transactions).execution_options(**UNANSWERED)
_OLD = select(*_columns).where(transactions.c.created_ms < bindparam("before_ms")).limit(bindparam("count"))
_DROP = delete(transactions).where(among("keys", *_columns))


async def find(conn: AsyncConnection, keys: Collection[TxnKey]) -> dict[TxnKey, EventId]:
    """The events that these transaction ids made already."""
    rows = await conn.execute(_FIND, {"keys": rows_of(keys)})
    return {TxnKey(row.session_key, row.room_id, row.scope, row.txn_id): row.event_id for row in rows}


async def made_by(
    conn: AsyncConnection, session_key: str, room_ids: Collection[RoomId], event_ids: Collection[EventId]
) -> dict[EventId, str]:
    """The transaction ids with which a session sent these events, those that are not purged yet."""
    values = {"session": session_key, "room_ids": list(room_ids), "event_ids": list(event_ids)}
    return {row.event_id: row.txn_id for row in await conn.execute(_MADE_BY, values)}


async def add(conn: AsyncConnection, made: Mapping[TxnKey, EventId], created_ms: int) -> None:
    """Store the event that each transaction id made. Raises IntegrityError if one exists already."""
    rows = [
        {**key._asdict(), "event_id": event_id, "created_ms": created_ms} for key, event_id in made.items()
    ]
    await conn.execute(_ADD, rows)


async def drop_before(conn: AsyncConnection, before_ms: int, limit: int) -> int:
    """Delete up to `limit` transaction ids older than a time; returns how many."""
    keys = [TxnKey(*row) for row in await conn.execute(_OLD, {"before_ms": before_ms, "count": limit})]
    if keys:
        await conn.execute(_DROP, {"keys": rows_of(keys)})
    return len(keys)
