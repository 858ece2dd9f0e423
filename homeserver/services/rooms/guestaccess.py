"""What guest accounts may do in rooms (client-server API, "Guest Access"). Pure functions; the caller has the room's
head."""

from typing import Final

from homeserver.errors import Forbidden
from homeserver.model import Content, Requester
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.member import membership_in
from homeserver.services.accounts.status import guests_refused, is_matrix_guest
from homeserver.timeline.heads import Head

GUEST_ACCESS: Final[StateKey] = ("m.room.guest_access", "")


def takes_guests(event: Event | None) -> bool:
    """True if m.room.guest_access allows guests to join; without the event they are forbidden."""
    return event is not None and event.content.get("guest_access") == "can_join"


def check_may_enter(requester: Requester, head: Head) -> None:
    """Raise Forbidden("guests_refused") for a guest if the room does not allow guests. Join rules are checked later."""
    if is_matrix_guest(requester.number) and not takes_guests(head.state.events.get(GUEST_ACCESS)):
        raise Forbidden("guest access is forbidden in this room", code="guests_refused")


def check_member_state(requester: Requester, head: Head, state_key: str, content: Content) -> None:
    """Check an m.room.member event that is set as state: a guest may join, leave and change their profile, not
    invite.

    Raises Forbidden("guests_refused").
    """
    if not is_matrix_guest(requester.number):
        return
    membership = content.get("membership")
    if state_key != requester.user_id or membership not in ("join", "leave"):
        raise guests_refused()
    if membership == "join" and membership_in(head.state.events, requester.user_id) != "join":
        check_may_enter(requester, head)
