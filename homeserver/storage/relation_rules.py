"""What the rules for sending relations ask of those that there are (see `services/messages/relation_rules.py`)."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import LAST_PLACE, Place
from homeserver.protocol.ids import EventId, RoomId
from homeserver.storage.dialect import Rows, rows_of
from homeserver.storage.schema.timeline import events, relations


class Annotation(NamedTuple):
    """An annotation (`Relation.annotation`) of an event, standing at `place` or about to be sent."""

    room_id: RoomId
    target: EventId
    annotation: str
    place: Place = LAST_PLACE


_RELATING = select(relations.c.event_id).where(
    relations.c.event_id.in_(bindparam("event_ids", expanding=True)),
    relations.c.room_id == bindparam("in_room"),
)
_wanted = Rows("annotations")  # the fields of Annotation for each
_REPEATED = (
    select(relations.c.relates_to, relations.c.annotation)
    .join_from(
        _wanted.table,
        relations,
        and_(
            relations.c.room_id == _wanted.text(0),
            relations.c.relates_to == _wanted.text(1),
            relations.c.annotation == _wanted.text(2),
            relations.c.position < _wanted.number(3),
        ),
    )
    .join(events, events.c.event_id == relations.c.event_id)
    .where(events.c.redacted_by.is_(None))
)


async def relating(conn: AsyncConnection, room_id: RoomId, event_ids: Collection[EventId]) -> set[EventId]:
    """Those of a room's events that relate to another."""
    return set((await conn.execute(_RELATING, {"in_room": room_id, "event_ids": list(event_ids)})).scalars())


async def repeated_annotations(
    conn: AsyncConnection, annotations: Collection[Annotation]
) -> set[tuple[EventId, str]]:
    """(target, annotation) of those that stand before, too, and were not redacted."""
    rows = await conn.execute(_REPEATED, {"annotations": rows_of(annotations)})
    return {(row.relates_to, row.annotation) for row in rows}
