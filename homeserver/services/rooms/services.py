"""The services of this package: built by wiring, and given to the APIs."""

from dataclasses import dataclass

from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.create import RoomCreation
from homeserver.services.rooms.directory import Directory
from homeserver.services.rooms.guest_eviction import GuestEviction
from homeserver.services.rooms.leave_on_deactivation import LeaveOnDeactivation
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.membership import Membership
from homeserver.services.rooms.profile_propagation import MemberProfiles
from homeserver.services.rooms.rooms import Rooms
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.services.rooms.spaces import Spaces
from homeserver.services.rooms.upgrades import Upgrades


@dataclass(frozen=True, slots=True)
class RoomServices:
    """Rooms, memberships, aliases, directory and spaces."""

    rooms: Rooms
    views: RoomViews
    creation: RoomCreation
    members: Members
    membership: Membership
    aliases: Aliases
    directory: Directory
    spaces: Spaces
    upgrades: Upgrades
    profile_propagation: MemberProfiles
    leave_on_deactivation: LeaveOnDeactivation
    guest_eviction: GuestEviction
