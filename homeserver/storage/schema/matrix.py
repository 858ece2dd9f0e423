"""Tables of the Matrix client API alone: UIA sessions, registration tokens, account data, filters, sliding sync."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# user-interactive authentication sessions (services/auth/uia.py)
interactions = Table(
    "interactions",
    metadata,
    Column("interaction_id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),  # method and path of the request
    Column("user_id", Text, nullable=False, server_default=""),  # empty: not known yet
    Column("done", Text, nullable=False, server_default="[]"),  # JSON list of the completed stages
    Column("params", LargeBinary, nullable=False),  # the first request's body, or only its digest; encrypted
    Column("created_ms", BigInteger, nullable=False, index=True),
    Column(
        "owner", Text, nullable=False, index=True
    ),  # a user id, or a client's address: to bound their sessions
    Column("answer", LargeBinary),  # of the completed request, encrypted: to repeat it
)

# registration tokens, made by operators
registration_tokens = Table(
    "registration_tokens",
    metadata,
    Column("token", Text, primary_key=True),
    Column("uses_allowed", Integer),  # NULL: any number
    Column("uses", Integer, nullable=False, server_default="0"),
    Column("expires_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
)

# account data, global and per room; changes are log entries of kind ACCOUNT_DATA
account_data = Table(
    "account_data",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True, server_default=""),  # empty: global
    Column("type", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # JSON
    Column("position", BigInteger, nullable=False),  # of the log entry of its last change
    Index("ix_account_data_user_id_position", "user_id", "position"),
)

# how much account data each user has, deleted items not counted
account_data_totals = Table(
    "account_data_totals",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("items", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),  # of rooms, types and contents
)

# stored states of sliding sync connections (services/sliding/connections.py); rows are written once
sliding_connections = Table(
    "sliding_connections",
    metadata,
    Column("session_key", Text, primary_key=True),
    Column("conn_id", Text, primary_key=True),  # the client's name for the connection
    Column("serial", Text, primary_key=True),  # random, part of the `pos` token
    Column("body", LargeBinary, nullable=False),  # JSON, compressed
    Column("used_ms", BigInteger, nullable=False, index=True),  # about when it was last used
)

# filters that clients stored, by their content
filters = Table(
    "filters",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("filter_id", Text, primary_key=True),  # hash of the body
    Column("body", LargeBinary, nullable=False),  # JSON as the client sent it
)

# tokens that log another device of a user in, once (services/auth/logintokens.py)
login_tokens = Table(
    "login_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)
