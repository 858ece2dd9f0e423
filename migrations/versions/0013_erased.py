"""People whose words are kept from those who come later.

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark, and a way to find those who have it."""
    op.add_column("users", sa.Column("erased", sa.Boolean, nullable=False, server_default=sa.text("false")))
    condition = sa.text("erased")
    op.create_index(
        "ix_users_erased", "users", ["user_id"], sqlite_where=condition, postgresql_where=condition
    )
