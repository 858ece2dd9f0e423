"""End-to-end encryption: public keys, to-device messages, and encrypted backups. The server can read no user's
secret in any of them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from homeserver.storage.schema.base import metadata

# identity keys of devices
device_keys = Table(
    "device_keys",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # JSON as the device signed it
)

# keys claimed by one other device each; a claimed one is kept a while, or a repeated upload would bring it back
one_time_keys = Table(
    "one_time_keys",
    metadata,
    # counts up, so that keys are claimed in the order of their uploads
    Column("key_order", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # JSON: an object or a string
    Column("claimed_ms", BigInteger),
    UniqueConstraint("user_id", "device_id", "algorithm", "key_id", name="uq_one_time_keys_name"),
    Index(
        "ix_one_time_keys_unclaimed",
        "user_id",
        "device_id",
        "algorithm",
        "key_order",
        sqlite_where=text("claimed_ms IS NULL"),
        postgresql_where=text("claimed_ms IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# claimed when no one-time key is left
fallback_keys = Table(
    "fallback_keys",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("algorithm", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("used", Boolean, nullable=False, server_default=text("false")),
)

# each user's master, self-signing and user-signing key
cross_signing_keys = Table(
    "cross_signing_keys",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("usage", Text, primary_key=True),  # storage.e2ee.crosssigning.Usage
    Column("public_key", Text, nullable=False),  # base64
    Column("body", LargeBinary, nullable=False),
)

# signatures uploaded later than the keys they sign
key_signatures = Table(
    "key_signatures",
    metadata,
    Column("signer", Text, primary_key=True),
    Column("signer_key", Text, primary_key=True),  # ed25519:device id or public key
    Column("user_id", Text, primary_key=True),  # the user whose key is signed
    Column("target", Text, primary_key=True),  # its device id or public key
    Column("signature", Text, nullable=False),
    Column("position", BigInteger, nullable=False),  # log position
    Index("ix_key_signatures_target", "user_id", "target"),
)

# the log position at which each user's devices and keys last changed
device_lists = Table(
    "device_lists",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, index=True),
    Column(
        "own_position", BigInteger, nullable=False, server_default="0"
    ),  # of changes that only the user may see
)

# how much waits for each device
device_inboxes = Table(
    "device_inboxes",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

# to-device messages, until the device acknowledges them
device_messages = Table(
    "device_messages",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of its log entry
    Column("sender", Text, nullable=False, server_default=""),
    Column("size", Integer, nullable=False),  # bytes of the body
    Column("body", LargeBinary),  # JSON: type, sender, content; none: it is shared
    Column("shared", Integer),  # number of the shared body at this position
)

# the body of a message that several devices of a user got
shared_bodies = Table(
    "shared_bodies",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("waiting", Integer, nullable=False),  # devices that it still waits for
    Column("body", LargeBinary, nullable=False),
)

# the last version number of each user's backups
backup_heads = Table(
    "backup_heads",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

# key backups; the one with the greatest version is the current one
backups = Table(
    "backups",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("algorithm", Text, nullable=False),
    Column("auth_data", LargeBinary, nullable=False),
    Column("etag", BigInteger, nullable=False, server_default="0"),  # counts the changes of its keys
    Column("key_count", BigInteger, nullable=False, server_default="0"),  # how many keys there are
    Column("bytes", BigInteger, nullable=False, server_default="0"),  # and their total size
)

backup_keys = Table(
    "backup_keys",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("room_id", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("first_message_index", BigInteger, nullable=False),
    Column("forwarded_count", BigInteger, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("session_data", LargeBinary, nullable=False),
)

# each user's dehydrated device, encrypted, for times when no device of theirs is logged in
dehydrated_devices = Table(
    "dehydrated_devices",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("device_id", Text, nullable=False),
    Column("display_name", Text, nullable=False, server_default=""),
    Column("device_data", LargeBinary, nullable=False),
)
