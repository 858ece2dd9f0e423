"""Unread notifications as Matrix clients count them, and push rules.

What notifies everybody by the default rules is counted once per room (`rooms.notify_seq`), or once per thread. Only
what differs for single users has rows (docs/decisions/027-notifications.md).
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# threads and their counts of notifying events; a room's other events are counted in `rooms` and `events`
notify_threads = Table(
    "notify_threads",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),  # id of the thread root
    Column("notify_seq", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
)

# notifying events of threads; `notify_seq` counts those of the thread up to this one
notify_thread_events = Table(
    "notify_thread_events",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("notify_seq", BigInteger, nullable=False),
)

# read positions of single threads; those of whole rooms are in `members`
thread_reads = Table(
    "thread_reads",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

# counts of an event that differ from the default rules, for a user or for everybody (user_id is empty)
notify_marks = Table(
    "notify_marks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("thread_id", Text, primary_key=True),  # empty: not in a thread
    Column("notify", Integer, nullable=False),  # added to the unread notifications: 1, 0 or -1
    Column("highlight", Integer, nullable=False),  # added to the highlighted ones
    Index("ix_notify_marks_room_id_position", "room_id", "position"),
)

# spans of a room in which a user's own rules mute everything that has no mark of theirs
quiet_spells = Table(
    "quiet_spells",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("from_position", BigInteger, primary_key=True, autoincrement=False),  # of the first muted event
    Column("to_position", BigInteger),  # of what ended it; NULL: it is open
    Column("from_seq", BigInteger, nullable=False),  # rooms.notify_seq before it, so outside of threads
    Column("to_seq", BigInteger),
    Index("ix_quiet_spells_room_id", "room_id"),
)

# push rules of users who changed the default ones
push_rules = Table(
    "push_rules",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("rules", LargeBinary, nullable=False),  # JSON: the differences from the default rules
    Column("position", BigInteger, nullable=False),  # of the log entry of their last change
)
