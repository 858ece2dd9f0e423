"""Folded names are without vowel signs and accents of their own, as terms are that they are searched by.

Revision: 0026, after 0025
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_LEFT_OUT = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\U0001f3fb-\U0001f3ff]+"
)
_FOLDED = (
    ("users", "user_id", "search_text"),
    ("rooms", "room_id", "name_folded"),
    ("room_summaries", "room_id", "search_text"),
)


def upgrade() -> None:
    for name, key, column in _FOLDED:
        fold(op.get_bind(), name, key, column)


def fold(connection: sa.Connection, name: str, key: str, column: str) -> None:
    """Fold what is not folded yet."""
    table = sa.table(name, sa.column(key), sa.column(column))
    rows = connection.execute(sa.select(table.c[key], table.c[column])).all()
    changed = [
        {"of": row[0], "folded": _LEFT_OUT.sub("", row[1]) or row[1]}
        for row in rows
        if _LEFT_OUT.search(row[1])
    ]
    if changed:
        change = sa.update(table).where(table.c[key] == sa.bindparam("of"))
        connection.execute(change.values({column: sa.bindparam("folded")}), changed)
