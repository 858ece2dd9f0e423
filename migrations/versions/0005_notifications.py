"""Unread notifications as Matrix clients count them, and push rules.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _counters()
    _threads()
    _marks()


def _counters() -> None:
    zero = {"server_default": "0", "nullable": False}
    op.add_column("events", sa.Column("notify_seq", sa.BigInteger(), **zero))
    op.add_column("rooms", sa.Column("notify_seq", sa.BigInteger(), **zero))
    for name in ("seen_position", "main_position", "main_seq"):
        op.add_column("members", sa.Column(name, sa.BigInteger(), **zero))
    # Older events count as before: all messages notified, and threads were not counted separately.
    op.execute("UPDATE events SET notify_seq = message_seq")
    op.execute("UPDATE rooms SET notify_seq = message_seq")
    op.execute(
        "UPDATE members SET seen_position = read_position, main_position = read_position,"
        " main_seq = read_seq + unread_removed"
    )


def _threads() -> None:
    op.create_table(
        "notify_threads",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("notify_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "thread_id", name=op.f("pk_notify_threads")),
    )
    op.create_table(
        "notify_thread_events",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("notify_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "thread_id", "position", name=op.f("pk_notify_thread_events")),
    )
    op.create_table(
        "thread_reads",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "room_id", "thread_id", name=op.f("pk_thread_reads")),
    )


def _marks() -> None:
    op.create_table(
        "notify_marks",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.Column("notify", sa.Integer(), nullable=False),
        sa.Column("highlight", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "room_id", "position", "thread_id", name=op.f("pk_notify_marks")),
    )
    op.create_index("ix_notify_marks_room_id_position", "notify_marks", ["room_id", "position"])
    op.create_table(
        "quiet_spells",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("from_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_position", sa.BigInteger(), nullable=True),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("to_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "room_id", "from_position", name=op.f("pk_quiet_spells")),
    )
    op.create_index("ix_quiet_spells_room_id", "quiet_spells", ["room_id"])
    op.create_table(
        "push_rules",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_push_rules")),
    )
