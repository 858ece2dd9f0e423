"""Which relations clients may send (client-server API, "Avoiding duplicate annotations", "Validation of `m.thread`
relationships").

What is merely ignored, such as an edit of an edit or a relation to another room, may be sent; `storage/edits.py` and
`storage/relations.py` leave it out.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Invalid
from homeserver.model import Draft, place_at
from homeserver.protocol.ids import EventId, RoomId
from homeserver.storage import transactions
from homeserver.storage.db import Database
from homeserver.storage.relation_rules import Annotation, relating, repeated_annotations
from homeserver.storage.transactions import TxnKey
from homeserver.timeline.build import ANNOTATION, THREAD, annotation_of, relation_of
from homeserver.timeline.submission import Placed, SideWrite


async def check_relation(
    db: Database, room_id: RoomId, draft: Draft, txn: TxnKey | None
) -> Sequence[SideWrite[Any]]:
    """Check the relation of a message event that is about to be sent; returns what must still hold when it is written.

    Raises Invalid("duplicate_annotation", "bad_thread_root").
    """
    relation = relation_of(draft.content)
    if relation is None:
        return ()
    rel_type, target = relation
    if rel_type == THREAD:
        await _check_root(db, room_id, target)
    annotation = annotation_of(draft.sender, draft.type, draft.content) if rel_type == ANNOTATION else None
    if annotation is None:
        return ()
    mine = Annotation(room_id, target, annotation)
    async with db.read() as conn:
        if await repeated_annotations(conn, [mine]):
            is_retry = txn is not None and bool(await transactions.find(conn, [txn]))
            if not is_retry:
                raise _duplicate()
    return (SideWrite(_check_unique, mine),)


async def _check_root(db: Database, room_id: RoomId, target: EventId) -> None:
    async with db.read() as conn:
        if await relating(conn, room_id, [target]):
            raise Invalid(
                "a thread cannot begin with an event that relates to another", code="bad_thread_root"
            )


async def _check_unique(conn: AsyncConnection, items: Sequence[Placed[Annotation]]) -> None:
    """Refuse annotations that another was written before, since they were checked."""
    placed = [item.row._replace(place=place_at(item.position)) for item in items]
    if await repeated_annotations(conn, placed):
        raise _duplicate()


def _duplicate() -> Invalid:
    return Invalid("you have annotated this event so already", code="duplicate_annotation")
