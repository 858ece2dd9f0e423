"""Unread counts of users, by room and thread: running counts minus what was read, plus the marks since then."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LOG_START
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import larger
from homeserver.storage.notify import EVERYBODY, NO_THREAD
from homeserver.storage.schema.notify import (
    notify_marks,
    notify_thread_events,
    notify_threads,
    quiet_spells,
    thread_reads,
)
from homeserver.storage.schema.timeline import members, rooms


class UnreadCount(NamedTuple):
    """A part of the unread count of a room or thread (NO_THREAD: outside of threads); single parts may be negative."""

    user_id: UserId
    room_id: RoomId
    thread_id: EventId
    notify: int
    highlight: int


def _reads_of(thread_id: ColumnElement[str]) -> ColumnElement[bool]:
    return and_(
        thread_reads.c.user_id == members.c.user_id,
        thread_reads.c.room_id == members.c.room_id,
        thread_reads.c.thread_id == thread_id,
    )


def _total(numbers: ColumnElement[int]) -> ColumnElement[int]:
    """Their sum as an integer: PostgreSQL's would be a decimal."""
    return cast(func.sum(numbers), BigInteger)


def _seq_before(position: ColumnElement[int]) -> ColumnElement[int]:
    """How many events notified in a thread before a position: one index look-up."""
    last = (
        select(notify_thread_events.c.notify_seq)
        .where(
            notify_thread_events.c.room_id == notify_threads.c.room_id,
            notify_thread_events.c.thread_id == notify_threads.c.thread_id,
            notify_thread_events.c.position < position,
        )
        .order_by(notify_thread_events.c.position.desc())
        .limit(1)
        .correlate_except(notify_thread_events)
        .scalar_subquery()
    )
    return func.coalesce(last, 0)


_own_spell = and_(quiet_spells.c.user_id == members.c.user_id, quiet_spells.c.room_id == members.c.room_id)
_is_in = members.c.membership == "join"
_quiet = (
    select(
        _total(
            func.coalesce(quiet_spells.c.to_seq, rooms.c.notify_seq)
            - larger(quiet_spells.c.from_seq, members.c.main_seq)
        )
    )
    .where(_own_spell, func.coalesce(quiet_spells.c.to_seq, rooms.c.notify_seq) > members.c.main_seq)
    .correlate(members, rooms)
    .scalar_subquery()
)
_MAIN = (
    select(
        members.c.user_id,
        members.c.room_id,
        (rooms.c.notify_seq - members.c.main_seq - func.coalesce(_quiet, 0)).label("notify"),
    )
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .where(_is_in)
)
_place = larger(members.c.seen_position, func.coalesce(thread_reads.c.position, LOG_START))
_quiet_in_thread = (
    select(
        _total(
            _seq_before(func.coalesce(quiet_spells.c.to_position, 2**62))
            - _seq_before(larger(quiet_spells.c.from_position, _place + 1))
        )
    )
    .where(_own_spell, func.coalesce(quiet_spells.c.to_position, 2**62) > _place + 1)
    .correlate(members, notify_threads, thread_reads)
    .scalar_subquery()
)
_THREADS = (
    select(
        members.c.user_id,
        members.c.room_id,
        notify_threads.c.thread_id,
        (notify_threads.c.notify_seq - _seq_before(_place + 1) - func.coalesce(_quiet_in_thread, 0)).label(
            "notify"
        ),
    )
    .join_from(members, notify_threads, notify_threads.c.room_id == members.c.room_id)
    .join(thread_reads, _reads_of(notify_threads.c.thread_id), isouter=True)
    .where(_is_in, notify_threads.c.last_position > _place)
)
_covering = exists().where(
    _own_spell,
    quiet_spells.c.from_position <= notify_marks.c.position,
    or_(quiet_spells.c.to_position.is_(None), notify_marks.c.position < quiet_spells.c.to_position),
)
_MARKS = (
    select(
        members.c.user_id,
        members.c.room_id,
        notify_marks.c.thread_id,
        _total(notify_marks.c.notify).label("notify"),
        _total(notify_marks.c.highlight).label("highlight"),
    )
    .join_from(
        members,
        notify_marks,
        and_(
            notify_marks.c.room_id == members.c.room_id,
            notify_marks.c.user_id.in_((EVERYBODY, members.c.user_id)),
        ),
    )
    .join(thread_reads, _reads_of(notify_marks.c.thread_id), isouter=True)
    .where(
        _is_in,
        or_(
            and_(notify_marks.c.thread_id == NO_THREAD, notify_marks.c.position > members.c.main_position),
            and_(notify_marks.c.thread_id != NO_THREAD, notify_marks.c.position > _place),
        ),
        or_(notify_marks.c.user_id != EVERYBODY, ~_covering),
    )
    .group_by(members.c.user_id, members.c.room_id, notify_marks.c.thread_id)
)


def _of_people(statement: Select[Any]) -> Select[Any]:
    return statement.where(members.c.user_id.in_(bindparam("user_ids", expanding=True)))


def _of_rooms(statement: Select[Any]) -> Select[Any]:
    return _of_people(statement).where(members.c.room_id.in_(bindparam("room_ids", expanding=True)))


_PARTS = (_MAIN, _THREADS, _MARKS)
_ALL_ROOMS = tuple(_of_people(one) for one in _PARTS)
_SOME_ROOMS = tuple(_of_rooms(one) for one in _PARTS)


async def tallies(
    conn: AsyncConnection, user_ids: Collection[UserId], room_ids: Collection[RoomId] | None = None
) -> list[UnreadCount]:
    """The unread counts of these users in these rooms (None: all that they are joined to), in parts to be summed."""
    values = {"user_ids": list(user_ids), "room_ids": list(room_ids or ())}
    main, threads, marks = _ALL_ROOMS if room_ids is None else _SOME_ROOMS
    found = [
        UnreadCount(row.user_id, row.room_id, NO_THREAD, row.notify, 0)
        for row in await conn.execute(main, values)
    ]
    found += [
        UnreadCount(row.user_id, row.room_id, row.thread_id, row.notify, 0)
        for row in await conn.execute(threads, values)
    ]
    return found + [UnreadCount(*row) for row in await conn.execute(marks, values)]
