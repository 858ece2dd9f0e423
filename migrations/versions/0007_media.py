"""Media of Matrix clients, and media ids created before the upload.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("declared_type", sa.Text(), server_default="", nullable=False))
    op.add_column("media", sa.Column("source", sa.Text(), server_default="product", nullable=False))
    op.create_table(
        "pending_media",
        sa.Column("media_id", sa.Text(), nullable=False),
        sa.Column("uploader", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("media_id", name=op.f("pk_pending_media")),
    )
    op.create_index(op.f("ix_pending_media_uploader"), "pending_media", ["uploader"])
    op.create_index(op.f("ix_pending_media_expires_ms"), "pending_media", ["expires_ms"])
