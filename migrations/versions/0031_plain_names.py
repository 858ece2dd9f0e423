"""Names that are searched are folded as they are typed on a plain keyboard: without accents, strokes, apostrophes.

Revision: 0031, after 0030
"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_ACCENTS = re.compile("[\u0300-\u036f]+")
_PLAIN_LETTERS: dict[int, str | int | None] = {
    **str.maketrans("ıłøđðħŋəƒȷĸ", "iloddhnefjk"),
    ord("æ"): "ae",
    ord("œ"): "oe",
    ord("þ"): "th",
    **dict.fromkeys(map(ord, "'’‘‛ʼʻʹʾʿ`´′＇"), None),
}


def upgrade() -> None:
    for name, key, column in (("users", "user_id", "search_text"), ("rooms", "room_id", "name_folded")):
        fold(op.get_bind(), name, key, column)


def fold(connection: sa.Connection, name: str, key: str, column: str) -> None:
    """Fold what is not folded yet."""
    table = sa.table(name, sa.column(key), sa.column(column))
    rows = connection.execute(sa.select(table.c[key], table.c[column])).all()
    changed = [
        {"of": row[0], "folded": folded} for row in rows if (folded := _plain(row[1])) and folded != row[1]
    ]
    if changed:
        change = sa.update(table).where(table.c[key] == sa.bindparam("of"))
        connection.execute(change.values({column: sa.bindparam("folded")}), changed)


def _plain(folded: str) -> str:
    bare = folded.translate(_PLAIN_LETTERS)
    if bare.isascii():
        return bare
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", bare)))
