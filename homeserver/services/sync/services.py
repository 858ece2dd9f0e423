"""The services of this package, all together: what wiring builds and an API is given."""

from dataclasses import dataclass

from homeserver.services.push.notifications.counts import Counts
from homeserver.services.sync.legacy import LegacySyncs
from homeserver.services.sync.long_polls import LongPolls
from homeserver.services.sync.memberships import OwnRooms
from homeserver.services.sync.v3 import Syncs


@dataclass(frozen=True, slots=True)
class SyncServices:
    """/sync and what came before it. `memberships`: the rooms of each user who syncs."""

    syncs: Syncs
    legacy: LegacySyncs
    long_polls: LongPolls
    memberships: OwnRooms
    counts: Counts
