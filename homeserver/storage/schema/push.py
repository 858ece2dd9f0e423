"""Web Push subscriptions and pushers of Matrix clients, and what waits to be sent to them."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# a browser's push subscription (RFC 8030, RFC 8291)
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("endpoint_hash", Text, primary_key=True),  # SHA-256 of the endpoint, which may be long
    Column("endpoint", Text, nullable=False),
    Column("user_id", Text, nullable=False, index=True),
    Column("session_id", Text),  # the session that subscribed; the subscription ends with it
    Column("p256dh", Text, nullable=False),  # the browser's public key, base64url
    Column("auth", Text, nullable=False),  # its authentication secret, base64url
    Column("face", Text, nullable=False),  # the API by which it subscribed, which makes the payload
    Column("created_ms", BigInteger, nullable=False),
)

# pushes to be sent; written in one transaction with the consumer's cursor
push_outbox = Table(
    "push_outbox",
    metadata,
    Column("endpoint_hash", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # of the message
    Column("user_id", Text, nullable=False),  # the recipient: the browser may belong to another user by now
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False),
    Index("ix_push_outbox_due_ms", "due_ms"),
)

# pushers of Matrix clients
pushers = Table(
    "pushers",
    metadata,
    Column("pusher_id", Text, primary_key=True),  # hash of user, app id and pushkey, which may be long
    Column("user_id", Text, nullable=False, index=True),
    Column("session_id", Text),  # the session that set it; the pusher ends with it
    Column("app_id", Text, nullable=False),
    Column("pushkey", Text, nullable=False),
    Column("app_name", Text, nullable=False),
    Column("device_name", Text, nullable=False),
    Column("profile_tag", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),  # JSON as the client sent it, with the gateway's URL
    Column("created_ms", BigInteger, nullable=False),
    Column("told", Integer, nullable=False, server_default="0"),  # the unread count last sent to the gateway
    Index("ix_pushers_pushkey", "pushkey"),
)

# notifications to gateways; written in one transaction with the consumer's cursor
pusher_outbox = Table(
    "pusher_outbox",
    metadata,
    Column("pusher_id", Text, primary_key=True),
    Column(
        "position", BigInteger, primary_key=True, autoincrement=False
    ),  # of the event; the last: counts only
    Column("tweaks", LargeBinary, nullable=False),  # JSON: tweaks of the matching push rule
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False),
    Index("ix_pusher_outbox_due_ms", "due_ms"),
)
