"""Edits that are taken back."""

from collections.abc import Collection

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.ids import EventId
from homeserver.storage.schema.people import successors
from homeserver.storage.schema.timeline import events, relations

_edits = events.alias("edits")
_earlier = relations.alias("earlier")
_earlier_edit = (  # as `events.mark_edited` takes them
    select(_earlier.c.event_id)
    .join_from(_earlier, _edits, _edits.c.event_id == _earlier.c.event_id)
    .where(
        _earlier.c.relates_to == events.c.event_id,
        _earlier.c.rel_type == "m.replace",
        _edits.c.room_id == events.c.room_id,
        _edits.c.type == events.c.type,
        _edits.c.redacted_by.is_(None),
        or_(
            _edits.c.sender == events.c.sender,
            exists().where(
                successors.c.user_id == events.c.sender, successors.c.successor == _edits.c.sender
            ),
        ),
    )
    .order_by(_earlier.c.position.desc())
    .limit(1)
    .correlate(events)
    .scalar_subquery()
)
_UNEDITED = (
    update(events)
    .where(
        events.c.event_id.in_(
            select(relations.c.relates_to).where(
                relations.c.event_id.in_(bindparam("edits", expanding=True)),
                relations.c.rel_type == "m.replace",
            )
        ),
        events.c.edited_by.in_(bindparam("edits", expanding=True)),
    )
    .values(edited_by=_earlier_edit)
)


async def unmark_edited(conn: AsyncConnection, edits: Collection[EventId]) -> None:
    """What these edits are the latest of becomes as the one before made it: they were redacted."""
    await conn.execute(_UNEDITED, {"edits": list(edits)})
