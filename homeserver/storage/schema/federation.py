"""Other servers: their keys."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# public keys of other servers; old ones stay, as old events are signed with them
server_keys = Table(
    "server_keys",
    metadata,
    Column("server_name", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("public_key", Text, nullable=False),  # base64
    Column(
        "valid_until_ms", BigInteger, nullable=False
    ),  # as the server says, at most a week after it was asked
    Column("expired_ms", BigInteger),  # of a former key: when the server stopped to sign with it
)

# the last answer of each server about its keys, as it signed it: for servers that ask us as a notary
server_key_answers = Table(
    "server_key_answers",
    metadata,
    Column("server_name", Text, primary_key=True),
    Column("answer", LargeBinary, nullable=False),  # canonical JSON
    Column("fetched_ms", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger, nullable=False),
)
