"""Pure functions that read a room's head, shared by all services."""

from collections.abc import Mapping
from typing import Final

from homeserver import product_state
from homeserver.model import Role, RoomKind
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import UserId
from homeserver.protocol.member import membership_in
from homeserver.protocol.power import Level, ReadableLevels
from homeserver.timeline.heads import Head

ADMIN_LEVEL: Final = 50  # members with this power level are admins on the product APIs


def is_open_to(head: Head, user_id: UserId) -> bool:
    """True if the user is joined to the room and the room is not closed."""
    return membership_in(head.state.events, user_id) == "join" and not is_closed(head)


def is_closed(head: Head) -> bool:
    """True if the room was closed for all members."""
    return product_state.is_closed(head.state.events, head.servers)


def kind_of(head: Head) -> RoomKind:
    """Private or group; a room made by another server or a Matrix client is a group."""
    return product_state.kind_of(head.state.events, head.servers)


def levels_of(head: Head) -> ReadableLevels:
    """The room's power levels; unreadable parts grant no rights."""
    return ReadableLevels.from_state(head.state.events, head.rules)


def role_in(head: Head, user_id: UserId) -> Role:
    """The role that the product APIs show for a member of this room."""
    return role_of_level(levels_of(head).user(user_id))


def role_of_level(level: Level) -> Role:
    """The role that the product APIs show for a power level."""
    return "admin" if level >= ADMIN_LEVEL else "member"


def ours_in(head: Head) -> list[UserId]:
    """The joined users of this server, for whom it can sign events."""
    return [user_id for user_id in joined_in(head.state.events) if head.servers.is_ours(user_id)]


def joined_in(state: Mapping[StateKey, Event]) -> list[UserId]:
    """All joined users of a state."""
    return [
        UserId(state_key)
        for (kind, state_key), event in state.items()
        if kind == "m.room.member" and event.membership == "join"
    ]
