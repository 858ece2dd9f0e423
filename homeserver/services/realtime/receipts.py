"""Receipts: how far each user has read (client-server API, "Receipts", "Fully read markers").

The product APIs have one marker for each user and room: an unthreaded public receipt. An unthreaded receipt of a
Matrix client, or one of the main timeline, moves it as well. A private receipt is sent to its own user only, and
moves nothing that other users can see. The fully read marker, `m.fully_read`, is account data.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.errors import Invalid, NotFound
from homeserver.model import LOG_START, EntryKind, Requester
from homeserver.protocol.ids import EventId, RoomId, is_event_id
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.clientdata.accountdata import FULLY_READ, AccountData
from homeserver.services.events.access import Access, head_for_member, not_joined
from homeserver.storage import events, members, notify, relations
from homeserver.storage import receipts as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.members import ReadMove
from homeserver.storage.notify import ThreadRead
from homeserver.storage.receipts import Receipt
from homeserver.timeline.heads import Head
from homeserver.timeline.submission import NewEntry, Placed, SideWrite
from homeserver.timeline.writer import Timeline

READ: Final = "m.read"
PRIVATE: Final = "m.read.private"
MAIN: Final = "main"
KINDS: Final = frozenset({READ, PRIVATE, FULLY_READ})


class Receipts:
    """Moves receipts and fully read markers; a receipt only moves forward. The requester is the first argument of
    each method."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        access: Access,
        blocks: Blocks,
        data: AccountData,
        clock: Clock,
    ) -> None:
        self._db = db
        self._blocks = blocks
        self._timeline = timeline
        self._access = access
        self._data = data
        self._clock = clock

    async def mark_read(
        self, requester: Requester, room_id: RoomId, *, event_id: EventId | None = None
    ) -> int:
        """Mark a room as read up to a message, by default the newest. Returns the count of messages that were unread.

        The message may have been deleted just before. A receipt that is further ahead stays, and nothing is
        announced.
        """
        kind = await self._kind(requester, (await self._access.room(requester, room_id)).head, READ)
        target = await self._message(requester, room_id, event_id)
        if target is None:
            return 0
        async with self._db.read() as conn:
            own = await members.member(conn, room_id, requester.user_id)
        if own is None or target.position is None:
            return 0  # backfilled history counts as read
        if (own.read_position if kind == READ else own.own_position) >= target.position:
            return 0
        count = max(0, target.message_seq - own.read_seq)
        await self._write(self._receipt(requester, target, kind, ""), target, count)
        return count

    async def set(
        self, requester: Requester, room_id: RoomId, kind: str, event_id: EventId, *, thread_id: str = ""
    ) -> None:
        """Set a receipt or the fully read marker to an event; a receipt that is further ahead stays.

        Raises Invalid("bad_receipt"), Forbidden("not_joined"), NotFound("event_not_found").
        """
        await self.set_all(requester, room_id, {kind: event_id}, thread_id=thread_id)

    async def set_all(
        self, requester: Requester, room_id: RoomId, marks: Mapping[str, EventId], *, thread_id: str = ""
    ) -> None:
        """`set` for several types, all or none."""
        for kind in marks:
            if kind not in KINDS:
                raise Invalid(f"unknown receipt type {kind[:50]}", code="bad_receipt")
            if thread_id and (kind == FULLY_READ or (thread_id != MAIN and not is_event_id(thread_id))):
                raise Invalid("not a valid thread_id", code="bad_receipt")
        head = await self._joined_head(requester, room_id)
        targets = {kind: await self._event(room_id, event_id) for kind, event_id in marks.items()}
        if thread_id:
            for target in targets.values():
                await self._check_thread(target, EventId(thread_id))
        entries, also = list[NewEntry](), list[SideWrite[Any]]()
        if FULLY_READ in targets:
            content = {"event_id": targets.pop(FULLY_READ).event.event_id}
            news, write = await self._data.prepared(requester, room_id, FULLY_READ, content)
            entries.append(news)
            also.append(write)
        for receipt, target in await self._further(requester, head, targets, thread_id):
            entries.append(_entry(receipt, None))
            also += _writes(receipt, target)
        if entries:
            await self._timeline.append(entries, also=also)

    async def _further(
        self, requester: Requester, head: Head, targets: Mapping[str, StoredEvent], thread_id: str
    ) -> list[tuple[Receipt, StoredEvent]]:
        """The receipts that are further ahead than those held; each type that is written once, the furthest."""
        wanted: dict[str, StoredEvent] = {}
        for kind, target in targets.items():
            written = await self._kind(requester, head, kind)
            other = wanted.get(written)
            if target.position is not None and (other is None or other.arrived < target.position):
                wanted[written] = target  # backfilled history counts as read
        if not wanted:
            return []
        async with self._db.read() as conn:
            held = await stored.own_receipts(conn, head.room_id, requester.user_id)
        return [
            (self._receipt(requester, target, kind, thread_id), target)
            for kind, target in wanted.items()
            if held.get((kind, thread_id), LOG_START) < target.arrived
        ]

    async def check_joined(self, requester: Requester, room_id: RoomId) -> None:
        """Raise Forbidden("not_joined") unless the requester has joined the room; also if there is no such room."""
        await self._joined_head(requester, room_id)

    async def _joined_head(self, requester: Requester, room_id: RoomId) -> Head:
        try:
            return await head_for_member(self._timeline, requester, room_id)
        except NotFound:
            raise not_joined() from None

    async def _kind(self, requester: Requester, head: Head, kind: str) -> str:
        """The receipt type to write: between two of whom one has blocked the other, what is read stays private."""
        return PRIVATE if kind == READ and await self._blocks.is_silent(requester, head) else kind

    async def _message(
        self, requester: Requester, room_id: RoomId, event_id: EventId | None
    ) -> StoredEvent | None:
        """The message that a product client has read, by default the newest."""
        if event_id is not None:
            target = (await self._access.message(requester, event_id, or_deleted=True)).stored
            if target.event.room_id != room_id:
                raise Invalid("this message is of another room", code="message_elsewhere")
            return target
        async with self._db.read() as conn:
            newest = await events.shown_before(conn, room_id, limit=1)
        return newest[0] if newest else None

    async def _event(self, room_id: RoomId, event_id: EventId) -> StoredEvent:
        async with self._db.read() as conn:
            found = (await events.events_by_id(conn, [event_id])).get(event_id)
        if found is None or found.event.room_id != room_id:
            raise NotFound("no such event in this room", code="event_not_found")
        return found

    async def _check_thread(self, target: StoredEvent, thread_id: EventId) -> None:
        """Raise Invalid unless the event is in the thread, is its root, or is in no thread."""
        event_id = target.event.event_id
        if thread_id == event_id:
            return
        async with self._db.read() as conn:
            threads = await relations.threads_of(conn, [event_id])
        if threads.get(event_id, MAIN) != thread_id:
            raise Invalid("the event is not in this thread", code="bad_receipt")

    def _receipt(self, requester: Requester, target: StoredEvent, kind: str, thread_id: str) -> Receipt:
        return Receipt(
            room_id=target.event.room_id,
            user_id=requester.user_id,
            receipt_type=kind,
            thread_id=thread_id,
            event_id=target.event.event_id,
            position=target.arrived,
            created_ms=self._clock.now_ms(),
        )

    async def _write(self, receipt: Receipt, target: StoredEvent, count: int) -> None:
        """Write a receipt and what it marks as read. `count`: the count of messages newly read, as the product
        APIs count."""
        await self._timeline.append([_entry(receipt, count)], also=_writes(receipt, target))


