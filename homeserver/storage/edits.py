"""The latest edit of each event, as edits come and are redacted ("Event replacements")."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId
from homeserver.storage.schema.people import successors
from homeserver.storage.schema.timeline import events, relations

_edits = events.alias("edits")
_earlier = relations.alias("earlier")
_earlier_edit = (  # as `mark_edited` takes them
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
_successor = select(successors.c.successor).where(
    successors.c.user_id == events.c.sender, successors.c.successor == bindparam("by")
)
_EDITED = (  # only the sender of a message, or the account that a guest became; in the same room, by the same type
    update(events)
    .where(
        events.c.event_id == bindparam("target"),
        events.c.room_id == bindparam("in_room"),
        or_(events.c.sender == bindparam("by"), _successor.exists()),
        events.c.type == bindparam("of_type"),
        events.c.redacted_by.is_(None),
    )
    .values(edited_by=bindparam("edit"))
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


async def mark_edited(conn: AsyncConnection, edits: Sequence[tuple[EventId, Event]]) -> None:
    """Make each edit the latest of its target, where the target is the editor's own, or that of the guest they were."""
    rows = [
        {
            "target": target,
            "in_room": edit.room_id,
            "by": edit.sender,
            "of_type": edit.type,
            "edit": edit.event_id,
        }
        for target, edit in edits
    ]
    await conn.execute(_EDITED, rows)


async def unmark_edited(conn: AsyncConnection, edits: Collection[EventId]) -> None:
    """What these edits are the latest of becomes as the one before made it: they were redacted."""
    await conn.execute(_UNEDITED, {"edits": list(edits)})
