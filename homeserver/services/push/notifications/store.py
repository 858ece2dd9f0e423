"""Stores the results of evaluation, and tells /sync of changed counts."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.clock import Clock
from homeserver.model import EntryKind, LogPosition
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.push.notifications.evaluate import EvaluatedBatch
from homeserver.services.push.notifications.hidden import HiddenUnread, Pending
from homeserver.storage import events, log, notify, relations
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.notify import EVERYBODY, Mark
from homeserver.timeline.build import relation_of
from homeserver.timeline.consume import Effect

_MOST_READ = 500  # users and rooms with read marks that are not deleted yet
_MOST_TOLD = 100  # users of a room who are woken one by one; if there are more, all its members are


class NotificationStore:
    """Turns results into marks and mute spans."""

    def __init__(self, *, db: Database, clock: Clock, hidden: HiddenUnread) -> None:
        self._hidden = hidden
        self._db = db
        self._clock = clock
        # Read rooms whose marks may be deleted; not worth a write of their own.
        self._read: set[tuple[UserId, RoomId]] = set()

    async def effect(self, found: EvaluatedBatch) -> Effect | None:
        """What is to be written; None for nothing."""
        gone = await self._gone(found)
        # events redacted since their evaluation get no mark
        found.marks, found.common = _without(found.marks, gone), _without(found.common, gone)
        found.marks, found.common = await self._in_threads(found)
        found.hidden = await self._hidden.marks(
            found.deafened, Pending([*found.common, *found.marks], found.spells)
        )
        self._read |= found.read
        counted = (found.marks, found.common, found.hidden, found.spells, found.changed, gone)
        wanted = (*counted, len(self._read) > _MOST_READ)
        if not any(wanted):
            return None
        read, self._read = self._read, set()
        return partial(self._write, found, gone, read)

    async def _gone(self, found: EvaluatedBatch) -> set[tuple[RoomId, LogPosition]]:
        """The rooms and positions of redacted events."""
        if not found.redacted:
            return set()
        async with self._db.read() as conn:
            targets = await events.events_by_id(conn, found.redacted)
        return {
            (one.event.room_id, one.position)
            for one in targets.values()
            if one.redacted_by is not None and one.position is not None
        }

    async def _in_threads(self, found: EvaluatedBatch) -> tuple[list[Mark], list[Mark]]:
        """The marks, with the threads of their events."""
        marked = {one.position for one in (*found.marks, *found.common)}
        related: dict[LogPosition, EventId] = {
            one.position: one.event.event_id
            for one in found.judged
            if one.position in marked and relation_of(one.event.content) is not None
        }
        if not related:
            return found.marks, found.common
        async with self._db.read() as conn:
            threads = await relations.threads_of(conn, related.values())
        at = {position: threads[event_id] for position, event_id in related.items() if event_id in threads}
        return _placed(found.marks, at), _placed(found.common, at)

    async def _write(
        self,
        found: EvaluatedBatch,
        gone: Collection[tuple[RoomId, LogPosition]],
        read: Collection[tuple[UserId, RoomId]],
        conn: AsyncConnection,
    ) -> None:
        told = found.told
        if gone:
            told |= set(await notify.remove_marks(conn, gone))
        if found.changed:  # later counts may have been sent to clients as if the mute span went on
            await log.take_positions(conn, 0)  # events from here on are counted by the new rules
            told |= set(await notify.spells_outlasted(conn, found.changed))
        if told:
            await self._tell(conn, told)
        if marks := [*found.common, *found.marks]:
            await notify.add_marks(conn, marks)
        if found.hidden:
            await notify.set_marks(conn, found.hidden)
        if found.spells:
            await notify.begin_spells(conn, found.spells)
        if found.changed:
            await notify.end_spells(conn, found.changed)
        if read:
            await notify.forget_read(conn, read)

    async def _tell(self, conn: AsyncConnection, told: Collection[tuple[UserId, RoomId]]) -> None:
        """Add log entries that wake the users whose counts changed. Positions are taken before the marks are
        written."""
        of_rooms: dict[RoomId, list[UserId]] = {}
        for user_id, room_id in sorted(told):
            of_rooms.setdefault(room_id, []).append(user_id)
        wanted: list[tuple[RoomId | None, UserId | None, RoomId]] = []
        for room_id, people in of_rooms.items():
            if EVERYBODY in people or len(people) > _MOST_TOLD:
                wanted.append((room_id, None, room_id))
            else:
                wanted += [(None, user_id, room_id) for user_id in people]
        first, now_ms = await log.take_positions(conn, len(wanted)), self._clock.now_ms()
        await log.add_entries(
            conn,
            [
                Entry(
                    LogPosition(position), EntryKind.COUNTS, where, user_id, now_ms, body={"room_id": room_id}
                )
                for position, (where, user_id, room_id) in enumerate(wanted, start=first)
            ],
        )


def _without(marks: Iterable[Mark], gone: Collection[tuple[RoomId, LogPosition]]) -> list[Mark]:
    return [mark for mark in marks if (mark.room_id, mark.position) not in gone]


def _placed(marks: Iterable[Mark], threads: Mapping[LogPosition, EventId]) -> list[Mark]:
    return [mark._replace(thread_id=threads.get(mark.position, mark.thread_id)) for mark in marks]
