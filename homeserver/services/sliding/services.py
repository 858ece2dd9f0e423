"""The services of this package, all together: what wiring builds and an API is given."""

from dataclasses import dataclass

from homeserver.services.sliding.connections import Connections
from homeserver.services.sliding.room_list import RoomLists
from homeserver.services.sliding.service import SlidingSyncs


@dataclass(frozen=True, slots=True)
class SlidingServices:
    """Sliding sync, and what it keeps of its connections."""

    syncs: SlidingSyncs
    room_lists: RoomLists
    connections: Connections
