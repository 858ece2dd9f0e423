"""Users, their sessions, guests, and their media."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from homeserver.storage.schema.base import metadata

# the last integer id assigned in each namespace (0: accounts made here)
number_heads = Table(
    "number_heads",
    metadata,
    Column("namespace", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False, unique=True),
    Column("email", Text, unique=True),  # lower case; NULL when unknown
    Column("tag", Text, unique=True),
    Column("password_hash", Text),  # argon2; NULL: cannot log in here
    Column("display_name", Text, nullable=False, server_default=""),
    Column("avatar_url", Text, nullable=False, server_default=""),
    Column("search_text", Text, nullable=False, server_default=""),  # case-folded names, for search
    Column("created_ms", BigInteger, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=text("false")),
    Column("deactivated", Boolean, nullable=False, server_default=text("false")),
    Column("locked", Boolean, nullable=False, server_default=text("false")),
    Column("admin", Boolean, nullable=False, server_default=text("false")),
    # deactivated with the request for erasure: what they wrote is hidden from users who join later
    Column("erased", Boolean, nullable=False, server_default=text("false")),
    # the host's own id of them, where `number` does not contain it: 2^31 or more
    Column("host_id", BigInteger, index=True),
    Index("ix_users_erased", "user_id", sqlite_where=text("erased"), postgresql_where=text("erased")),
)

# profile fields other than display name and avatar
profile_fields = Table(
    "profile_fields",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),  # JSON
)

# profile fields from host applications, beside display name and avatar
host_profiles = Table(
    "host_profiles",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id"), primary_key=True),
    Column("first_name", Text, nullable=False, server_default=""),
    Column("last_name", Text, nullable=False, server_default=""),
    Column("middle_name", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False, server_default=""),
    Column("job", Text, nullable=False, server_default=""),
    Column("bio", Text, nullable=False, server_default=""),
    Column("phone", Text, nullable=False, server_default=""),
    Column("telegram", Text, nullable=False, server_default=""),
    Column("study_group", Text, nullable=False, server_default=""),
)

# users that a host application vouches for
host_users = Table(
    "host_users",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),  # the host's own id, as text
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False, unique=True),
    Column(
        "claims_hash", Text, nullable=False
    ),  # of the profile claims last seen: equal means nothing to update
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False, index=True),
    Column("device_id", Text, nullable=False),
    Column("device_name", Text, nullable=False, server_default=""),
    Column("refresh_hash", Text, nullable=False, unique=True),  # of the newest refresh token
    Column("spent_hash", Text, index=True),  # of the one before, until the newest tokens are used
    Column("refresh_expires_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_used_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("last_ip", Text, nullable=False, server_default=""),  # address and user agent of its last use
    Column("user_agent", Text, nullable=False, server_default=""),
    UniqueConstraint("user_id", "device_id", name="uq_sessions_user_device"),
)

# users without an account, known by a UUID that their browser made (services/enquiries/guests.py)
guests = Table(
    "guests",
    metadata,
    Column("key_hash", Text, primary_key=True),  # keyed hash of the UUID; the UUID itself is not stored
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False, unique=True),
    Column("alias", Text, nullable=False, unique=True),  # the UUID that other users see
    Column("cookie_hash", Text, nullable=False),  # of the secret in the cookie set at first use
    Column("bound", Boolean, nullable=False, server_default=text("false")),  # the browser has sent it back
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False, index=True),
)

# the account that a guest became: what the guest wrote is shown as this account's
successors = Table(
    "successors",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id"), primary_key=True),
    Column("successor", Text, ForeignKey("users.user_id"), nullable=False, index=True),
)

media = Table(
    "media",
    metadata,
    Column("media_id", Text, primary_key=True),
    Column("uploader", Text, nullable=False, index=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("content_type", Text, nullable=False),  # detected, not what the client declared
    Column("declared_type", Text, nullable=False, server_default=""),  # as declared by a Matrix client
    Column("source", Text, nullable=False, server_default="product"),  # or "matrix", "preview"
    Column("size", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("sha256", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("delete_after_ms", BigInteger, index=True),  # set when its message was deleted
)

# media ids created by Matrix clients before the upload
pending_media = Table(
    "pending_media",
    metadata,
    Column("media_id", Text, primary_key=True),
    Column("uploader", Text, nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)
