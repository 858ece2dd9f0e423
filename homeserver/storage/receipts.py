"""Receipts (client-server API, "Receipts"): the latest of each type, user and thread in a room."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema.timeline import receipts


@dataclass(frozen=True, slots=True)
class Receipt:
    """A user's receipt for an event at this log position."""

    room_id: RoomId
    user_id: UserId
    receipt_type: str
    thread_id: str
    event_id: EventId
    position: LogPosition
    created_ms: int


_SET = Upsert(
    receipts, ["room_id", "user_id", "receipt_type", "thread_id"], ["event_id", "position", "created_ms"]
)
_OWN = select(receipts.c.receipt_type, receipts.c.thread_id, receipts.c.position).where(
    receipts.c.room_id == bindparam("of_room"), receipts.c.user_id == bindparam("of_user")
)
_SHOWN = (
    select(receipts)
    .where(
        receipts.c.room_id.in_(bindparam("room_ids", expanding=True)),
        or_(receipts.c.receipt_type == "m.read", receipts.c.user_id == bindparam("reader")),
    )
    .order_by(receipts.c.position.desc())
    .limit(bindparam("count"))
)


async def set_receipts(conn: AsyncConnection, rows: Sequence[Receipt]) -> None:
    """Set receipts, replacing earlier ones."""
    values = [
        {
            "room_id": row.room_id,
            "user_id": row.user_id,
            "receipt_type": row.receipt_type,
            "thread_id": row.thread_id,
            "event_id": row.event_id,
            "position": row.position,
            "created_ms": row.created_ms,
        }
        for row in rows
    ]
    await conn.execute(_SET.on(conn), values)


async def own_receipts(
    conn: AsyncConnection, room_id: RoomId, user_id: UserId
) -> dict[tuple[str, str], LogPosition]:
    """The positions of a user's receipts in a room, by (type, thread id)."""
    rows = await conn.execute(_OWN, {"of_room": room_id, "of_user": user_id})
    return {(row.receipt_type, row.thread_id): row.position for row in rows}


async def shown_to(
    conn: AsyncConnection, reader: UserId, room_ids: Collection[RoomId], limit: int
) -> list[Receipt]:
    """The receipts in these rooms that a user may see, the latest position first; at most `limit` altogether."""
    values = {"reader": reader, "room_ids": list(room_ids), "count": limit}
    return [Receipt(*row) for row in await conn.execute(_SHOWN, values)]
