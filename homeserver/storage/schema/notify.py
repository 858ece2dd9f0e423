"""What people are to be told of: unread notifications as Matrix clients count them, and where they are sent.

What the default rules notify everybody of is counted once for a room (`rooms.notify_seq`), or for one of its threads.
Only what is otherwise for somebody has rows (docs/decisions/027-notifications.md).
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from homeserver.storage.schema.base import metadata

# threads and how much notifies in them; a room's other events are counted in `rooms` and `events`
notify_threads = Table(
    "notify_threads",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),  # id of the first event
    Column("notify_seq", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
)

# the events of threads that notify; `notify_seq` counts those of the thread up to here
notify_thread_events = Table(
    "notify_thread_events",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("notify_seq", BigInteger, nullable=False),
)

# how far people have read single threads; where they have read a whole room stands in `members`
thread_reads = Table(
    "thread_reads",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

# what is counted otherwise of an event, for a person or for everybody (user_id is empty)
notify_marks = Table(
    "notify_marks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("thread_id", Text, primary_key=True),  # empty: of no thread
    Column("notify", Integer, nullable=False),  # added to the unread notifications: 1, 0 or -1
    Column("highlight", Integer, nullable=False),  # added to those that are highlighted
    Index("ix_notify_marks_room_id_position", "room_id", "position"),
)

# stretches of a room in which somebody's own rules silence whatever has no mark of theirs
quiet_spells = Table(
    "quiet_spells",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("from_position", BigInteger, primary_key=True, autoincrement=False),  # of the first silent event
    Column("to_position", BigInteger),  # of what ended it; NULL: it lasts
    Column("from_seq", BigInteger, nullable=False),  # what notified in the room before it, outside of threads
    Column("to_seq", BigInteger),
    Index("ix_quiet_spells_room_id", "room_id"),
)

# push rules of people who changed any
push_rules = Table(
    "push_rules",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("rules", LargeBinary, nullable=False),  # JSON: what is not as it is for everybody
    Column("position", BigInteger, nullable=False),  # of the log entry of their last change
)
