"""Which event speaks of which: edits, files of a message, reactions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.storage.events import EVENT_COLUMNS, PARTS, StoredEvent, stored_event
from homeserver.storage.schema import events, relations, rooms
from homeserver.storage.sqlite import UNANSWERED


@dataclass(frozen=True, slots=True)
class Relation:
    """`event_id` relates to `relates_to` as its `rel_type`."""

    event_id: EventId
    room_id: RoomId
    relates_to: EventId
    rel_type: str
    sender: UserId
    position: int


_ADD = insert(relations).execution_options(**UNANSWERED)
_RELATED = (
    select(relations.c.relates_to, *EVENT_COLUMNS)
    .join_from(relations, events, events.c.event_id == relations.c.event_id)
    .join(rooms, rooms.c.room_id == events.c.room_id)
    .where(
        relations.c.relates_to.in_(bindparam("targets", expanding=True)),
        relations.c.rel_type == bindparam("of_type"),
        events.c.redacted_by.is_(None),
    )
    .order_by(relations.c.position)
    .limit(bindparam("count"))
)
_TARGETS = select(relations.c.event_id, relations.c.relates_to).where(
    relations.c.event_id.in_(bindparam("event_ids", expanding=True)),
    relations.c.rel_type.in_(PARTS),
)


async def add_relations(conn: AsyncConnection, rows: Sequence[Relation]) -> None:
    """Write relations of events that are written in the same transaction."""
    await conn.execute(_ADD, [_row(row) for row in rows])


async def related(
    conn: AsyncConnection, targets: Collection[EventId], rel_type: str, limit: int
) -> dict[EventId, list[StoredEvent]]:
    """The events that relate so to each target, oldest first, redacted ones left out; `limit` over all."""
    found: dict[EventId, list[StoredEvent]] = {}
    values = {"targets": list(targets), "of_type": rel_type, "count": limit}
    for row in await conn.execute(_RELATED, values):
        found.setdefault(row.relates_to, []).append(stored_event(row))
    return found


async def targets_of(conn: AsyncConnection, event_ids: Collection[EventId]) -> dict[EventId, EventId]:
    """The messages that these events are an edit or a file of; also if the event was redacted since."""
    rows = await conn.execute(_TARGETS, {"event_ids": list(event_ids)})
    return {row.event_id: row.relates_to for row in rows}


def _row(row: Relation) -> dict[str, Any]:
    return {
        "event_id": row.event_id,
        "room_id": row.room_id,
        "relates_to": row.relates_to,
        "rel_type": row.rel_type,
        "sender": row.sender,
        "position": row.position,
    }
