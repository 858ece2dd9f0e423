"""Relations know whether an edit has new content, and which annotations are the same.

Edits of edits, of state, and without new content replace nothing any more, also those that did until now.

Revision: 0022, after 0021
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_PAGE = 1000
_relations = sa.table(
    "relations",
    *map(sa.column, ("event_id", "room_id", "relates_to", "rel_type", "sender", "position")),
    sa.column("annotation"),
    sa.column("has_content", sa.Boolean()),
)
_names = ("event_id", "room_id", "type", "state_key", "sender", "redacted_by", "edited_by", "pdu")
_events = sa.table("events", *map(sa.column, _names))
_successors = sa.table("successors", sa.column("user_id"), sa.column("successor"))


def upgrade() -> None:
    with op.batch_alter_table("relations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("annotation", sa.Text()))
        batch_op.add_column(
            sa.Column("has_content", sa.Boolean(), server_default=sa.text("true"), nullable=False)
        )
    condition = sa.text("annotation IS NOT NULL")
    op.create_index(
        "ix_relations_relates_to_annotation",
        "relations",
        ["relates_to", "annotation"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
    fill(op.get_bind())
    clear_edits(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Read the content of all annotations and edits."""
    change = (
        sa.update(_relations)
        .where(_relations.c.event_id == sa.bindparam("of_event"))
        .values(annotation=sa.bindparam("same"), has_content=sa.bindparam("has"))
    )
    for page in _pages(connection):
        connection.execute(change, [_read(row) for row in page])


def _pages(connection: sa.Connection) -> Iterator[list[Any]]:
    statement = (
        sa.select(_events.c.event_id, _events.c.type, _events.c.sender, _relations.c.rel_type, _events.c.pdu)
        .join_from(_relations, _events, _events.c.event_id == _relations.c.event_id)
        .where(
            _relations.c.rel_type.in_(("m.annotation", "m.replace")),
            _relations.c.event_id > sa.bindparam("after"),
        )
        .order_by(_relations.c.event_id)
        .limit(_PAGE)
    )
    after = ""
    while page := connection.execute(statement, {"after": after}).all():
        yield list(page)
        after = page[-1].event_id


def _read(row: Any) -> dict[str, Any]:
    content = orjson.loads(bytes(row.pdu)).get("content", {})
    relation = content.get("m.relates_to")
    key = relation.get("key") if isinstance(relation, dict) else None
    same = None
    if row.rel_type == "m.annotation" and isinstance(key, str):
        digest = hashlib.sha256(orjson.dumps([row.sender, row.type, key])).digest()
        same = base64.urlsafe_b64encode(digest).decode()
    has = isinstance(content.get("m.new_content"), dict) or row.type == "m.room.encrypted"
    return {"of_event": row.event_id, "same": same, "has": has or row.rel_type != "m.replace"}


def clear_edits(connection: sa.Connection) -> None:
    """Set the latest edit of each event anew where it was none."""
    own, edit, earlier = _relations.alias("own"), _events.alias("edit"), _relations.alias("earlier")
    is_edit = sa.exists().where(own.c.event_id == _events.c.event_id, own.c.rel_type == "m.replace")
    is_state = sa.exists().where(edit.c.event_id == _events.c.edited_by, edit.c.state_key.is_not(None))
    connection.execute(
        sa.update(_events)
        .where(_events.c.edited_by.is_not(None), sa.or_(_events.c.state_key.is_not(None), is_edit, is_state))
        .values(edited_by=None)
    )
    successor = sa.exists().where(
        _successors.c.user_id == _events.c.sender, _successors.c.successor == edit.c.sender
    )
    latest = (
        sa.select(earlier.c.event_id)
        .join_from(earlier, edit, edit.c.event_id == earlier.c.event_id)
        .where(
            earlier.c.relates_to == _events.c.event_id,
            earlier.c.rel_type == "m.replace",
            earlier.c.has_content,
            edit.c.room_id == _events.c.room_id,
            edit.c.type == _events.c.type,
            edit.c.redacted_by.is_(None),
            sa.or_(edit.c.sender == _events.c.sender, successor),
        )
        .order_by(earlier.c.position.desc())
        .limit(1)
        .correlate(_events)
        .scalar_subquery()
    )
    empty = sa.select(own.c.event_id).where(own.c.rel_type == "m.replace", ~own.c.has_content)
    connection.execute(sa.update(_events).where(_events.c.edited_by.in_(empty)).values(edited_by=latest))
