"""The hash of an earlier refresh token is kept only while that token is good: those kept so far are good no more.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget the tokens that were spent under the earlier rule."""
    op.execute(sa.text("UPDATE sessions SET spent_hash = NULL WHERE spent_hash IS NOT NULL"))