def _writes(receipt: Receipt, target: StoredEvent) -> list[SideWrite[Any]]:
    """The rows of a receipt, and of what it marks as read."""
    also: list[SideWrite[Any]] = [SideWrite(_set_receipts, receipt)]
    if receipt.thread_id in ("", MAIN):
        also.append(SideWrite(_move_read, _move(receipt, target)))
    else:
        place = ThreadRead(receipt.user_id, receipt.room_id, EventId(receipt.thread_id), receipt.position)
        also.append(SideWrite(_move_thread_reads, place))
    return also


def _move(receipt: Receipt, target: StoredEvent) -> ReadMove:
    """What an unthreaded receipt, or one of the main timeline, marks as read.

    A private receipt moves no `position`, as that is visible to other members.
    """
    return ReadMove(
        room_id=receipt.room_id,
        user_id=receipt.user_id,
        position=None if receipt.receipt_type == PRIVATE else target.arrived,
        own=target.arrived,
        seq=target.message_seq,
        seen=None if receipt.thread_id == MAIN else target.arrived,
        main=target.arrived,
        main_seq=target.notify_seq,
    )


def _entry(receipt: Receipt, count: int | None) -> NewEntry:
    """The log entry of a receipt. That of a private receipt has no room, so the room's members do not get it."""
    body = {
        "type": receipt.receipt_type,
        "room_id": receipt.room_id,
        "event_id": receipt.event_id,
        "position": receipt.position,
        "thread_id": receipt.thread_id,
    }
    if count is not None:
        body["count"] = count
    room_id = None if receipt.receipt_type == PRIVATE else receipt.room_id
    return NewEntry(EntryKind.RECEIPT, body, room_id=room_id, user_id=receipt.user_id)


async def _set_receipts(conn: AsyncConnection, rows: Sequence[Placed[Receipt]]) -> None:
    """Write receipts in the transaction of their log entries; an upsert takes each key once."""
    latest = {
        (one.row.room_id, one.row.user_id, one.row.receipt_type, one.row.thread_id): one.row for one in rows
    }
    await stored.set_receipts(conn, list(latest.values()))


async def _move_read(conn: AsyncConnection, rows: Sequence[Placed[ReadMove]]) -> None:
    await members.move_read(conn, [one.row for one in rows])


async def _move_thread_reads(conn: AsyncConnection, rows: Sequence[Placed[ThreadRead]]) -> None:
    await notify.move_thread_reads(conn, [one.row for one in rows])
