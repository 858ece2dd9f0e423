"""Delete the hashes of earlier refresh tokens: they are kept only while the token is valid, and those are not.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Delete the tokens that were used under the earlier rule."""
    op.execute(sa.text("UPDATE sessions SET spent_hash = NULL WHERE spent_hash IS NOT NULL"))
