"""Interactive authentication: whose each session is, and the answer of a completed one.

Sessions last minutes, so those that are open now are dropped: their clients begin again.

Revision: 0027, after 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute(sa.text("DELETE FROM interactions"))
    with op.batch_alter_table("interactions") as table:
        table.add_column(sa.Column("owner", sa.Text(), nullable=False))
        table.add_column(sa.Column("answer", sa.LargeBinary()))
    op.create_index("ix_interactions_owner", "interactions", ["owner"])
