"""Profile fields from host applications, in a table of their own.

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

FIELDS = (
    "first_name",
    "last_name",
    "middle_name",
    "role",
    "job",
    "bio",
    "phone",
    "telegram",
    "study_group",
)


def upgrade() -> None:
    """Move the columns of users to rows, for users with a value in any of them."""
    op.create_table(
        "host_profiles",
        sa.Column("user_id", sa.Text(), sa.ForeignKey("users.user_id"), primary_key=True),
        *(sa.Column(name, sa.Text(), server_default="", nullable=False) for name in FIELDS),
    )
    users = sa.table("users", sa.column("user_id"), *map(sa.column, FIELDS))
    profiles = sa.table("host_profiles", sa.column("user_id"), *map(sa.column, FIELDS))
    told = sa.select(*users.c).where(sa.or_(*(users.c[name] != "" for name in FIELDS)))
    op.execute(sa.insert(profiles).from_select(["user_id", *FIELDS], told))
    for name in FIELDS:
        op.drop_column("users", name)


def downgrade() -> None:
    """Move the columns back."""
    for name in FIELDS:
        op.add_column("users", sa.Column(name, sa.Text(), server_default="", nullable=False))
    users = sa.table("users", sa.column("user_id"), *map(sa.column, FIELDS))
    profiles = sa.table("host_profiles", sa.column("user_id"), *map(sa.column, FIELDS))
    is_theirs = profiles.c.user_id == users.c.user_id
    told = {name: sa.select(profiles.c[name]).where(is_theirs).scalar_subquery() for name in FIELDS}
    op.execute(sa.update(users).where(sa.exists().where(is_theirs)).values(told))
    op.drop_table("host_profiles")
