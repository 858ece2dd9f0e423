"""How much of rooms a person has not read, as clients are told."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import Content
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.markers import PRIVATE
from homeserver.storage import receipts
from homeserver.storage.sync import OwnRoom


async def unread_of(
    conn: AsyncConnection, reader: UserId, rows: Collection[OwnRoom]
) -> dict[RoomId, Content]:
    """`notification_count` and `highlight_count` of each of these rooms of the reader."""
    private = await receipts.seqs_read(conn, reader, [row.room_id for row in rows], PRIVATE) if rows else {}
    return {row.room_id: _unread(row, private.get(row.room_id, 0)) for row in rows}


def _unread(row: OwnRoom, read_privately: int) -> Content:
    read = max(row.read_seq + row.unread_removed, read_privately)
    return {"notification_count": max(0, row.message_seq - read), "highlight_count": 0}
