"""Receipts as Matrix clients send them (client-server API, "Receipts", "Fully read markers").

A receipt of no thread, or of the main timeline, that all may see is also the read marker of the product APIs. A private
one is told to its own person only, and moves nothing that others can see.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.model import EntryKind, Requester
from homeserver.protocol.ids import EventId, RoomId, UserId, is_event_id
from homeserver.protocol.member import membership_in
from homeserver.services.clientdata.accountdata import FULLY_READ, AccountData
from homeserver.services.realtime.read_markers import READ, move_read, move_to, set_receipts
from homeserver.storage import events, notify, relations
from homeserver.storage import receipts as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.members import ReadMove
from homeserver.storage.notify import ThreadRead
from homeserver.storage.receipts import Receipt
from homeserver.timeline.submission import NewEntry, Placed, SideWrite
from homeserver.timeline.writer import Timeline

PRIVATE: Final = "m.read.private"
MAIN: Final = "main"
KINDS: Final = frozenset({READ, PRIVATE, FULLY_READ})


class Markers:
    """Every method takes who asks first."""

    def __init__(self, *, db: Database, timeline: Timeline, data: AccountData, clock: Clock) -> None:
        self._db = db
        self._timeline = timeline
        self._data = data
        self._clock = clock

    async def set(
        self, requester: Requester, room_id: RoomId, kind: str, event_id: EventId, *, thread_id: str = ""
    ) -> None:
        """Set a marker at an event; one that is further already stays.

        Raises Invalid("bad_receipt"), Forbidden("not_joined"), NotFound("event_not_found").
        """
        if kind not in KINDS:
            raise Invalid(f"there is no receipt of the type {kind[:50]}", code="bad_receipt")
        if thread_id and (kind == FULLY_READ or (thread_id != MAIN and not is_event_id(thread_id))):
            raise Invalid("this thread cannot be marked", code="bad_receipt")
        await self.check_joined(requester, room_id)
        target = await self._target(room_id, event_id)
        if thread_id:
            await self._check_thread(target, EventId(thread_id))
        if kind == FULLY_READ:
            await self._data.put(requester, room_id, FULLY_READ, {"event_id": event_id})
        else:
            await self._mark(requester, target, kind, thread_id)

    async def check_joined(self, requester: Requester, room_id: RoomId) -> None:
        """Raise Forbidden("not_joined") unless the requester is in the room."""
        try:
            head = await self._timeline.head(room_id)
        except NotFound:
            raise _not_joined() from None
        if membership_in(head.state.events, requester.user_id) != "join":
            raise _not_joined()

    async def _target(self, room_id: RoomId, event_id: EventId) -> StoredEvent:
        async with self._db.read() as conn:
            found = (await events.events_by_id(conn, [event_id])).get(event_id)
        if found is None or found.event.room_id != room_id:
            raise NotFound("there is no such event in this room", code="event_not_found")
        return found

    async def _check_thread(self, target: StoredEvent, thread_id: EventId) -> None:
        """Raise Invalid unless an event is in the thread, or in none; what begins a thread counts for it as well."""
        event_id = target.event.event_id
        if thread_id == event_id:
            return
        async with self._db.read() as conn:
            threads = await relations.threads_of(conn, [event_id])
        if threads.get(event_id, MAIN) != thread_id:
            raise Invalid("this event is not in this thread", code="bad_receipt")

    async def _mark(self, requester: Requester, target: StoredEvent, kind: str, thread_id: str) -> None:
        receipt = Receipt(
            room_id=target.event.room_id,
            user_id=requester.user_id,
            receipt_type=kind,
            thread_id=thread_id,
            event_id=target.event.event_id,
            position=target.position,
            created_ms=self._clock.now_ms(),
        )
        async with self._db.read() as conn:
            held = await stored.own_receipts(conn, receipt.room_id, receipt.user_id)
        if held.get((kind, thread_id), 0) >= target.position:
            return
        also: list[SideWrite[Any]] = [SideWrite(set_receipts, receipt)]
        if thread_id in ("", MAIN):
            also.append(SideWrite(move_read, _move(target, receipt)))
        else:
            place = ThreadRead(receipt.user_id, receipt.room_id, EventId(thread_id), target.position)
            also.append(SideWrite(_move_thread_reads, place))
        await self._timeline.append([_news(receipt)], also=also)


def _move(target: StoredEvent, receipt: Receipt) -> ReadMove:
    """What a receipt of the whole room, or of what is in no thread, says is read."""
    move = move_to(target, receipt.user_id)
    if receipt.receipt_type == PRIVATE:
        move = replace(move, position=0)
    return move if receipt.thread_id != MAIN else replace(move, seen=0)


async def _move_thread_reads(conn: AsyncConnection, rows: Sequence[Placed[ThreadRead]]) -> None:
    await notify.move_thread_reads(conn, [one.row for one in rows])


def _news(receipt: Receipt) -> NewEntry:
    """A private receipt has no room in the log: those who are in the room do not hear of it."""
    body = {
        "type": receipt.receipt_type,
        "room_id": receipt.room_id,
        "event_id": receipt.event_id,
        "position": receipt.position,
        "thread_id": receipt.thread_id,
    }
    room_id = None if receipt.receipt_type == PRIVATE else receipt.room_id
    return NewEntry(EntryKind.RECEIPT, body, room_id=room_id, user_id=UserId(receipt.user_id))


def _not_joined() -> Forbidden:
    return Forbidden("you are not in this room", code="not_joined")
