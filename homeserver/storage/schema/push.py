"""Web Push: where people want to hear of messages while nothing of theirs is open."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# a browser that wants pushes (RFC 8030, RFC 8291)
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("endpoint_hash", Text, primary_key=True),  # SHA-256 of the endpoint, which may be long
    Column("endpoint", Text, nullable=False),
    Column("user_id", Text, nullable=False, index=True),
    Column("session_id", Text),  # the session that asked for it, and takes it along when it ends
    Column("p256dh", Text, nullable=False),  # the browser's public key, base64url
    Column("auth", Text, nullable=False),  # its secret, base64url
    Column("face", Text, nullable=False),  # the API it came by, which says the words of the payload
    Column("created_ms", BigInteger, nullable=False),
)

# pushes that were decided on, until they are sent; written in one transaction with the consumer's cursor
push_outbox = Table(
    "push_outbox",
    metadata,
    Column("endpoint_hash", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the message
    Column("user_id", Text, nullable=False),  # for whom: the browser may be somebody else's by now
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False),
    Index("ix_push_outbox_due_ms", "due_ms"),
)

# the gateways by which Matrix clients want to be told
pushers = Table(
    "pushers",
    metadata,
    Column("pusher_id", Text, primary_key=True),  # hash of person, application and pushkey, which may be long
    Column("user_id", Text, nullable=False, index=True),
    Column("session_id", Text),  # the session that asked for it, and takes it along when it ends
    Column("app_id", Text, nullable=False),
    Column("pushkey", Text, nullable=False),
    Column("app_name", Text, nullable=False),
    Column("device_name", Text, nullable=False),
    Column("profile_tag", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),  # JSON as the client gave it, with the gateway's address
    Column("created_ms", BigInteger, nullable=False),
    Column("told", Integer, nullable=False, server_default="0"),  # the unread count that it was told last
    Index("ix_pushers_pushkey", "pushkey"),
)

# what is to be sent to gateways; written in one transaction with the consumer's cursor
pusher_outbox = Table(
    "pusher_outbox",
    metadata,
    Column("pusher_id", Text, primary_key=True),
    Column(
        "position", BigInteger, primary_key=True, autoincrement=False
    ),  # of the event; the last: counts only
    Column("tweaks", LargeBinary, nullable=False),  # JSON: how it is to be shown
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False),
    Index("ix_pusher_outbox_due_ms", "due_ms"),
)
