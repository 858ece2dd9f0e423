"""Cached previews of web pages."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

url_previews = Table(
    "url_previews",
    metadata,
    Column("url", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # JSON as clients get it
    Column("media_id", Text),  # its image
    Column("fetched_ms", BigInteger, nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)
