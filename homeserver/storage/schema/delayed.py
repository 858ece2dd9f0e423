"""Delayed events (MSC4140)."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, UniqueConstraint, text

from homeserver.storage.schema.base import metadata

# events to be sent at a later time (services/messages/delayed.py); finished ones are kept for a while
delayed_events = Table(
    "delayed_events",
    metadata,
    Column("delay_id", Text, primary_key=True),  # lets its holder send, restart or cancel the event
    Column("user_id", Text, nullable=False),
    Column("room_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state_key", Text),  # NULL: no state event
    Column("content", LargeBinary, nullable=False),  # JSON
    Column("txn_key", Text, nullable=False),  # equal in repeated requests, which return this row
    Column("delay_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger, nullable=False),  # when the delay last began
    Column("due_ms", BigInteger, nullable=False),  # when the event is sent, or tried again
    Column("done_ms", BigInteger),
    Column("outcome", Text, nullable=False, server_default=""),  # services.messages.delayed.Outcome
    UniqueConstraint("user_id", "txn_key", name="uq_delayed_events_txn"),
    Index(
        "ix_delayed_events_due_ms",
        "due_ms",
        sqlite_where=text("done_ms IS NULL"),
        postgresql_where=text("done_ms IS NULL"),
    ),
    Index("ix_delayed_events_done_ms", "done_ms"),
)
