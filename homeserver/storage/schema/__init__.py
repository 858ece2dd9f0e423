"""Every table, on one MetaData. What a column means stands beside it; rules live elsewhere.

Times end in `_ms`. A `position` is a place in the log. Ids are the text ids of Matrix; `number` is a person's integer
id.
"""

from homeserver.storage.schema.base import metadata
from homeserver.storage.schema.people import (
    guests,
    host_users,
    media,
    number_heads,
    sessions,
    successors,
    users,
)
from homeserver.storage.schema.push import push_outbox, push_subscriptions
from homeserver.storage.schema.safety import blocks, reports, service_keys
from homeserver.storage.schema.timeline import (
    cursors,
    enquiries,
    events,
    log,
    log_head,
    members,
    receipts,
    relations,
    room_keys,
    rooms,
    snapshot_entries,
    snapshots,
    transactions,
)

__all__ = [
    "blocks",
    "cursors",
    "enquiries",
    "events",
    "guests",
    "host_users",
    "log",
    "log_head",
    "media",
    "members",
    "metadata",
    "number_heads",
    "push_outbox",
    "push_subscriptions",
    "receipts",
    "relations",
    "reports",
    "room_keys",
    "rooms",
    "service_keys",
    "sessions",
    "snapshot_entries",
    "snapshots",
    "successors",
    "transactions",
    "users",
]
