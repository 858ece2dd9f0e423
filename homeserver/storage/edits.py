"""The latest edit of each event, kept as edits arrive and are redacted (client-server API, "Event replacements")."""

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId
from homeserver.storage.schema.people import successors
from homeserver.storage.schema.timeline import events, relations

_edits = events.alias("edits")
_own = relations.alias("own")
_earlier = relations.alias("earlier")
_earlier_edit = (  # those that `mark_edited` accepts
    select(_earlier.c.event_id)
    .join_from(_earlier, _edits, _edits.c.event_id == _earlier.c.event_id)
    .where(
        _earlier.c.relates_to == events.c.event_id,
        _earlier.c.rel_type == "m.replace",
        _earlier.c.has_content,
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
_is_edit = exists().where(_own.c.event_id == events.c.event_id, _own.c.rel_type == "m.replace")
_EDITED = (  # only by the sender, or the account that a guest became; in the same room, of the same type; no edit
    update(events)
    .where(
        events.c.event_id == bindparam("target"),
        events.c.room_id == bindparam("in_room"),
        or_(events.c.sender == bindparam("by"), _successor.exists()),
        events.c.type == bindparam("of_type"),
        events.c.state_key.is_(None),
        events.c.redacted_by.is_(None),
        ~_is_edit,
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
    """Set edits as the latest of their targets, where they apply ("Validity of replacement events").

    An edit is by the target's sender, or the account that guest became; it is of the target's room and type. State and
    edits have no edits.
    """
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
    """Fall back to the previous edit of each event whose latest edit is one of these, which were redacted."""
    await conn.execute(_UNEDITED, {"edits": list(edits)})
