"""What only the Matrix client API needs of accounts: log-ins under way, and tokens that let people register."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# user-interactive authentication under way (services/interactive.py)
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
