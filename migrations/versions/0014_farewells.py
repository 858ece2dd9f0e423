"""Remove users from their rooms who deactivated their account before the server did so.

Revision: 0014, after 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the cursor of the consumer that removes deactivated users from rooms to the first deactivation.

    Users who have left already are skipped.
    """
    op.execute(
        "INSERT INTO cursors (consumer, position) "
        "SELECT 'farewells', min(log.position) - 1 FROM log JOIN users ON users.user_id = log.user_id "
        "WHERE log.kind = 'session_ended' AND users.deactivated AND EXISTS ("
        "SELECT 1 FROM members WHERE members.user_id = users.user_id "
        "AND members.membership IN ('join', 'invite', 'knock')) "
        "HAVING min(log.position) IS NOT NULL "
        "ON CONFLICT (consumer) DO UPDATE SET position = excluded.position "
        "WHERE excluded.position < cursors.position"
    )
