"""Users whose messages are hidden from users who join later (erasure).

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and an index of the users who have it set."""
    op.add_column("users", sa.Column("erased", sa.Boolean, nullable=False, server_default=sa.text("false")))
    condition = sa.text("erased")
    op.create_index(
        "ix_users_erased", "users", ["user_id"], sqlite_where=condition, postgresql_where=condition
    )
