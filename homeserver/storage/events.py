"""Events: inserting them, finding them by id or place, pages of a room's timeline, redacting them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, cast

from sqlalchemy import Row, Select, bindparam, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import ATTACHMENT_REL, LAST_PLACE, LogPosition, Place
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.versions import rules_for
from homeserver.storage.schema.timeline import events, members, relations, rooms
from homeserver.storage.sqlite import UNANSWERED


class Status(IntEnum):
    """Result of the checks on receipt of an event (server-server API, "Checks performed on receipt of a PDU")."""

    ACCEPTED = 0
    SOFT_FAILED = 1  # stored and part of state resolution, not shown
    REJECTED = 2  # stored because other events refer to it
    OUTLIER = 3  # known without its place in the room


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in its room.

    `shown`: listed by the product APIs as a message of its own, so neither an edit nor another message's file.
    `position`: its log position; None for an event that clients never got as new, such as backfilled history. Such an
    event is not `shown` either, as ids of product messages are made from log positions.
    `message_seq` counts the room's countable messages up to and including this event, `notify_seq` those events
    outside of threads that notify by the default push rules. `own_id` and `before_id` are only written here: see
    `storage/graph.py`.
    """

    event: Event
    position: LogPosition | None
    place: Place
    state_id: int
    message_seq: int
    shown: bool
    redacted_by: EventId | None = None
    edit: Event | None = None  # the latest m.replace by its author
    edit_place: Place | None = None
    notify_seq: int = 0
    status: Status = Status.ACCEPTED
    own_id: int | None = None
    before_id: int | None = None

    @property
    def arrived(self) -> LogPosition:
        """The log position of an event that is in the log, as all events of log entries and product lists are."""
        if self.position is None:
            raise AssertionError(f"{self.event.event_id} never came into the log")
        return self.position


