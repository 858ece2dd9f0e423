"""Relations between events: edits, files, reactions, threads ("Forming relationships between events").

A relation holds within one room only. `m.relates_to` may name an event of another room, or one that this server does
not have yet, so a row alone does not make a relation hold: each statement compares the rooms of both events.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, exists, func, insert, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import FIRST_PLACE, LAST_PLACE, Place
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.dialect import Rows, rows_of
from homeserver.storage.events import (
    EVENT_COLUMNS,
    PARTS,
    SELECT_EVENTS,
    StoredEvent,
    stored_event,
    unedited_event,
)
from homeserver.storage.schema.timeline import events, relations, rooms
from homeserver.storage.sqlite import UNANSWERED

MAX_DEPTH = 3
"""How many relations may lie between two events that are related through others."""


@dataclass(frozen=True, slots=True)
class Relation:
    """`event_id`, which stands at `place`, relates to `relates_to` by `rel_type`.

    `annotation`: equal for annotations of which an event should have one. `has_content`: False for an m.replace
    without m.new_content.
    """

    event_id: EventId
    room_id: RoomId
    relates_to: EventId
    rel_type: str
    sender: UserId
    place: Place
    annotation: str | None = None
    has_content: bool = True


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """What an event's thread bundles. `has_own`: the user took part in it."""

    latest: StoredEvent
    count: int
    has_own: bool


@dataclass(frozen=True, slots=True)
class RelationsRequest:
    """Which related events to return: after or before the place `start`, oldest first if `forward`."""

    rel_type: str | None
    event_type: str | None
    forward: bool
    start: Place | None
    limit: int
    until: Place | None = None
    recurse: bool = False


@dataclass(frozen=True, slots=True)
class ThreadRoot:
    """The first event of a thread, and the place of its latest reply."""

    root: StoredEvent
    latest: Place


