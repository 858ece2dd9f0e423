"""Account status, further profile and session columns, login tokens.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("locked", "admin"):
        op.add_column("users", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))
    for name in ("last_ip", "user_agent"):
        op.add_column("sessions", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.create_table(
        "profile_fields",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_profile_fields_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_profile_fields")),
    )
    op.create_table(
        "login_tokens",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_tokens")),
    )
    op.create_index(op.f("ix_login_tokens_expires_ms"), "login_tokens", ["expires_ms"])
