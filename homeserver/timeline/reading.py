"""What a room's head says: pure readings that every service shares."""

from collections.abc import Mapping
from typing import Final

from homeserver.model import CLOSED_EVENT, KIND_KEY, Role, RoomKind
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import UserId
from homeserver.protocol.member import membership_in
from homeserver.protocol.power import Level, PowerLevels
from homeserver.timeline.heads import Head

ADMIN_LEVEL: Final = 50  # from here on a member counts as an admin on the product APIs


def is_open_to(head: Head, user_id: UserId) -> bool:
    """Whether a person is in the room, and it was not closed."""
    state = head.state.events
    return membership_in(state, user_id) == "join" and (CLOSED_EVENT, "") not in state


def kind_of(head: Head) -> RoomKind:
    """Private or group; a room that another server or client made is a group."""
    create = head.state.events.get(("m.room.create", ""))
    return "private" if create is not None and create.content.get(KIND_KEY) == "private" else "group"


def levels_of(head: Head) -> PowerLevels:
    """The room's power levels."""
    return PowerLevels.from_state(head.state.events, head.rules)


def role_in(head: Head, user_id: UserId) -> Role:
    """What the product APIs call a member of this power."""
    return role_of_level(levels_of(head).user(user_id))


def role_of_level(level: Level) -> Role:
    """What the product APIs call a power level."""
    return "admin" if level >= ADMIN_LEVEL else "member"


def joined_in(state: Mapping[StateKey, Event]) -> list[UserId]:
    """Everybody who is joined, by the state."""
    return [
        UserId(state_key)
        for (kind, state_key), event in state.items()
        if kind == "m.room.member" and event.membership == "join"
    ]