PARTS = ("m.replace", ATTACHMENT_REL)  # rel_types of events that are part of another message
_edits = events.alias("edits")
EVENT_COLUMNS = (
    events.c.event_id,
    events.c.position.label("event_position"),
    events.c.timeline_order.label("event_place"),
    events.c.status.label("event_status"),
    events.c.state_id,
    events.c.message_seq,
    events.c.notify_seq,
    events.c.shown,
    events.c.redacted_by,
    events.c.pdu,
    rooms.c.version,
)
SELECT_EVENTS: Select[Any] = (
    select(
        *EVENT_COLUMNS,
        _edits.c.event_id.label("edit_id"),
        _edits.c.pdu.label("edit_pdu"),
        _edits.c.timeline_order.label("edit_place"),
    )
    .join_from(events, rooms, rooms.c.room_id == events.c.room_id)
    .join(_edits, _edits.c.event_id == events.c.edited_by, isouter=True)
)
_BY_ID = SELECT_EVENTS.where(
    events.c.event_id.in_(bindparam("event_ids", expanding=True)), events.c.timeline_order.is_not(None)
)
_AT = SELECT_EVENTS.where(events.c.position.in_(bindparam("positions", expanding=True)))
_SHOWN = SELECT_EVENTS.where(events.c.room_id == bindparam("in_room"), events.c.shown)
_BEFORE = (
    _SHOWN.where(events.c.timeline_order < bindparam("before"))
    .order_by(events.c.timeline_order.desc())
    .limit(bindparam("count"))
    .offset(bindparam("skip"))
)
_AFTER = (
    _SHOWN.where(events.c.timeline_order > bindparam("after"))
    .order_by(events.c.timeline_order)
    .limit(bindparam("count"))
    .offset(bindparam("skip"))
)
_part = select(relations.c.event_id).where(
    relations.c.event_id == events.c.event_id, relations.c.rel_type.in_(PARTS)
)
_is_told = or_(events.c.shown, events.c.type == "m.room.redaction", _part.exists())
_TOLD_AFTER = (
    SELECT_EVENTS.where(
        events.c.room_id == bindparam("in_room"), events.c.timeline_order > bindparam("after"), _is_told
    )
    .order_by(events.c.timeline_order)
    .limit(bindparam("count"))
)
_places_told_to = (  # joined from the rooms along the timeline index: only rooms with new events are read
    select(events.c.timeline_order)
    .join_from(members, rooms, rooms.c.room_id == members.c.room_id)
    .join(events, events.c.room_id == rooms.c.room_id)
    .where(
        members.c.user_id == bindparam("to_user"),
        members.c.membership == "join",
        ~rooms.c.closed,
        rooms.c.head_position > bindparam("after"),
        events.c.timeline_order > bindparam("after"),
        _is_told,
    )
    .order_by(events.c.timeline_order)
    .limit(bindparam("count"))
)
_TOLD_TO_AFTER = SELECT_EVENTS.where(events.c.position.in_(_places_told_to.scalar_subquery())).order_by(
    events.c.position
)
_ALL_OF_ROOM = (
    SELECT_EVENTS.where(
        events.c.room_id == bindparam("in_room"), events.c.timeline_order > bindparam("after")
    )
    .order_by(events.c.timeline_order)
    .limit(bindparam("count"))
)
_of_timeline = (events.c.room_id == bindparam("in_room"), events.c.status == int(Status.ACCEPTED))
_ROOM_BEFORE = (
    SELECT_EVENTS.where(*_of_timeline, events.c.timeline_order < bindparam("before"))
    .order_by(events.c.timeline_order.desc())
    .limit(bindparam("count"))
)
_ROOM_AFTER = (
    SELECT_EVENTS.where(*_of_timeline, events.c.timeline_order > bindparam("after"))
    .order_by(events.c.timeline_order)
    .limit(bindparam("count"))
)
_STATE_HISTORY = (
    SELECT_EVENTS.where(
        *_of_timeline,
        events.c.state_key.is_not(None),
        tuple_(events.c.type, events.c.state_key).in_(bindparam("keys", expanding=True)),
    )
).order_by(events.c.timeline_order)
_newer = events.alias("newer")
_replaced_order = (
    select(func.max(_edits.c.timeline_order))
    .where(
        _edits.c.room_id == _newer.c.room_id,
        _edits.c.type == _newer.c.type,
        _edits.c.state_key == _newer.c.state_key,
        _edits.c.status == int(Status.ACCEPTED),
        _edits.c.timeline_order < _newer.c.timeline_order,
    )
    .correlate(_newer)
    .scalar_subquery()
)
_REPLACED = (
    select(*EVENT_COLUMNS, _newer.c.event_id.label("newer_id"))
    .join_from(_newer, events, events.c.room_id == _newer.c.room_id)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .where(
        _newer.c.event_id.in_(bindparam("event_ids", expanding=True)),
        _newer.c.state_key.is_not(None),
        events.c.timeline_order == _replaced_order,
    )
)
_SINCE = (
    SELECT_EVENTS.where(*_of_timeline, events.c.origin_server_ts >= bindparam("at_ms"))
    .order_by(events.c.origin_server_ts, events.c.timeline_order)
    .limit(bindparam("count"))
)
_UNTIL = (
    SELECT_EVENTS.where(*_of_timeline, events.c.origin_server_ts <= bindparam("at_ms"))
    .order_by(events.c.origin_server_ts.desc(), events.c.timeline_order.desc())
    .limit(bindparam("count"))
)
_STATE_AT = (
    select(events.c.state_id)
    .where(*_of_timeline, events.c.timeline_order <= bindparam("place"))
    .order_by(events.c.timeline_order.desc())
    .limit(1)
)
_ADD = insert(events).execution_options(**UNANSWERED)
_CUT = (
    update(events)
    .where(events.c.event_id == bindparam("target"))
    .values(pdu=bindparam("cut"), redacted_by=bindparam("by"), shown=False)
)
_POSITIONS = select(events.c.room_id, events.c.event_id, events.c.position).where(
    events.c.event_id.in_(bindparam("event_ids", expanding=True)), events.c.position.is_not(None)
)
_STATUSES = {int(one): one for one in Status}
_AT_A_TIME = 500  # events read without yielding to other tasks
NEWEST = LogPosition(2**62)  # above every position