_targets = events.alias("targets")
_of_one_room = and_(
    _targets.c.event_id == relations.c.relates_to, _targets.c.room_id == relations.c.room_id
)  # joins relations to their target events
_MAX_HOPS = 3  # after more relations than this an event is in no thread ("Event relationships")
_ADD = insert(relations).execution_options(**UNANSWERED)
_first = select(
    relations.c.event_id.label("start"),
    relations.c.relates_to,
    relations.c.rel_type,
    relations.c.room_id,
    literal(1).label("hops"),
).where(relations.c.event_id.in_(bindparam("event_ids", expanding=True)))
_way = _first.cte("way", recursive=True)
_way = _way.union_all(
    select(_way.c.start, relations.c.relates_to, relations.c.rel_type, relations.c.room_id, _way.c.hops + 1)
    .join_from(
        _way,
        relations,
        and_(relations.c.event_id == _way.c.relates_to, relations.c.room_id == _way.c.room_id),
    )
    .where(_way.c.rel_type != "m.thread", _way.c.hops < _MAX_HOPS)
)
_THREAD_OF = select(_way.c.start, _way.c.relates_to).where(
    _way.c.rel_type == "m.thread",
    # The thread root may be unknown here.
    ~exists().where(_targets.c.event_id == _way.c.relates_to, _targets.c.room_id != _way.c.room_id),
)
_RELATED = (
    select(*EVENT_COLUMNS, relations.c.relates_to)
    .join_from(relations, events, events.c.event_id == relations.c.event_id)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .join(_targets, _of_one_room)
    .where(
        relations.c.relates_to.in_(bindparam("targets", expanding=True)),
        relations.c.rel_type == bindparam("of_type"),
        events.c.redacted_by.is_(None),
    )
    .order_by(relations.c.position)
    .limit(bindparam("count"))
)
_root_relations = relations.alias("root_relations")
# What relates to another event is no root of a thread ("Validation of m.thread relationships").
_root_relates = exists().where(_root_relations.c.event_id == relations.c.relates_to)
_THREADS = (
    select(
        relations.c.relates_to,
        relations.c.room_id,
        func.count().label("answers"),
        func.max(relations.c.position).label("latest"),
        func.max(case((relations.c.sender == bindparam("reader"), 1), else_=0)).label("own"),
    )
    .join_from(relations, events, events.c.event_id == relations.c.event_id)
    .join(_targets, _of_one_room)
    .where(
        relations.c.relates_to.in_(bindparam("roots", expanding=True)),
        relations.c.rel_type == "m.thread",
        relations.c.sender.not_in(bindparam("ignored", expanding=True)),
        events.c.redacted_by.is_(None),
        ~_root_relates,
    )
    .group_by(relations.c.relates_to, relations.c.room_id)
)
_places = Rows("places")  # (room, place) for each
_AT_PLACES = SELECT_EVENTS.where(
    tuple_(events.c.room_id, events.c.timeline_order).in_(
        select(_places.text(0), _places.number(1)).select_from(_places.table)
    )
)
_RELATED_TO = (
    select(*EVENT_COLUMNS)
    .join_from(relations, events, events.c.event_id == relations.c.event_id)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .where(
        relations.c.relates_to == bindparam("target"),
        relations.c.room_id == bindparam("in_room"),
        events.c.redacted_by.is_(None),
    )
    .limit(bindparam("count"))
)
_direct = (
    select(relations.c.event_id, literal(1).label("depth"))
    .where(relations.c.relates_to == bindparam("target"), relations.c.room_id == bindparam("in_room"))
    .cte("around", recursive=True)
)
_deeper = _direct.union(  # each event once per depth: circles of relations end
    select(relations.c.event_id, _direct.c.depth + 1)
    .join_from(relations, _direct, relations.c.relates_to == _direct.c.event_id)
    .where(_direct.c.depth < MAX_DEPTH, relations.c.room_id == bindparam("in_room"))
)
_RELATED_DEEPLY = (
    select(*EVENT_COLUMNS)
    .join_from(relations, events, events.c.event_id == relations.c.event_id)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .where(
        relations.c.event_id.in_(select(_deeper.c.event_id)),
        relations.c.event_id != bindparam("target"),
        relations.c.room_id == bindparam("in_room"),
        events.c.redacted_by.is_(None),
    )
    .limit(bindparam("count"))
)
# Every kind of page as a statement built once: {(recurse, forward, by rel_type, by event type): statement}.
_PAGES: dict[tuple[bool, bool, bool, bool], Select[Any]] = {
    (recurse, forward, by_rel, by_type): (_RELATED_DEEPLY if recurse else _RELATED_TO)
    .where(
        relations.c.position > bindparam("edge") if forward else relations.c.position < bindparam("edge"),
        relations.c.position <= bindparam("until") if forward else relations.c.position > bindparam("until"),
        *([relations.c.rel_type == bindparam("of_type")] if by_rel else []),
        *([events.c.type == bindparam("of_event")] if by_type else []),
    )
    .order_by(relations.c.position if forward else relations.c.position.desc())
    for recurse in (False, True)
    for forward in (False, True)
    for by_rel in (False, True)
    for by_type in (False, True)
}
_answers = events.alias("answers")
_THREADS_OF = (
    select(relations.c.relates_to, func.max(relations.c.position).label("latest"))
    .join_from(relations, _answers, _answers.c.event_id == relations.c.event_id)
    .where(
        relations.c.room_id == bindparam("in_room"),
        relations.c.rel_type == "m.thread",
        relations.c.sender.not_in(bindparam("ignored", expanding=True)),
        _answers.c.redacted_by.is_(None),
        ~_root_relates,
    )
    .group_by(relations.c.relates_to)
    .subquery()
)
_ROOTS = (
    select(*EVENT_COLUMNS, _THREADS_OF.c.latest)
    .join_from(_THREADS_OF, events, events.c.event_id == _THREADS_OF.c.relates_to)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .where(_THREADS_OF.c.latest < bindparam("edge"), events.c.room_id == bindparam("in_room"))
    .order_by(_THREADS_OF.c.latest.desc())
    .limit(bindparam("count"))
)
_own = relations.alias("own")
_OWN_ROOTS = _ROOTS.where(
    or_(
        events.c.sender == bindparam("reader"),
        exists().where(
            _own.c.relates_to == events.c.event_id,
            _own.c.room_id == events.c.room_id,
            _own.c.rel_type == "m.thread",
            _own.c.sender == bindparam("reader"),
        ),
    )
)
_AMONG = {
    (by_type, by_sender): select(relations.c.relates_to)
    .distinct()
    .join_from(relations, events, events.c.event_id == relations.c.event_id)
    .join(_targets, _of_one_room)
    .where(
        relations.c.relates_to.in_(bindparam("targets", expanding=True)),
        events.c.redacted_by.is_(None),
        *([relations.c.rel_type.in_(bindparam("rel_types", expanding=True))] if by_type else []),
        *([relations.c.sender.in_(bindparam("senders", expanding=True))] if by_sender else []),
    )
    for by_type in (False, True)
    for by_sender in (False, True)
}
_TARGETS = (
    select(relations.c.event_id, relations.c.relates_to)
    .join(_targets, _of_one_room)
    .where(
        relations.c.event_id.in_(bindparam("event_ids", expanding=True)),
        relations.c.rel_type.in_(PARTS),
    )
)


