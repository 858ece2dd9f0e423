"""What guest accounts may do in rooms (client-server API, "Guest Access"). Pure: the callers have the room's head."""

from typing import Final

from homeserver.errors import Forbidden
from homeserver.model import Content, Requester
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.member import membership_in
from homeserver.services.accounts.status import guests_refused, is_matrix_guest
from homeserver.timeline.heads import Head

GUEST_ACCESS: Final[StateKey] = ("m.room.guest_access", "")


def takes_guests(event: Event | None) -> bool:
    """What the event of a room that says it means; where there is none, guests stay outside."""
    return event is not None and event.content.get("guest_access") == "can_join"


def check_may_enter(requester: Requester, head: Head) -> None:
    """Raise Forbidden("guests_refused") for a guest where the room takes none. Its join rules come after that."""
    if is_matrix_guest(requester.number) and not takes_guests(head.state.events.get(GUEST_ACCESS)):
        raise Forbidden("guest access is forbidden in this room", code="guests_refused")


def check_member_state(requester: Requester, head: Head, state_key: str, content: Content) -> None:
    """Whether m.room.member may be set as state: a guest comes, goes, and looks different here, and invites nobody."""
    if not is_matrix_guest(requester.number):
        return
    membership = content.get("membership")
    if state_key != requester.user_id or membership not in ("join", "leave"):
        raise guests_refused()
    if membership == "join" and membership_in(head.state.events, requester.user_id) != "join":
        check_may_enter(requester, head)
