"""Read markers: how far each person has read."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Invalid
from homeserver.model import EntryKind, Requester
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.events.access import Access
from homeserver.storage import events, members, receipts
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.members import ReadMove
from homeserver.storage.receipts import Receipt
from homeserver.timeline.submission import NewEntry, Placed, SideWrite
from homeserver.timeline.writer import Timeline

READ = "m.read"


class Receipts:
    """Moves read markers, forward only."""

    def __init__(self, *, db: Database, timeline: Timeline, access: Access, clock: Clock) -> None:
        self._db = db
        self._timeline = timeline
        self._access = access
        self._clock = clock

    async def mark_read(
        self, requester: Requester, room_id: RoomId, *, event_id: EventId | None = None
    ) -> int:
        """Everything up to a message (by default the newest) is read. Answers how many messages that were.

        The message may have been deleted just before its reader came to say so. A marker that is further already
        stays, and nobody is told anything.
        """
        await self._access.room(requester, room_id)
        target = await self._target(requester, room_id, event_id)
        if target is None:
            return 0
        async with self._db.read() as conn:
            own = await members.member(conn, room_id, requester.user_id)
        if own is None or own.read_position >= target.position:
            return 0
        count = max(0, target.message_seq - own.read_seq)
        await self._write(requester, target, count)
        return count

    async def _target(
        self, requester: Requester, room_id: RoomId, event_id: EventId | None
    ) -> StoredEvent | None:
        if event_id is not None:
            target = await self._access.message(requester, event_id, or_deleted=True)
            if target.event.room_id != room_id:
                raise Invalid("this message is of another room", code="message_elsewhere")
            return target
        async with self._db.read() as conn:
            newest = await events.shown_before(conn, room_id, limit=1)
        return newest[0] if newest else None

    async def _write(self, requester: Requester, target: StoredEvent, count: int) -> None:
        event = target.event
        receipt = Receipt(
            room_id=event.room_id,
            user_id=requester.user_id,
            receipt_type=READ,
            thread_id="",
            event_id=event.event_id,
            position=target.position,
            created_ms=self._clock.now_ms(),
        )
        move = move_to(target, requester.user_id)
        body = {"type": READ, "event_id": event.event_id, "position": target.position, "count": count}
        entry = NewEntry(EntryKind.RECEIPT, body, room_id=event.room_id, user_id=requester.user_id)
        await self._timeline.append(
            [entry], also=[SideWrite(set_receipts, receipt), SideWrite(move_read, move)]
        )


def move_to(target: StoredEvent, user_id: UserId) -> ReadMove:
    """A person has read everything up to an event: for lists of rooms, and for Matrix clients."""
    return ReadMove(
        room_id=target.event.room_id,
        user_id=user_id,
        position=target.position,
        seq=target.message_seq,
        seen=target.position,
        main=target.position,
        main_seq=target.notify_seq,
    )


async def set_receipts(conn: AsyncConnection, rows: Sequence[Placed[Receipt]]) -> None:
    """Write receipts with their entries of the log; an upsert takes each key once."""
    latest = {
        (one.row.room_id, one.row.user_id, one.row.receipt_type, one.row.thread_id): one.row for one in rows
    }
    await receipts.set_receipts(conn, list(latest.values()))


async def move_read(conn: AsyncConnection, rows: Sequence[Placed[ReadMove]]) -> None:
    """Move read markers with their entries of the log."""
    await members.move_read(conn, [one.row for one in rows])
