"""What counts as an unread notification beside a room's running number: threads, marks, quiet spells."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Upsert, among, rows_of
from homeserver.storage.schema import (
    notify_marks,
    notify_thread_events,
    notify_threads,
    thread_reads,
)

EVERYBODY = UserId("")
"""Whose marks count for all who are in a room."""

NO_THREAD = EventId("")


class ThreadEvent(NamedTuple):
    """An event of a thread that notifies."""

    room_id: RoomId
    thread_id: EventId
    position: int


class ThreadRead(NamedTuple):
    """A person has read a thread up to here."""

    user_id: UserId
    room_id: RoomId
    thread_id: EventId
    position: int


class Mark(NamedTuple):
    """What an event counts beside, or instead of, what it counts for everybody."""

    user_id: UserId
    room_id: RoomId
    position: int
    thread_id: EventId
    notify: int
    highlight: int


class Spell(NamedTuple):
    """From this event on, a person's own rules silence a room; `from_seq`: what notified before it."""

    user_id: UserId
    room_id: RoomId
    from_position: int
    from_seq: int


_MARK_KEY = ["user_id", "room_id", "position", "thread_id"]
_THREADS = select(notify_threads.c.room_id, notify_threads.c.thread_id, notify_threads.c.notify_seq).where(
    among("keys", notify_threads.c.room_id, notify_threads.c.thread_id)
)
_SET_THREADS = Upsert(notify_threads, ["room_id", "thread_id"], ["notify_seq", "last_position"])
_ADD_EVENTS = insert(notify_thread_events)
_SET_READ = Upsert(thread_reads, ["user_id", "room_id", "thread_id"], furthest=["position"])
_ADD_MARKS = Upsert(notify_marks, _MARK_KEY)
_SET_MARKS = Upsert(notify_marks, _MARK_KEY, ["notify", "highlight"])


async def add_thread_events(conn: AsyncConnection, added: Sequence[ThreadEvent]) -> None:
    """Count events of threads, given in the order of their positions. The rooms' rows are locked."""
    wanted = rows_of({(one.room_id, one.thread_id) for one in added})
    rows = await conn.execute(_THREADS, {"keys": wanted})
    seqs: dict[tuple[str, str], int] = {(row.room_id, row.thread_id): row.notify_seq for row in rows}
    last: dict[tuple[str, str], dict[str, Any]] = {}
    events: list[dict[str, Any]] = []
    for one in added:
        key = (one.room_id, one.thread_id)
        seqs[key] = seqs.get(key, 0) + 1
        events.append({**one._asdict(), "notify_seq": seqs[key]})
        last[key] = {
            "room_id": one.room_id,
            "thread_id": one.thread_id,
            "notify_seq": seqs[key],
            "last_position": one.position,
        }
    await conn.execute(_SET_THREADS.on(conn), list(last.values()))
    await conn.execute(_ADD_EVENTS, events)


async def move_thread_reads(conn: AsyncConnection, reads: Sequence[ThreadRead]) -> None:
    """Move read places of threads forward; one that is further already stays."""
    last = {one[:3]: one._asdict() for one in sorted(reads, key=lambda one: one.position)}
    await conn.execute(_SET_READ.on(conn), list(last.values()))


async def add_marks(conn: AsyncConnection, marks: Collection[Mark]) -> None:
    """Write marks; those that are there already stay."""
    await conn.execute(_ADD_MARKS.on(conn), [one._asdict() for one in marks])


async def set_marks(conn: AsyncConnection, marks: Collection[Mark]) -> None:
    """Write marks over those that were there."""
    await conn.execute(_SET_MARKS.on(conn), [one._asdict() for one in marks])
