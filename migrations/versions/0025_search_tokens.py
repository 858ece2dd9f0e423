"""The search index has tokens of all scripts, and emoji; SQLite keeps them as they are.

The index is emptied, and made anew from the log when the server runs.

Revision: 0025, after 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_SQLITE = (
    """
    CREATE VIRTUAL TABLE search_words USING fts5(
        words, content='search_texts', content_rowid='position', tokenize="ascii tokenchars '!'"
    )
    """,
    """
    CREATE TRIGGER search_texts_added AFTER INSERT ON search_texts BEGIN
        INSERT INTO search_words (rowid, words) VALUES (new.position, new.words);
    END
    """,
    """
    CREATE TRIGGER search_texts_removed AFTER DELETE ON search_texts BEGIN
        INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', old.position, old.words);
    END
    """,
)


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("DROP TRIGGER search_texts_added")
        op.execute("DROP TRIGGER search_texts_removed")
        op.execute("DROP TABLE search_words")
    op.execute(sa.delete(sa.table("search_texts")))
    cursors = sa.table("cursors", sa.column("consumer"), sa.column("position"))
    op.execute(sa.update(cursors).where(cursors.c.consumer == "search").values(position=0))
    if is_sqlite:
        for statement in _SQLITE:
            op.execute(statement)
