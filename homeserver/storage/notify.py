"""Unread notifications that a room's running count does not cover: threads, marks, mute spans."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, case, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Rows, Upsert, among, rows_of
from homeserver.storage.schema.notify import (
    notify_marks,
    notify_thread_events,
    notify_threads,
    quiet_spells,
    thread_reads,
)
from homeserver.storage.schema.timeline import events, members, rooms

EVERYBODY = UserId("")
"""Whose marks count for all who are in a room."""

NO_THREAD = EventId("")
KEPT_HIGHLIGHTS = 100
"""So many highlighted events of a room are kept for each person though they have read them."""


class ThreadEvent(NamedTuple):
    """An event of a thread that notifies."""

    room_id: RoomId
    thread_id: EventId
    position: LogPosition


class ThreadRead(NamedTuple):
    """The position up to which a user has read a thread."""

    user_id: UserId
    room_id: RoomId
    thread_id: EventId
    position: LogPosition


class Mark(NamedTuple):
    """Counts of an event that differ from the default rules, for one user or for all."""

    user_id: UserId
    room_id: RoomId
    position: LogPosition
    thread_id: EventId
    notify: int
    highlight: int


class MuteSpan(NamedTuple):
    """From this event on, a user's own push rules mute a room; `from_seq`: the room's `notify_seq` before it."""

    user_id: UserId
    room_id: RoomId
    from_position: LogPosition
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
_SILENT = select(quiet_spells.c.user_id).where(
    quiet_spells.c.room_id == bindparam("in_room"), quiet_spells.c.to_position.is_(None)
)
_ADD_SPELLS = Upsert(quiet_spells, ["user_id", "room_id", "from_position"])
_END_SPELLS = (
    update(quiet_spells)
    .where(
        quiet_spells.c.user_id == bindparam("of_user"),
        quiet_spells.c.to_position.is_(None),
        quiet_spells.c.from_position < bindparam("at", type_=BigInteger),
    )
    .values(
        to_position=bindparam("at", type_=BigInteger),
        to_seq=func.coalesce(
            select(events.c.notify_seq)
            .where(
                events.c.room_id == quiet_spells.c.room_id,
                events.c.timeline_order < bindparam("at", type_=BigInteger),
            )
            .order_by(events.c.timeline_order.desc())
            .limit(1)
            .scalar_subquery(),
            quiet_spells.c.from_seq,
        ),
    )
)
_OPEN_SPELLS = (
    select(quiet_spells.c.user_id, quiet_spells.c.room_id, rooms.c.head_position)
    .join_from(quiet_spells, rooms, rooms.c.room_id == quiet_spells.c.room_id)
    .where(
        quiet_spells.c.user_id.in_(bindparam("of_users", expanding=True)),
        quiet_spells.c.to_position.is_(None),
    )
)
_places = Rows("places")
_REMOVE_MARKS = (
    delete(notify_marks)
    .where(
        notify_marks.c.user_id != EVERYBODY,
        tuple_(notify_marks.c.room_id, notify_marks.c.position).in_(
            select(_places.text(0), _places.number(1)).select_from(_places.table)
        ),
    )
    .returning(notify_marks.c.user_id, notify_marks.c.room_id)
)
_own_room = (members.c.user_id == bindparam("of_user"), members.c.room_id == bindparam("of_room"))
_seen = select(members.c.seen_position).where(*_own_room).scalar_subquery()
_main = select(members.c.main_position).where(*_own_room).scalar_subquery()
_kept = notify_marks.alias("kept")
_FORGET_MARKS = delete(notify_marks).where(
    notify_marks.c.user_id == bindparam("of_user"),
    notify_marks.c.room_id == bindparam("of_room"),
    notify_marks.c.position <= case((notify_marks.c.thread_id == NO_THREAD, _main), else_=_seen),
    or_(
        notify_marks.c.highlight <= 0,
        notify_marks.c.position
        <= select(_kept.c.position)
        .where(
            _kept.c.user_id == bindparam("of_user"),
            _kept.c.room_id == bindparam("of_room"),
            _kept.c.highlight > 0,
        )
        .order_by(_kept.c.position.desc())
        .limit(1)
        .offset(bindparam("kept"))
        .scalar_subquery(),
    ),
)
_FORGET_SPELLS = delete(quiet_spells).where(
    quiet_spells.c.user_id == bindparam("of_user"),
    quiet_spells.c.room_id == bindparam("of_room"),
    quiet_spells.c.to_position <= _seen,
)


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
    """Move the read positions of threads forward; one that is further already stays."""
    last = {one[:3]: one._asdict() for one in sorted(reads, key=lambda one: one.position)}
    await conn.execute(_SET_READ.on(conn), list(last.values()))


async def add_marks(conn: AsyncConnection, marks: Collection[Mark]) -> None:
    """Insert marks; existing ones stay unchanged."""
    await conn.execute(_ADD_MARKS.on(conn), [one._asdict() for one in marks])


async def set_marks(conn: AsyncConnection, marks: Collection[Mark]) -> None:
    """Set marks, replacing existing ones."""
    await conn.execute(_SET_MARKS.on(conn), [one._asdict() for one in marks])


async def silent_in(conn: AsyncConnection, room_id: RoomId) -> set[UserId]:
    """The users whose rules mute a room now."""
    return {row.user_id for row in await conn.execute(_SILENT, {"in_room": room_id})}


async def begin_spells(conn: AsyncConnection, spells: Sequence[MuteSpan]) -> None:
    """Begin mute spans."""
    await conn.execute(_ADD_SPELLS.on(conn), [one._asdict() for one in spells])


async def end_spells(conn: AsyncConnection, ends: Sequence[tuple[UserId, LogPosition]]) -> None:
    """End the mute spans of users at these log positions: (user id, position)."""
    await conn.execute(_END_SPELLS, [{"of_user": user_id, "at": position} for user_id, position in ends])


async def spells_outlasted(
    conn: AsyncConnection, ends: Sequence[tuple[UserId, LogPosition]]
) -> list[tuple[UserId, RoomId]]:
    """The users and rooms of open mute spans in rooms that have had events after the end of the user's rule."""
    at = dict(ends)
    rows = await conn.execute(_OPEN_SPELLS, {"of_users": list(at)})
    return [(row.user_id, row.room_id) for row in rows if row.head_position > at[row.user_id]]


async def remove_marks(
    conn: AsyncConnection, marked: Collection[tuple[RoomId, LogPosition]]
) -> list[tuple[UserId, RoomId]]:
    """Delete the marks of these events, given as (room, position); returns the users and rooms affected."""
    rows = await conn.execute(_REMOVE_MARKS, {"places": rows_of(marked)})
    return [(row.user_id, row.room_id) for row in rows]


async def forget_read(conn: AsyncConnection, read: Collection[tuple[UserId, RoomId]]) -> None:
    """Delete marks and mute spans that these users have read in these rooms, but for each user's last highlights."""
    rows = [
        {"of_user": user_id, "of_room": room_id, "kept": KEPT_HIGHLIGHTS} for user_id, room_id in sorted(read)
    ]
    await conn.execute(_FORGET_MARKS, rows)
    await conn.execute(_FORGET_SPELLS, rows)
