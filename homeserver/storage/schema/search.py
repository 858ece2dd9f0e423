"""Full-text search of events."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from homeserver.storage.schema.base import metadata

# The words of every searchable event (storage/search.py). The revision that creates the table also creates its index:
# on PostgreSQL one on the column, on SQLite the virtual table `search_words`, which two triggers keep.
search_texts = Table(
    "search_texts",
    metadata,
    Column(
        "position",
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),  # of the event
    Column("room_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column(
        "key", Text, nullable=False
    ),  # which field of the event it is: content.body, content.name, content.topic
    Column("words", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
)
