"""Transaction ids are kept apart from what they are an id of.

Before, the event type stood before the id, with a space in between, and both can have spaces of their own.

Revision: 0020, after 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("transactions", schema=None, recreate="auto") as batch_op:
        batch_op.add_column(sa.Column("scope", sa.Text(), server_default="", nullable=False))
        batch_op.drop_constraint("pk_transactions", type_="primary")
        batch_op.create_primary_key("pk_transactions", ["session_key", "room_id", "scope", "txn_id"])
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.alter_column("scope", existing_type=sa.Text(), existing_nullable=False, server_default=None)
    split(op.get_bind())


def split(connection: sa.Connection) -> None:
    """Split what clients may send again after the upgrade at the first space, as it was read until now."""
    made = sa.table("transactions", *map(sa.column, ("session_key", "room_id", "scope", "txn_id")))
    whole, room_id = made.c.txn_id, made.c.room_id
    find = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    space = find(whole, " ")
    before = sa.func.substr(whole, 1, space - 1)
    is_whole = sa.or_(before == "notice", before.like("redact/%"))
    connection.execute(
        sa.update(made)
        .where(space > 1, room_id.like("!%"), made.c.session_key != "enquiry help")
        .values(
            scope=sa.case((is_whole, before), else_=sa.literal("send/").concat(before)),
            txn_id=sa.func.substr(whole, space + 1),
        )
    )
    connection.execute(  # ids of to-device messages, which have no room
        sa.update(made)
        .where(room_id.like("to-device %"))
        .values(scope=sa.literal("to-device/").concat(sa.func.substr(room_id, 11)), room_id="")
    )
