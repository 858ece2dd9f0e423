"""Finding rooms: their aliases, and the summaries that users outside of them see."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, text

from homeserver.storage.schema.base import metadata

# room aliases of this server
aliases = Table(
    "aliases",
    metadata,
    Column("alias", Text, primary_key=True),  # the whole alias
    Column("room_id", Text, nullable=False, index=True),
    Column("creator", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

# summaries of rooms' states for users outside; kept by the timeline in the writing transaction
room_summaries = Table(
    "room_summaries",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("published", Boolean, nullable=False, server_default=text("false")),  # listed by publicRooms
    Column("room_type", Text),  # `type` of the create event; NULL: an ordinary room
    Column("join_rule", Text, nullable=False),
    Column("allowed_rooms", Text, nullable=False),  # JSON list: whose members need no invite
    Column("world_readable", Boolean, nullable=False),
    Column("guests_can_join", Boolean, nullable=False),
    Column("canonical_alias", Text, nullable=False),  # empty: none; the same below
    Column("avatar_url", Text, nullable=False),
    Column("encryption", Text, nullable=False),
    Column("search_text", Text, nullable=False),  # name, topic and canonical alias, case-folded
    Index(
        "ix_room_summaries_published",
        "room_id",
        sqlite_where=text("published"),
        postgresql_where=text("published"),
    ),
)
