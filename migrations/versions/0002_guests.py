"""Guests, what they become, and enquiries about objects of host applications.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guests",
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("cookie_hash", sa.Text(), nullable=False),
        sa.Column("bound", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_guests_user_id_users")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_guests")),
        sa.UniqueConstraint("user_id", name=op.f("uq_guests_user_id")),
        sa.UniqueConstraint("alias", name=op.f("uq_guests_alias")),
    )
    op.create_index(op.f("ix_guests_seen_ms"), "guests", ["seen_ms"])
    op.create_table(
        "successors",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("successor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_successors_user_id_users")),
        sa.ForeignKeyConstraint(["successor"], ["users.user_id"], name=op.f("fk_successors_successor_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_successors")),
    )
    op.create_index(op.f("ix_successors_successor"), "successors", ["successor"])
    op.create_table(
        "enquiries",
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("enquirer", sa.Text(), nullable=False),
        sa.Column("guest_number", sa.BigInteger(), nullable=True),
        sa.Column("owner_hid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("enquirer_hid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("help", sa.Text(), server_default="", nullable=False),
        sa.Column("helper", sa.Text(), nullable=True),
        sa.Column("help_round", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_enquiries")),
    )
    op.create_index("ix_enquiries_owner", "enquiries", ["owner", "service"])
    op.create_index("ix_enquiries_enquirer", "enquiries", ["enquirer", "service", "object_id"])
    op.create_index(
        "ix_enquiries_help",
        "enquiries",
        ["service", "help"],
        sqlite_where=sa.text("help <> ''"),
        postgresql_where=sa.text("help <> ''"),
    )
