"""Full-text search of messages, and delayed events.

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SQLITE = (
    """
    CREATE VIRTUAL TABLE search_words USING fts5(
        words, content='search_texts', content_rowid='position',
        tokenize="unicode61 remove_diacritics 0 tokenchars '!'"
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
    _search()
    _delayed()


def _search() -> None:
    op.create_table(
        "search_texts",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_search_texts")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(statement)
    else:
        op.create_index("ix_search_texts_words", "search_texts", ["words"], postgresql_using="gin")


def _delayed() -> None:
    op.create_table(
        "delayed_events",
        sa.Column("delay_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("state_key", sa.Text(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("txn_key", sa.Text(), nullable=False),
        sa.Column("delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("delay_id", name=op.f("pk_delayed_events")),
        sa.UniqueConstraint("user_id", "txn_key", name="uq_delayed_events_txn"),
    )
    op.create_index(
        "ix_delayed_events_due_ms",
        "delayed_events",
        ["due_ms"],
        sqlite_where=sa.text("done_ms IS NULL"),
        postgresql_where=sa.text("done_ms IS NULL"),
    )
    op.create_index("ix_delayed_events_done_ms", "delayed_events", ["done_ms"])
