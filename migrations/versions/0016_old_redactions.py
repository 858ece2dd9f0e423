"""Clear names, topics, avatars and canonical aliases in room lists whose state events were redacted.

Revision: 0016, after 0015
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_CLEAN = {
    "m.room.name": "UPDATE rooms SET name = '', name_folded = '' WHERE room_id = :of_room",
    "m.room.topic": "UPDATE rooms SET topic = '' WHERE room_id = :of_room",
    "m.room.avatar": "UPDATE room_summaries SET avatar_url = '' WHERE room_id = :of_room",
    "m.room.canonical_alias": "UPDATE room_summaries SET canonical_alias = '' WHERE room_id = :of_room",
}


def upgrade() -> None:
    clean(op.get_bind())


def clean(connection: sa.Connection) -> None:
    """Empty the list columns of rooms whose newest event of the type was redacted."""
    redacted = connection.execute(
        sa.text(
            "SELECT room_id, type FROM events WHERE state_key IS NOT NULL AND redacted_by IS NOT NULL"
            " AND state_key = '' AND status = 0 AND type IN :types AND NOT EXISTS ("
            "SELECT 1 FROM events newer WHERE newer.room_id = events.room_id AND newer.type = events.type"
            " AND newer.state_key = '' AND newer.status = 0"
            " AND newer.timeline_order > events.timeline_order)"
        ).bindparams(sa.bindparam("types", list(_CLEAN), expanding=True))
    ).all()
    for kind, statement in _CLEAN.items():
        rooms = [{"of_room": one.room_id} for one in redacted if one.type == kind]
        if rooms:
            connection.execute(sa.text(statement), rooms)
    found = connection.execute(
        sa.text(
            "SELECT rooms.room_id, name, topic, canonical_alias FROM rooms"
            " JOIN room_summaries ON room_summaries.room_id = rooms.room_id WHERE rooms.room_id IN ("
            "SELECT room_id FROM events WHERE state_key IS NOT NULL AND redacted_by IS NOT NULL)"
        )
    )
    texts = [
        {
            "of_room": one.room_id,
            "search": _fold("\n".join((one.name, one.topic[:2000], one.canonical_alias))),
        }
        for one in found
    ]
    if texts:
        connection.execute(
            sa.text("UPDATE room_summaries SET search_text = :search WHERE room_id = :of_room"), texts
        )


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace("ё", "е")