def stored_event(row: Row[*tuple[Any, ...]]) -> StoredEvent:
    """The record of a row that begins with the columns of SELECT_EVENTS."""
    stored = unedited_event(row)
    edit_id, edit_pdu, edit_place = row[11:14]
    if not edit_pdu:
        return stored
    edit = Event.from_json(edit_pdu, rules_for(row.version), edit_id)
    return replace(stored, edit=edit, edit_place=edit_place)


def unedited_event(row: Row[*tuple[Any, ...]]) -> StoredEvent:
    """The record of a row that begins with EVENT_COLUMNS, without its edit."""
    # By index and not by name, which takes as long as reading the event.
    event_id, at, place, status, state_id, message_seq, notify_seq, shown, redacted_by, pdu, version = row[
        :11
    ]
    event = Event.from_json(pdu, rules_for(version), event_id)
    kept = _STATUSES[status]
    return StoredEvent(
        event, at, place, state_id, message_seq, shown, redacted_by, None, None, notify_seq, kept
    )


async def events_by_id(conn: AsyncConnection, event_ids: Collection[EventId]) -> dict[EventId, StoredEvent]:
    """Events by id; those that are unknown or have no place in their room are left out."""
    rows = await conn.execute(_BY_ID, {"event_ids": list(event_ids)})
    return {row.event_id: stored_event(row) for row in rows}


async def events_at(
    conn: AsyncConnection, positions: Collection[LogPosition]
) -> dict[LogPosition, StoredEvent]:
    """Events by log position; positions without an event are left out."""
    rows = (await conn.execute(_AT, {"positions": list(positions)})).all()
    found: dict[LogPosition, StoredEvent] = {}
    for start in range(0, len(rows), _AT_A_TIME):
        if start:
            await asyncio.sleep(0)  # reading thousands takes a while, and other tasks wait
        found |= {row.event_position: stored_event(row) for row in rows[start : start + _AT_A_TIME]}
    return found


async def shown_before(
    conn: AsyncConnection, room_id: RoomId, *, before: Place = LAST_PLACE, limit: int, offset: int = 0
) -> list[StoredEvent]:
    """A room's product messages before a place, newest first, after skipping `offset` of them."""
    values = {"in_room": room_id, "before": before, "count": limit, "skip": offset}
    return [stored_event(row) for row in await conn.execute(_BEFORE, values)]


async def shown_after(
    conn: AsyncConnection, room_id: RoomId, *, after: Place, limit: int, offset: int = 0
) -> list[StoredEvent]:
    """A room's product messages after a place, oldest first, after skipping `offset` of them."""
    values = {"in_room": room_id, "after": after, "count": limit, "skip": offset}
    rows = await conn.execute(_AFTER, values)
    return [stored_event(row) for row in rows]


async def told_after(
    conn: AsyncConnection, room_id: RoomId, *, after: Place, limit: int
) -> list[StoredEvent]:
    """Changes of a room's product messages after a place: messages, their edits and files, redactions; oldest first."""
    rows = await conn.execute(_TOLD_AFTER, {"in_room": room_id, "after": after, "count": limit})
    return [stored_event(row) for row in rows]


async def told_to_after(
    conn: AsyncConnection, user_id: UserId, *, after: LogPosition, limit: int
) -> list[StoredEvent]:
    """The same for all open rooms that a user is joined to, in the order of the log."""
    rows = await conn.execute(_TOLD_TO_AFTER, {"to_user": user_id, "after": after, "count": limit})
    return [stored_event(row) for row in rows]


async def of_room_after(
    conn: AsyncConnection, room_id: RoomId, *, after: Place, limit: int
) -> list[StoredEvent]:
    """Every event of a room after a place, whatever its status, oldest first."""
    rows = await conn.execute(_ALL_OF_ROOM, {"in_room": room_id, "after": after, "count": limit})
    return [stored_event(row) for row in rows]


