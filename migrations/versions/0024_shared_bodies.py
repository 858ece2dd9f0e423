"""To-device messages to several devices of a user share one body, and name their sender.

Messages that wait already stay as they are.

Revision: 0024, after 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns."""
    op.create_table(
        "shared_bodies",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    with op.batch_alter_table("device_messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sender", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("shared", sa.Integer(), nullable=True))
        batch_op.alter_column("body", existing_type=sa.LargeBinary(), nullable=True)
