"""Stored connections of sliding sync.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sliding_connections",
        sa.Column("session_key", sa.Text(), nullable=False),
        sa.Column("conn_id", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_key", "conn_id", "serial", name=op.f("pk_sliding_connections")),
    )
    op.create_index(op.f("ix_sliding_connections_used_ms"), "sliding_connections", ["used_ms"])
