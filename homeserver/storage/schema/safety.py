"""Safety: blocks between users, reports, and the keys of host applications' servers."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint, text

from homeserver.storage.schema.base import metadata

# blocks between users; a row restricts both (services/accounts/blocks.py)
blocks = Table(
    "blocks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("blocked", Text, primary_key=True, index=True),
    Column("created_ms", BigInteger, nullable=False),
)

# reports for the admins: by a user, or by the word list (reporter is empty)
reports = Table(
    "reports",
    metadata,
    # counts up; no number is used twice
    Column("report_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("event_id", Text, nullable=False),  # or the room's or the user's id, if that is reported
    Column("sender", Text, nullable=False),  # of the message; empty for a room
    Column("reporter", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("outcome", Text, nullable=False, server_default=""),  # what the admin did
    UniqueConstraint("event_id", "reporter", name="uq_reports_event_reporter"),
    Index(
        "ix_reports_open",
        "report_id",
        sqlite_where=text("closed_ms IS NULL"),
        postgresql_where=text("closed_ms IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# credentials of host applications' servers (services/auth/servicekeys.py)
service_keys = Table(
    "service_keys",
    metadata,
    Column("key_id", Text, primary_key=True),  # the public half, which names the key
    Column("name", Text, nullable=False),  # for operators
    Column("scope", Text, nullable=False),  # the bridge or API that it is valid for
    Column("key_hash", Text, nullable=False, unique=True),  # SHA-256 of the whole key
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),  # to the hour
    Column("revoked_ms", BigInteger),
)
