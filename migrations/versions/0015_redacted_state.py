"""An index of redacted state events.

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    condition = sa.text("state_key IS NOT NULL AND redacted_by IS NOT NULL")
    op.create_index(
        "ix_events_redacted_state", "events", ["room_id"], sqlite_where=condition, postgresql_where=condition
    )
