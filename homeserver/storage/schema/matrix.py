"""What only the Matrix client API needs of accounts: log-ins under way, registration tokens, settings of clients."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# user-interactive authentication under way (services/auth/uia.py)
interactions = Table(
    "interactions",
    metadata,
    Column("interaction_id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),  # method and path that asked for it
    Column("user_id", Text, nullable=False, server_default=""),  # who asked; empty: nobody yet
    Column("done", Text, nullable=False, server_default="[]"),  # JSON list of the stages that were passed
    Column("params", LargeBinary, nullable=False),  # the first request's body, encrypted
    Column("created_ms", BigInteger, nullable=False, index=True),
)

# tokens that operators give to people who shall make an account
registration_tokens = Table(
    "registration_tokens",
    metadata,
    Column("token", Text, primary_key=True),
    Column("uses_allowed", Integer),  # NULL: any number
    Column("uses", Integer, nullable=False, server_default="0"),
    Column("expires_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
)

# what clients keep for their people, of all rooms and of one; what is said of it is log kind ACCOUNT_DATA
account_data = Table(
    "account_data",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True, server_default=""),  # empty: of no room
    Column("type", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),  # JSON
    Column("position", BigInteger, nullable=False),  # of the log entry of its last change
    Index("ix_account_data_user_id_position", "user_id", "position"),
)

# what each connection of sliding sync was told (services/sliding/connections.py); rows are written once
sliding_connections = Table(
    "sliding_connections",
    metadata,
    Column("session_key", Text, primary_key=True),
    Column("conn_id", Text, primary_key=True),  # the client's name for it
    Column("serial", Text, primary_key=True),  # random, part of the token
    Column("body", LargeBinary, nullable=False),  # JSON, compressed
    Column("used_ms", BigInteger, nullable=False, index=True),  # about when it was last used
)

# filters that clients stored, by what they say
filters = Table(
    "filters",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("filter_id", Text, primary_key=True),  # hash of the body
    Column("body", LargeBinary, nullable=False),  # JSON as the client gave it
)

# tokens that let another device of a person in, once (services/auth/logintokens.py)
login_tokens = Table(
    "login_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)
