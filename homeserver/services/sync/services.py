"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.push.notifications.counts import Counts
from homeserver.services.sync.legacy import LegacySyncs
from homeserver.services.sync.long_polls import LongPolls
from homeserver.services.sync.memberships import OwnRooms
from homeserver.services.sync.v3 import Syncs


@dataclass(frozen=True, slots=True)
class SyncServices:
    """/sync and the legacy endpoints. `memberships`: the rooms of each syncing user."""

    syncs: Syncs
    legacy: LegacySyncs
    long_polls: LongPolls
    memberships: OwnRooms
    counts: Counts
