"""The services of this package in one record, built by wiring and handed to the APIs."""

from dataclasses import dataclass

from homeserver.services.sliding.connections import Connections
from homeserver.services.sliding.room_list import RoomLists
from homeserver.services.sliding.service import SlidingSyncs


@dataclass(frozen=True, slots=True)
class SlidingServices:
    """Sliding sync, its cached room lists and stored connections."""

    syncs: SlidingSyncs
    room_lists: RoomLists
    connections: Connections
