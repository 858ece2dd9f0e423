"""Members know how far they have read for themselves, which a private receipt moves and nobody else sees.

Revision: 0029, after 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("own_position", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE members SET own_position = read_position")
