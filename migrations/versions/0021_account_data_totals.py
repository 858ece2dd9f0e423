"""How much account data each user has.

Revision: 0021, after 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and count what is stored."""
    op.create_table(
        "account_data_totals",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
    )
    count(op.get_bind())


def count(connection: sa.Connection) -> None:
    """Fill the table: deleted items, whose content is empty, do not count."""
    is_sqlite = connection.dialect.name == "sqlite"

    def size(name: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
        return sa.func.length(sa.cast(name, sa.LargeBinary)) if is_sqlite else sa.func.octet_length(name)

    data = sa.table(
        "account_data",
        *(sa.column(name, sa.Text()) for name in ("user_id", "room_id", "type")),
        sa.column("content", sa.LargeBinary()),
    )
    totals = sa.table("account_data_totals", *map(sa.column, ("user_id", "items", "bytes")))
    counted = (
        sa.select(
            data.c.user_id,
            sa.func.count(),
            sa.func.sum(size(data.c.room_id) + size(data.c.type) + sa.func.length(data.c.content)),
        )
        .where(data.c.content != b"{}")
        .group_by(data.c.user_id)
    )
    connection.execute(sa.insert(totals).from_select(["user_id", "items", "bytes"], counted))


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("account_data_totals")
