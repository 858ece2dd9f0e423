"""Receipts, as Matrix has them: the latest of each type, person and thread in a room."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Upsert
from homeserver.storage.schema import receipts


@dataclass(frozen=True, slots=True)
class Receipt:
    """A person has seen everything in a room up to this event, which has this position."""

    room_id: RoomId
    user_id: UserId
    receipt_type: str
    thread_id: str
    event_id: EventId
    position: int
    created_ms: int


_SET = Upsert(
    receipts, ["room_id", "user_id", "receipt_type", "thread_id"], ["event_id", "position", "created_ms"]
)


async def set_receipts(conn: AsyncConnection, rows: Sequence[Receipt]) -> None:
    """Write receipts over the ones that were there."""
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
