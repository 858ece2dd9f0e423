"""The log, the events and rooms that it orders, and the tables derived from rooms' states."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from homeserver.storage.schema.base import metadata

# one row: the last position and the last snapshot id assigned; its row lock makes commit order position order
log_head = Table(
    "log_head",
    metadata,
    Column("row_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("state_id", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("row_id = 1", name="one_row"),
)

# everything that clients can sync, in one order
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

# how far each background consumer of the log has come
cursors = Table(
    "cursors",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

# every event we store, shown or not
events = Table(
    "events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("position", BigInteger, unique=True),  # its log position; NULL for an event that clients never see
    Column("timeline_order", BigInteger),  # order in the room: position, or below all for old history
    Column("type", Text, nullable=False),
    Column("state_key", Text),
    Column("sender", Text, nullable=False),
    Column("depth", BigInteger, nullable=False),
    Column("origin_server_ts", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),  # storage.events.Status
    Column(
        "state_id", BigInteger
    ),  # the room's state when the event had come; without a place: that after the event
    # In forked rooms: the states right after and before the event in the graph; NULL where it is as in a room of one
    # line: after it `state_id`, before it that after its only prev event.
    Column("own_state_id", BigInteger),
    Column("before_state_id", BigInteger),
    Column("message_seq", BigInteger, nullable=False, server_default="0"),  # countable messages up to here
    Column("notify_seq", BigInteger, nullable=False, server_default="0"),  # notifying events without threads
    Column(
        "shown", Boolean, nullable=False, server_default=text("false")
    ),  # a message of its own in product lists
    Column("redacted_by", Text),  # the redaction that was applied to it
    Column("edited_by", Text),  # the latest m.replace by its own sender
    Column("pdu", LargeBinary, nullable=False),  # canonical JSON as federated, with signatures
    Index("ix_events_room_id_timeline_order", "room_id", "timeline_order"),
    Index("ix_events_room_id_origin_server_ts", "room_id", "origin_server_ts"),
    Index(
        "ix_events_room_id_type_state_key",
        "room_id",
        "type",
        "state_key",
        sqlite_where=text("state_key IS NOT NULL"),
        postgresql_where=text("state_key IS NOT NULL"),
    ),
    Index(
        "ix_events_room_id_shown",
        "room_id",
        "timeline_order",
        sqlite_where=text("shown"),
        postgresql_where=text("shown"),
    ),
    Index(
        "ix_events_redacted_state",
        "room_id",
        sqlite_where=text("state_key IS NOT NULL AND redacted_by IS NOT NULL"),
        postgresql_where=text("state_key IS NOT NULL AND redacted_by IS NOT NULL"),
    ),
)

# auth_events of state events, the only ones that other events' auth chains are made of
event_auth = Table(
    "event_auth",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("auth_id", Text, primary_key=True),
)

# prev_events that are not here: where history goes on at other servers
backward_extremities = Table(
    "backward_extremities",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
)

# relations between events (m.relates_to)
relations = Table(
    "relations",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("room_id", Text, nullable=False),
    Column("relates_to", Text, nullable=False),
    Column("rel_type", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("position", BigInteger, nullable=False),  # the place of the event in its room
    Column("annotation", Text),  # of an m.annotation: a digest of its sender, type and key
    Column(
        "has_content", Boolean, nullable=False, server_default=text("true")
    ),  # false for an m.replace without m.new_content
    Index(
        "ix_relations_relates_to_annotation",
        "relates_to",
        "annotation",
        sqlite_where=text("annotation IS NOT NULL"),
        postgresql_where=text("annotation IS NOT NULL"),
    ),
    Index("ix_relations_relates_to_rel_type_position", "relates_to", "rel_type", "position"),
    Index("ix_relations_room_id_rel_type", "room_id", "rel_type"),
)

# transaction ids: the first event that each made in a session
transactions = Table(
    "transactions",
    metadata,
    Column("session_key", Text, primary_key=True),
    Column("room_id", Text, primary_key=True),
    Column("scope", Text, primary_key=True),  # the call that it is an id of
    Column("txn_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("ix_transactions_created_ms", "created_ms"),
)

# rooms' heads and their fields in room lists; kept by the timeline in the writing transaction
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
    Column("head_position", BigInteger, nullable=False),  # of the last event; checks cached heads
    Column("extremities", Text, nullable=False),  # JSON list of event ids
    Column("depth", BigInteger, nullable=False),
    Column("state_id", BigInteger, nullable=False),
    Column("message_seq", BigInteger, nullable=False, server_default="0"),
    Column("notify_seq", BigInteger, nullable=False, server_default="0"),
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

# unique keys by which a room is found or created, e.g. a pair of users or a link
room_keys = Table(
    "room_keys",
    metadata,
    Column("room_key", Text, primary_key=True),
    Column("room_id", Text, nullable=False, index=True),
)

# rooms' states: deltas to a parent, with a whole one now and then
snapshots = Table(
    "snapshots",
    metadata,
    Column("state_id", BigInteger, primary_key=True, autoincrement=False),  # from log_head
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
    Column("event_id", Text),  # NULL in a delta: the key is removed
)

# the current member events of a room, and how far each joined user has read
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
    Column("joined_position", BigInteger, nullable=False, server_default="0"),  # of the last join
    Column(
        "read_position", BigInteger, nullable=False, server_default="0"
    ),  # read up to here, as others see it
    Column("own_position", BigInteger, nullable=False, server_default="0"),  # the same, with private receipts
    Column("read_seq", BigInteger, nullable=False, server_default="0"),  # rooms.message_seq at own_position
    Column("unread_removed", BigInteger, nullable=False, server_default="0"),  # deleted since, so not unread
    Column(
        "seen_position", BigInteger, nullable=False, server_default="0"
    ),  # read for Matrix clients, with all threads
    Column("main_position", BigInteger, nullable=False, server_default="0"),  # the same without threads
    Column("main_seq", BigInteger, nullable=False, server_default="0"),  # rooms.notify_seq at that position
    Column("forgotten", Boolean, nullable=False, server_default=text("false")),  # until the next member event
    Index("ix_members_user_id_membership", "user_id", "membership"),
)

# Matrix receipts; the furthest of them per user is members.read_position
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

# rooms between the owner of a host's object and a user who asks about it (services/enquiries/enquiries.py)
enquiries = Table(
    "enquiries",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("enquirer", Text, nullable=False),
    Column("guest_number", BigInteger),  # number among the owner's guests: 1, 2, 3...; NULL for an account
    Column("owner_hid", BigInteger, nullable=False, server_default="0"),  # hidden until a message after this
    Column("enquirer_hid", BigInteger, nullable=False, server_default="0"),
    Column("help", Text, nullable=False, server_default=""),  # storage.enquiries.Help
    Column("helper", Text),  # the member of staff in the room
    Column("help_round", BigInteger, nullable=False, server_default="0"),  # how often staff joined and left
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
