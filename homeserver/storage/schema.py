"""Every table, on one MetaData. What a column means stands beside it; rules live elsewhere.

Three groups: the log and what it orders, the people, the files. Times end in `_ms`. A `position` is a place
in the log. Ids are the text ids of Matrix; `number` is a person's integer id.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# Names for constraints, so that a later migration can speak of them on both databases.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- the log -----------------------------------------------------------------------------------------------

# one row: the last position given out; its row lock makes commit order position order
log_head = Table(
    "log_head",
    metadata,
    Column("row_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    CheckConstraint("row_id = 1", name="one_row"),
)

# what a client can ever sync, in one order
log = Table(
    "log",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # model.EntryKind
    Column("room_id", Text),
    Column("user_id", Text),
    Column("event_id", Text),  # of an EVENT entry; its body is in `events`
    Column("body", LargeBinary),  # JSON of any other kind
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_log_room_id_position", "room_id", "position"),
    Index(
        "ix_log_user_id_position",
        "user_id",
        "position",
        sqlite_where=text("user_id IS NOT NULL"),
        postgresql_where=text("user_id IS NOT NULL"),
    ),
)

# how far each background reader of the log has come
cursors = Table(
    "cursors",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

# every event we hold, shown or not
events = Table(
    "events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("position", BigInteger, unique=True),  # its log entry; NULL for an event that clients never see
    Column("timeline_order", BigInteger),  # order within the room: the position, or below all for old history
    Column("type", Text, nullable=False),
    Column("state_key", Text),
    Column("sender", Text, nullable=False),
    Column("depth", BigInteger, nullable=False),
    Column("origin_server_ts", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),  # storage.events.Status
    Column("state_id", BigInteger),  # state snapshot after the event
    Column("message_seq", BigInteger, nullable=False, server_default="0"),  # countable messages up to here
    Column(
        "shown", Boolean, nullable=False, server_default=text("false")
    ),  # is a message of its own in product lists
    Column("redacted_by", Text),  # the redaction that was applied to it
    Column("edited_by", Text),  # the latest m.replace by its own sender
    Column("pdu", LargeBinary, nullable=False),  # canonical JSON as federated, with signatures
    Index("ix_events_room_id_timeline_order", "room_id", "timeline_order"),
    Index(
        "ix_events_room_id_shown",
        "room_id",
        "timeline_order",
        sqlite_where=text("shown"),
        postgresql_where=text("shown"),
    ),
)

# which event speaks of which
relations = Table(
    "relations",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("relates_to", Text, nullable=False),
    Column("rel_type", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("ix_relations_relates_to_rel_type_position", "relates_to", "rel_type", "position"),
)

# idempotent sends: the first event that a session's txn_id made
transactions = Table(
    "transactions",
    metadata,
    Column("session_key", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("txn_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_transactions_created_ms", "created_ms"),
)

# a room's head and what a list of rooms shows; kept by the timeline in the writing transaction
rooms = Table(
    "rooms",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, unique=True),  # of its create event
    Column("version", Text, nullable=False),
    Column("creator", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # model.RoomKind
    Column("name", Text, nullable=False, server_default=""),
    Column("name_folded", Text, nullable=False, server_default=""),  # case-folded, for search
    Column("topic", Text, nullable=False, server_default=""),
    Column("service", Text),
    Column("service_id", Text),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    Column("head_position", BigInteger, nullable=False),  # of the last event: is a cached head right?
    Column("extremities", Text, nullable=False),  # JSON list of event ids
    Column("depth", BigInteger, nullable=False),
    Column("state_id", BigInteger, nullable=False),
    Column("message_seq", BigInteger, nullable=False, server_default="0"),
    Column("last_message_position", BigInteger),
    Column("active_position", BigInteger, nullable=False),  # latest activity, for the order of lists
    Column("member_count", Integer, nullable=False, server_default="0"),
    Index(
        "ix_rooms_service_service_id",
        "service",
        "service_id",
        sqlite_where=text("service IS NOT NULL"),
        postgresql_where=text("service IS NOT NULL"),
    ),
)

# names under which a room is got or created, e.g. a pair of people or a link
room_keys = Table(
    "room_keys",
    metadata,
    Column("room_key", Text, primary_key=True),
    Column("room_id", Text, nullable=False, index=True),
)

# a room's state; a delta to its parent, or whole now and then
snapshots = Table(
    "snapshots",
    metadata,
    Column(
        "state_id", BigInteger, primary_key=True, autoincrement=False
    ),  # position of the event that made it
    Column("room_id", Text, nullable=False, index=True),
    Column("parent_id", BigInteger),
    Column("chain", Integer, nullable=False),  # deltas since the last whole one
    Column("whole", Boolean, nullable=False),
)

snapshot_entries = Table(
    "snapshot_entries",
    metadata,
    Column("state_id", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Text, primary_key=True),
    Column("state_key", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
)

# the current member events of a room, and how far each joined person has read
members = Table(
    "members",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("membership", Text, nullable=False),
    Column("sender", Text, nullable=False),  # of the member event: tells a kick from a leave
    Column("event_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("joined_ms", BigInteger, nullable=False),
    Column("read_position", BigInteger, nullable=False, server_default="0"),  # everything up to here is read
    Column("read_seq", BigInteger, nullable=False, server_default="0"),  # rooms.message_seq at that place
    Column("unread_removed", BigInteger, nullable=False, server_default="0"),  # deleted since, so not unread
    Index("ix_members_user_id_membership", "user_id", "membership"),
)

# Matrix receipts; the furthest of them per person is members.read_position
receipts = Table(
    "receipts",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("receipt_type", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True, server_default=""),
    Column("event_id", Text, nullable=False),
    Column("position", BigInteger, nullable=False),  # of the event that was read
    Column("created_ms", BigInteger, nullable=False),
)

# rooms between the owner of a host's object and somebody who asks about it (services/enquiries.py)
enquiries = Table(
    "enquiries",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("enquirer", Text, nullable=False),
    Column("guest_number", BigInteger),  # which of the owner's guests it is: 1, 2, 3...; NULL for an account
    Column("owner_hid", BigInteger, nullable=False, server_default="0"),  # hidden until a message after this
    Column("enquirer_hid", BigInteger, nullable=False, server_default="0"),
    Column("help", Text, nullable=False, server_default=""),  # storage.enquiries.Help
    Column("helper", Text),  # who of the staff is in the room
    Column("help_round", BigInteger, nullable=False, server_default="0"),  # how often help came and went
    Index("ix_enquiries_owner", "owner", "service"),
    Index("ix_enquiries_enquirer", "enquirer", "service", "object_id"),
    Index(
        "ix_enquiries_help",
        "service",
        "help",
        sqlite_where=text("help <> ''"),
        postgresql_where=text("help <> ''"),
    ),
)

# --- people ------------------------------------------------------------------------------------------------

# the last integer id given out in each namespace (0: accounts made here)
number_heads = Table(
    "number_heads",
    metadata,
    Column("namespace", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False, unique=True),
    Column("email", Text, unique=True),  # lower case; NULL when unknown
    Column("tag", Text, unique=True),
    Column("password_hash", Text),  # argon2; NULL: cannot log in here
    Column("display_name", Text, nullable=False, server_default=""),
    Column("avatar_url", Text, nullable=False, server_default=""),
    Column("first_name", Text, nullable=False, server_default=""),
    Column("last_name", Text, nullable=False, server_default=""),
    Column("middle_name", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False, server_default=""),
    Column("job", Text, nullable=False, server_default=""),
    Column("bio", Text, nullable=False, server_default=""),
    Column("phone", Text, nullable=False, server_default=""),
    Column("telegram", Text, nullable=False, server_default=""),
    Column("study_group", Text, nullable=False, server_default=""),
    Column("search_text", Text, nullable=False, server_default=""),  # case-folded names, for search
    Column("created_ms", BigInteger, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=text("false")),
    Column("deactivated", Boolean, nullable=False, server_default=text("false")),
)

# people that a host application vouches for
host_users = Table(
    "host_users",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),  # the host's own id, as text
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False, unique=True),
    Column(
        "claims_hash", Text, nullable=False
    ),  # of the profile claims last seen: equal means nothing to update
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False, index=True),
    Column("device_id", Text, nullable=False),
    Column("device_name", Text, nullable=False, server_default=""),
    Column("refresh_hash", Text, nullable=False, unique=True),  # of the refresh token that is good now
    Column("spent_hash", Text, index=True),  # of the one before: its use again is theft
    Column("refresh_expires_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_used_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    UniqueConstraint("user_id", "device_id", name="uq_sessions_user_device"),
)

# people without an account, known by a UUID that their browser made (services/guests.py)
guests = Table(
    "guests",
    metadata,
    Column("key_hash", Text, primary_key=True),  # keyed hash of the UUID; the UUID itself is nowhere
    Column("user_id", Text, ForeignKey("users.user_id"), nullable=False, unique=True),
    Column("alias", Text, nullable=False, unique=True),  # the UUID that others see
    Column("cookie_hash", Text, nullable=False),  # of the secret in the cookie given out at first use
    Column("bound", Boolean, nullable=False, server_default=text("false")),  # that cookie has come back
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False, index=True),
)

# whom a guest turned out to be: what the guest wrote is shown as this account's
successors = Table(
    "successors",
    metadata,
    Column("user_id", Text, ForeignKey("users.user_id"), primary_key=True),
    Column("successor", Text, ForeignKey("users.user_id"), nullable=False, index=True),
)

# --- files -------------------------------------------------------------------------------------------------

media = Table(
    "media",
    metadata,
    Column("media_id", Text, primary_key=True),
    Column("uploader", Text, nullable=False, index=True),
    Column("name", Text, nullable=False, server_default=""),
    Column("content_type", Text, nullable=False),  # sniffed, not what the client said
    Column("size", BigInteger, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("sha256", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("delete_after_ms", BigInteger, index=True),  # set when its message was deleted
)