async def state_history(
    conn: AsyncConnection, room_id: RoomId, keys: Collection[StateKey]
) -> dict[StateKey, list[StoredEvent]]:
    """Every event that set these keys of a room's state, in timeline order."""
    found: dict[StateKey, list[StoredEvent]] = {key: [] for key in keys}
    for row in await conn.execute(_STATE_HISTORY, {"in_room": room_id, "keys": list(keys)}):
        one = stored_event(row)
        found[one.event.key].append(one)
    return found


async def replaced_by(conn: AsyncConnection, event_ids: Collection[EventId]) -> dict[EventId, Event]:
    """The state event that each of these replaced, if any."""
    rows = await conn.execute(_REPLACED, {"event_ids": list(event_ids)})
    return {row.newer_id: unedited_event(row).event for row in rows}


async def room_before(
    conn: AsyncConnection, room_id: RoomId, *, before: Place, limit: int
) -> list[StoredEvent]:
    """Every accepted event of a room before a place, newest first."""
    rows = await conn.execute(_ROOM_BEFORE, {"in_room": room_id, "before": before, "count": limit})
    return [stored_event(row) for row in rows]


async def room_after(
    conn: AsyncConnection, room_id: RoomId, *, after: Place, limit: int
) -> list[StoredEvent]:
    """Every accepted event of a room after a place, oldest first."""
    rows = await conn.execute(_ROOM_AFTER, {"in_room": room_id, "after": after, "count": limit})
    return [stored_event(row) for row in rows]


async def near_time(
    conn: AsyncConnection, room_id: RoomId, *, at_ms: int, forward: bool, limit: int
) -> list[StoredEvent]:
    """The events of a room nearest to a timestamp: from it forward, or up to it backward."""
    statement = _SINCE if forward else _UNTIL
    rows = await conn.execute(statement, {"in_room": room_id, "at_ms": at_ms, "count": limit})
    return [stored_event(row) for row in rows]


async def state_before(conn: AsyncConnection, room_id: RoomId, place: Place) -> int | None:
    """The id of a room's state snapshot at a place; None before the room's beginning."""
    row = (await conn.execute(_STATE_AT, {"in_room": room_id, "place": place})).one_or_none()
    return None if row is None else cast("int", row.state_id)


async def add_events(conn: AsyncConnection, stored: Sequence[StoredEvent]) -> None:
    """Insert events at their places."""
    await conn.execute(_ADD, [_row(one) for one in stored])


async def cut_events(conn: AsyncConnection, cuts: Mapping[EventId, tuple[EventId, bytes]]) -> None:
    """Replace events by their redacted form: {event id: (redaction's event id, canonical JSON)}."""
    rows = [{"target": target, "by": by, "cut": pdu} for target, (by, pdu) in cuts.items()]
    await conn.execute(_CUT, rows)


async def positions_of(
    conn: AsyncConnection, event_ids: Collection[EventId]
) -> dict[tuple[RoomId, EventId], LogPosition]:
    """Log positions by room and event id; ids that are not in the given room, or not in the log, are left out."""
    rows = await conn.execute(_POSITIONS, {"event_ids": list(event_ids)})
    return {(row.room_id, row.event_id): row.position for row in rows}


def _row(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    return {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "position": stored.position,
        "timeline_order": stored.place,
        "type": event.type,
        "state_key": event.state_key,
        "sender": event.sender,
        "depth": event.depth,
        "origin_server_ts": event.origin_server_ts,
        "status": int(stored.status),
        "state_id": stored.state_id,
        "own_state_id": stored.own_id,
        "before_state_id": stored.before_id,
        "message_seq": stored.message_seq,
        "notify_seq": stored.notify_seq,
        "shown": stored.shown,
        "redacted_by": stored.redacted_by,
        "pdu": event.json,
    }
