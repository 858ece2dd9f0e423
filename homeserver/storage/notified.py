"""A user's notifications (GET /notifications), computed from the events and the stored marks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LogPosition
from homeserver.protocol.ids import UserId
from homeserver.storage.events import SELECT_EVENTS, StoredEvent, stored_event
from homeserver.storage.notify import EVERYBODY
from homeserver.storage.schema.notify import notify_marks, quiet_spells, thread_reads
from homeserver.storage.schema.timeline import events, members, relations


@dataclass(frozen=True, slots=True)
class Notified:
    """An event that may have notified a user: what marks add to its counts, and whether the room was muted."""

    stored: StoredEvent
    own_notify: int
    own_highlight: int
    common_notify: int
    common_highlight: int
    is_silenced: bool
    is_read: bool


def _sum(column: ColumnElement[int], user_id: ColumnElement[str] | str) -> ColumnElement[int]:
    added = (
        select(cast(func.sum(column), BigInteger))
        .where(
            notify_marks.c.user_id == user_id,
            notify_marks.c.room_id == events.c.room_id,
            notify_marks.c.position == events.c.position,
        )
        .correlate(events, members)
        .scalar_subquery()
    )
    return func.coalesce(added, 0)


_reader = members.c.user_id
_silenced = exists().where(
    quiet_spells.c.user_id == _reader,
    quiet_spells.c.room_id == events.c.room_id,
    quiet_spells.c.from_position <= events.c.position,
    or_(quiet_spells.c.to_position.is_(None), events.c.position < quiet_spells.c.to_position),
)
_is_read = or_(
    members.c.seen_position >= events.c.position,
    and_(relations.c.event_id.is_(None), members.c.main_position >= events.c.position),
    and_(thread_reads.c.position.is_not(None), thread_reads.c.position >= events.c.position),
)
_is_marked = exists().where(
    notify_marks.c.user_id.in_((EVERYBODY, _reader)),
    notify_marks.c.room_id == events.c.room_id,
    notify_marks.c.position == events.c.position,
)
_ALL = (
    SELECT_EVENTS.add_columns(
        _sum(notify_marks.c.notify, _reader).label("own_notify"),
        _sum(notify_marks.c.highlight, _reader).label("own_highlight"),
        _sum(notify_marks.c.notify, EVERYBODY).label("common_notify"),
        _sum(notify_marks.c.highlight, EVERYBODY).label("common_highlight"),
        _silenced.label("is_silenced"),
        _is_read.label("is_read"),
    )
    .join(members, members.c.room_id == events.c.room_id)
    .join(
        relations,
        and_(relations.c.event_id == events.c.event_id, relations.c.rel_type == "m.thread"),
        isouter=True,
    )
    .join(
        thread_reads,
        and_(
            thread_reads.c.user_id == _reader,
            thread_reads.c.room_id == events.c.room_id,
            thread_reads.c.thread_id == relations.c.relates_to,
        ),
        isouter=True,
    )
    .where(
        _reader == bindparam("reader"),
        members.c.membership == "join",
        events.c.position > members.c.joined_position,
        events.c.sender != _reader,
        events.c.redacted_by.is_(None),
    )
    .order_by(events.c.position.desc())
    .limit(bindparam("count"))
)
_PAGE = _ALL.where(events.c.position < bindparam("before"), events.c.position > bindparam("after"))
_may_count = or_(events.c.type.in_(bindparam("types", expanding=True)), _is_marked)
_COUNTED = _PAGE.where(_may_count)
_MARKED = _PAGE.where(_is_marked)
_theirs = members.alias("theirs")
_newest_first = (events.c.position + 0).desc()  # the sum, as its index would lead through all events
_UNREAD_OF = (
    _ALL.order_by(None)
    .order_by(_newest_first)
    .where(
        events.c.sender.in_(bindparam("senders", expanding=True)),
        events.c.room_id.in_(
            select(_theirs.c.room_id).where(_theirs.c.user_id.in_(bindparam("senders", expanding=True)))
        ),
        events.c.timeline_order > members.c.seen_position,
        events.c.position < bindparam("before"),
        ~_is_read,
        _may_count,
    )
)


async def notified(
    conn: AsyncConnection,
    user_id: UserId,
    *,
    types: frozenset[str] | None,
    after: LogPosition,
    before: LogPosition,
    limit: int,
) -> list[Notified]:
    """The newest events of others between two log positions that are of these types or marked (None: only marked)."""
    values = {"reader": user_id, "after": after, "before": before, "count": limit, "types": list(types or ())}
    rows = await conn.execute(_MARKED if types is None else _COUNTED, values)
    return [_notified(row) for row in rows]


async def unread_of(
    conn: AsyncConnection,
    user_id: UserId,
    senders: Collection[UserId],
    *,
    types: frozenset[str],
    before: LogPosition,
    limit: int,
) -> list[Notified]:
    """The newest unread events of these senders before a log position that are of these types or marked."""
    values = {
        "reader": user_id,
        "senders": list(senders),
        "types": list(types),
        "before": before,
        "count": limit,
    }
    return [_notified(row) for row in await conn.execute(_UNREAD_OF, values)]


def _notified(row: Any) -> Notified:
    return Notified(
        stored_event(row),
        row.own_notify,
        row.own_highlight,
        row.common_notify,
        row.common_highlight,
        bool(row.is_silenced),
        bool(row.is_read),
    )
