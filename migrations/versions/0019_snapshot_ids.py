"""State snapshots have ids of their own, and deltas can remove keys.

Before, a snapshot's id was the position of the event that made it. Those ids stay; new ones are greater.

Revision: 0019, after 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("log_head", schema=None) as batch_op:
        batch_op.add_column(sa.Column("state_id", sa.BigInteger(), server_default="0", nullable=False))
    number(op.get_bind())
    with op.batch_alter_table("snapshot_entries", schema=None) as batch_op:
        batch_op.alter_column("event_id", existing_type=sa.Text(), nullable=True)


def number(connection: sa.Connection) -> None:
    """Continue above every id assigned so far."""
    connection.execute(sa.text("UPDATE log_head SET state_id = position WHERE state_id < position"))
