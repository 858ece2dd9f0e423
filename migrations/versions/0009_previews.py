"""Previews of web pages.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "url_previews",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("media_id", sa.Text(), nullable=True),
        sa.Column("fetched_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_url_previews")),
    )
    op.create_index(op.f("ix_url_previews_fetched_ms"), "url_previews", ["fetched_ms"])
    op.create_index(op.f("ix_url_previews_expires_ms"), "url_previews", ["expires_ms"])
