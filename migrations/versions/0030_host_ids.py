"""Users of host applications have the host's own id where their number does not contain it.

Before this, users with an id of 2^31 or more had a number of this server's own in its place.

Revision: 0030, after 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_LARGEST = 2**53 - 1
_SUBJECTS = sa.text("SELECT user_id, subject FROM host_users WHERE length(subject) BETWEEN 10 AND 16")
_SET = sa.text("UPDATE users SET host_id = :host_id WHERE user_id = :user_id")


def upgrade() -> None:
    """Add the column, and take the ids from the subjects of the hosts' tokens."""
    op.add_column("users", sa.Column("host_id", sa.BigInteger()))
    op.create_index("ix_users_host_id", "users", ["host_id"])
    conn = op.get_bind()
    large = [
        {"user_id": row.user_id, "host_id": int(row.subject)}
        for row in conn.execute(_SUBJECTS)
        if _is_number(row.subject) and 2**31 <= int(row.subject) <= _LARGEST
    ]
    if large:
        conn.execute(_SET, large)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and not text.startswith("0")
