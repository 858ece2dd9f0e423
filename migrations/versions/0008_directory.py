"""Room aliases, room summaries for the directory, and forgotten rooms.

Revision: 0008, after 0007
"""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PAGE = 500
_TYPES = (
    "m.room.create",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.canonical_alias",
    "m.room.avatar",
    "m.room.encryption",
)


def upgrade() -> None:
    op.add_column(
        "members", sa.Column("forgotten", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_table(
        "aliases",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("creator", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_aliases")),
    )
    op.create_index(op.f("ix_aliases_room_id"), "aliases", ["room_id"])
    op.create_table(
        "room_summaries",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("published", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("room_type", sa.Text(), nullable=True),
        sa.Column("join_rule", sa.Text(), nullable=False),
        sa.Column("allowed_rooms", sa.Text(), nullable=False),
        sa.Column("world_readable", sa.Boolean(), nullable=False),
        sa.Column("guests_can_join", sa.Boolean(), nullable=False),
        sa.Column("canonical_alias", sa.Text(), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=False),
        sa.Column("encryption", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_room_summaries")),
    )
    op.create_index(
        "ix_room_summaries_published",
        "room_summaries",
        ["room_id"],
        sqlite_where=sa.text("published"),
        postgresql_where=sa.text("published"),
    )
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Write the summaries of existing rooms, a page at a time."""
    for rooms in _pages(connection):
        states: dict[str, dict[str, Any]] = {room.room_id: {} for room in rooms}
        found = connection.execute(
            sa.text(
                "SELECT room_id, type, pdu FROM events WHERE room_id IN :rooms AND type IN :types"
                " AND state_key = '' AND status = 0 ORDER BY timeline_order"
            ).bindparams(
                sa.bindparam("rooms", list(states), expanding=True),
                sa.bindparam("types", list(_TYPES), expanding=True),
            )
        )
        for event in found:  # the latest of each type wins
            states[event.room_id][event.type] = json.loads(bytes(event.pdu)).get("content", {})
        rows = [_summary(room, states[room.room_id]) for room in rooms]
        connection.execute(sa.insert(_SUMMARIES), rows)


_SUMMARIES = sa.table(
    "room_summaries",
    *(
        sa.column(name)
        for name in (
            *("room_id", "room_type", "join_rule", "allowed_rooms", "world_readable", "guests_can_join"),
            *("canonical_alias", "avatar_url", "encryption", "search_text"),
        )
    ),
)


def _pages(connection: sa.Connection) -> Iterator[Any]:
    last = ""
    query = sa.text(
        "SELECT room_id, name, topic FROM rooms WHERE room_id > :last ORDER BY room_id LIMIT :page"
    )
    while rooms := connection.execute(query, {"last": last, "page": _PAGE}).all():
        yield rooms
        last = rooms[-1].room_id


def _summary(room: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    allow = state.get("m.room.join_rules", {}).get("allow")
    allowed = [
        one["room_id"]
        for one in (allow if isinstance(allow, list) else [])[:100]
        if isinstance(one, dict)
        and one.get("type") == "m.room_membership"
        and isinstance(one.get("room_id"), str)
    ]
    room_type = state.get("m.room.create", {}).get("type")
    alias = _text(state, "m.room.canonical_alias", "alias")
    join_rule = _text(state, "m.room.join_rules", "join_rule") or "invite"
    return {
        "room_id": room.room_id,
        "room_type": room_type if isinstance(room_type, str) else None,
        "join_rule": join_rule,
        "allowed_rooms": json.dumps(
            allowed if join_rule in ("restricted", "knock_restricted") else [], separators=(",", ":")
        ),
        "world_readable": _text(state, "m.room.history_visibility", "history_visibility") == "world_readable",
        "guests_can_join": _text(state, "m.room.guest_access", "guest_access") == "can_join",
        "canonical_alias": alias,
        "avatar_url": _text(state, "m.room.avatar", "url"),
        "encryption": _text(state, "m.room.encryption", "algorithm"),
        "search_text": _fold("\n".join((room.name, room.topic[:2000], alias))),
    }


def _text(state: Mapping[str, Any], kind: str, name: str) -> str:
    value = state.get(kind, {}).get(name)
    return value.replace("\0", "") if isinstance(value, str) else ""


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace("ё", "е")
