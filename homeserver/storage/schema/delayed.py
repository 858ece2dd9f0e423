"""Events that are to be sent later."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, UniqueConstraint, text

from homeserver.storage.schema.base import metadata

# what Matrix clients gave to be sent at a time (services/messages/delayed.py); kept for a while when it is over
delayed_events = Table(
    "delayed_events",
    metadata,
    Column("delay_id", Text, primary_key=True),  # who knows it may send it now, put it off, or call it off
    Column("user_id", Text, nullable=False),
    Column("room_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state_key", Text),  # NULL: no state
    Column("content", LargeBinary, nullable=False),  # JSON
    Column("txn_key", Text, nullable=False),  # a second call by this name gives the same delayed event
    Column("delay_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger, nullable=False),  # when the delay began, the last time
    Column("due_ms", BigInteger, nullable=False),  # when it is sent, or tried again
    Column("done_ms", BigInteger),
    Column("outcome", Text, nullable=False, server_default=""),  # services.delayed.Outcome, once it is done
    UniqueConstraint("user_id", "txn_key", name="uq_delayed_events_txn"),
    Index(
        "ix_delayed_events_due_ms",
        "due_ms",
        sqlite_where=text("done_ms IS NULL"),
        postgresql_where=text("done_ms IS NULL"),
    ),
    Index("ix_delayed_events_done_ms", "done_ms"),
)
