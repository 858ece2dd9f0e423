"""Changes of a user's keys that only their own devices may see have a position of their own.

Revision: 0028, after 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("device_lists", schema=None) as batch_op:
        batch_op.add_column(sa.Column("own_position", sa.BigInteger(), server_default="0", nullable=False))
