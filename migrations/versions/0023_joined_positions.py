"""Members know where they joined, which later changes of their names do not move.

Revision: 0023, after 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("joined_position", sa.BigInteger(), server_default="0", nullable=False))
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """Find the join of each member by its time."""
    members = sa.table(
        "members",
        *map(sa.column, ("room_id", "user_id", "membership", "joined_ms", "position", "joined_position")),
    )
    events = sa.table(
        "events", *map(sa.column, ("room_id", "type", "state_key", "origin_server_ts", "position"))
    )
    join = (
        sa.select(sa.func.max(events.c.position))
        .where(
            events.c.room_id == members.c.room_id,
            events.c.type == "m.room.member",
            events.c.state_key == members.c.user_id,
            events.c.origin_server_ts == members.c.joined_ms,
            events.c.position <= members.c.position,
        )
        .scalar_subquery()
    )
    connection.execute(
        sa.update(members)
        .where(members.c.membership == "join")
        .values(joined_position=sa.func.coalesce(join, members.c.position))
    )
