"""Who closed their account before people were taken out of their rooms is taken out now.

Revision: 0014, after 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the reader of the log that takes people out begin where the first of them closed their account.

    Whoever is out already is passed over.
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
