"""Every table, on one MetaData. What a column means stands beside it; rules live elsewhere.

Times end in `_ms`. A `position` is a place in the log. Ids are the text ids of Matrix; `number` is a person's integer
id.
"""

from homeserver.storage.schema.base import metadata
from homeserver.storage.schema.delayed import delayed_events
from homeserver.storage.schema.directory import aliases, room_summaries
from homeserver.storage.schema.e2ee import (
    backup_heads,
    backup_keys,
    backups,
    cross_signing_keys,
    dehydrated_devices,
    device_inboxes,
    device_keys,
    device_lists,
    device_messages,
    fallback_keys,
    key_signatures,
    one_time_keys,
)
from homeserver.storage.schema.matrix import (
    account_data,
    filters,
    interactions,
    login_tokens,
    registration_tokens,
    sliding_connections,
)
from homeserver.storage.schema.notify import (
    notify_marks,
    notify_thread_events,
    notify_threads,
    push_rules,
    quiet_spells,
    thread_reads,
)
from homeserver.storage.schema.people import (
    guests,
    host_profiles,
    host_users,
    media,
    number_heads,
    pending_media,
    profile_fields,
    sessions,
    successors,
    users,
)
from homeserver.storage.schema.previews import url_previews
from homeserver.storage.schema.push import push_outbox, push_subscriptions, pusher_outbox, pushers
from homeserver.storage.schema.safety import blocks, reports, service_keys
from homeserver.storage.schema.search import search_texts
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
    "account_data",
    "aliases",
    "backup_heads",
    "backup_keys",
    "backups",
    "blocks",
    "cross_signing_keys",
    "cursors",
    "dehydrated_devices",
    "delayed_events",
    "device_inboxes",
    "device_keys",
    "device_lists",
    "device_messages",
    "enquiries",
    "events",
    "fallback_keys",
    "filters",
    "guests",
    "host_profiles",
    "host_users",
    "interactions",
    "key_signatures",
    "log",
    "log_head",
    "login_tokens",
    "media",
    "members",
    "metadata",
    "notify_marks",
    "notify_thread_events",
    "notify_threads",
    "number_heads",
    "one_time_keys",
    "pending_media",
    "profile_fields",
    "push_outbox",
    "push_rules",
    "push_subscriptions",
    "pusher_outbox",
    "pushers",
    "quiet_spells",
    "receipts",
    "registration_tokens",
    "relations",
    "reports",
    "room_keys",
    "room_summaries",
    "rooms",
    "search_texts",
    "service_keys",
    "sessions",
    "sliding_connections",
    "snapshot_entries",
    "snapshots",
    "successors",
    "thread_reads",
    "transactions",
    "url_previews",
    "users",
]