async def threads_of(conn: AsyncConnection, event_ids: Collection[EventId]) -> dict[EventId, EventId]:
    """Thread roots by event id, of events in a thread, be it only through the event that they relate to."""
    rows = await conn.execute(_THREAD_OF, {"event_ids": list(event_ids)})
    return {row.start: row.relates_to for row in rows}


async def related_among(
    conn: AsyncConnection,
    targets: Collection[EventId],
    *,
    rel_types: Collection[str] | None,
    senders: Collection[str] | None,
) -> set[EventId]:
    """The events among these that have a related event, not redacted, of one of these types and senders."""
    statement = _AMONG[rel_types is not None, senders is not None]
    values = {"targets": list(targets), "rel_types": list(rel_types or ()), "senders": list(senders or ())}
    return set((await conn.execute(statement, values)).scalars())


async def add_relations(conn: AsyncConnection, rows: Sequence[Relation]) -> None:
    """Insert relations of events that are inserted in the same transaction."""
    await conn.execute(_ADD, [_row(row) for row in rows])


async def related(
    conn: AsyncConnection, targets: Collection[EventId], rel_type: str, limit: int
) -> dict[EventId, list[StoredEvent]]:
    """The events that relate to each target by this type, oldest first, without redacted ones; `limit` over all."""
    found: dict[EventId, list[StoredEvent]] = {}
    values = {"targets": list(targets), "of_type": rel_type, "count": limit}
    for row in await conn.execute(_RELATED, values):
        found.setdefault(row.relates_to, []).append(unedited_event(row))
    return found


async def threads_on(
    conn: AsyncConnection, roots: Collection[EventId], reader: UserId, ignored: Collection[UserId]
) -> dict[EventId, ThreadSummary]:
    """The thread summaries of these events for a user who ignores some senders.

    Events without a reply are missing.
    """
    values = {"roots": list(roots), "reader": reader, "ignored": list(ignored)}
    counted = await conn.execute(_THREADS, values)
    rows = {row.relates_to: row for row in counted}
    if not rows:
        return {}
    places = rows_of([(row.room_id, row.latest) for row in rows.values()])
    found = [stored_event(row) for row in await conn.execute(_AT_PLACES, {"places": places})]
    latest = {(one.event.room_id, one.place): one for one in found}
    return {
        root: ThreadSummary(latest[row.room_id, row.latest], row.answers, bool(row.own))
        for root, row in rows.items()
        if (row.room_id, row.latest) in latest
    }


async def page_of(
    conn: AsyncConnection, room_id: RoomId, target: EventId, request: RelationsRequest
) -> list[StoredEvent]:
    """A page of the events that relate to another, with `recurse` indirectly too. Redacted ones are left out."""
    statement = _PAGES[
        request.recurse, request.forward, request.rel_type is not None, request.event_type is not None
    ]
    edge = FIRST_PLACE if request.forward else LAST_PLACE
    if request.start is not None:  # a place lies behind its event
        edge = request.start if request.forward else Place(request.start + 1)
    values = {
        "target": target,
        "of_type": request.rel_type,
        "of_event": request.event_type,
        "edge": edge,
        "until": request.until
        if request.until is not None
        else (LAST_PLACE if request.forward else FIRST_PLACE),
        "in_room": room_id,
        "count": request.limit,
    }
    return [unedited_event(row) for row in await conn.execute(statement, values)]


async def thread_roots(
    conn: AsyncConnection,
    room_id: RoomId,
    *,
    reader: UserId | None,
    ignored: Collection[UserId],
    before: Place | None,
    limit: int,
) -> list[ThreadRoot]:
    """The roots of a room's threads, latest reply first; with `reader` only threads that user took part in.

    Replies by `ignored` senders do not count.
    """
    statement = _ROOTS if reader is None else _OWN_ROOTS
    edge = LAST_PLACE if before is None else before
    values = {
        "in_room": room_id,
        "reader": reader or "",
        "ignored": list(ignored),
        "edge": edge,
        "count": limit,
    }
    rows = await conn.execute(statement, values)
    return [ThreadRoot(unedited_event(row), row.latest) for row in rows]


async def targets_of(conn: AsyncConnection, event_ids: Collection[EventId]) -> dict[EventId, EventId]:
    """The messages that these events are an edit or a file of, even if the event was redacted since."""
    rows = await conn.execute(_TARGETS, {"event_ids": list(event_ids)})
    return {row.event_id: row.relates_to for row in rows}


def _row(row: Relation) -> dict[str, Any]:
    return {
        "event_id": row.event_id,
        "room_id": row.room_id,
        "relates_to": row.relates_to,
        "rel_type": row.rel_type,
        "sender": row.sender,
        "position": row.place,
        "annotation": row.annotation,
        "has_content": row.has_content,
    }
