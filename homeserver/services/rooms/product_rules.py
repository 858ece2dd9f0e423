"""Limits on what Matrix clients may do in rooms of the product APIs, so that these keep the form that the APIs
promise.

A private conversation keeps its two members and its rules. A group stays invite-only, readable to every product
client, and has an admin. Only the server writes the state that ties a room to a product. Pure functions; the caller
has the room's head.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from homeserver import product_state
from homeserver.errors import Forbidden, Invalid
from homeserver.model import ATTACHMENT_REL, CLOSED_EVENT, ENQUIRY_EVENT, LINK_EVENT, Requester
from homeserver.protocol.errors import BadPowerLevel
from homeserver.protocol.event import Event
from homeserver.protocol.member import membership_in
from homeserver.protocol.power import PowerLevels
from homeserver.timeline.build import relation_of
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import ADMIN_LEVEL, is_closed, joined_in, kind_of

RESERVED: Final = frozenset({LINK_EVENT, CLOSED_EVENT, ENQUIRY_EVENT})
_LEVELS = "m.room.power_levels"
_FIXED: Final = frozenset(
    {
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.guest_access",
        "m.room.encryption",  # the product clients cannot decrypt
        "m.room.server_acl",
        "m.room.third_party_invite",
        "m.room.tombstone",
    }
)
_FIXED_IN_PRIVATE: Final = _FIXED | {
    _LEVELS,
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.canonical_alias",
}


def is_product_room(head: Head) -> bool:
    """True if a product API created the room; Matrix clients cannot set the mark."""
    return product_state.is_product_room(head.state.events, head.servers)


def check_unreserved(kind: str) -> None:
    """Raise Forbidden("reserved") for state types that only the server sets, in any room."""
    if kind in RESERVED:
        raise Forbidden(f"only the server may set {kind}", code="reserved")


def check_send(head: Head, kind: str, content: Mapping[str, Any]) -> None:
    """Check a message event. Raises Forbidden("reserved", "room_closed", "product_room")."""
    relation = relation_of(content)
    if relation is not None and relation[0] == ATTACHMENT_REL:
        raise Forbidden("only the server may attach a file to a message", code="reserved")
    if not is_product_room(head):
        return
    check_open(head)
    if kind == "m.room.message" and content.get("msgtype") == "m.notice":
        raise _refused("notices are reserved for the product")
    if kind == "m.room.encrypted":
        raise _refused("rooms of product APIs cannot be encrypted")


def check_state(
    requester: Requester, head: Head, kind: str, state_key: str, content: Mapping[str, Any]
) -> None:
    """Check a state event. Raises as `check_send`, and Invalid("bad_event")."""
    check_unreserved(kind)
    if not is_product_room(head):
        return
    check_open(head)
    if kind == "m.room.member":
        _check_own_profile(requester, head, state_key, content)
    if kind in (_FIXED_IN_PRIVATE if kind_of(head) == "private" else _FIXED):
        raise _refused(f"{kind} cannot change in this room")
    if kind == _LEVELS:
        _check_admin_left(head, content)


def check_redaction(head: Head, target: Event) -> None:
    """Check the redaction of an event. Raises Forbidden("room_closed", "product_room")."""
    if not is_product_room(head):
        return
    check_open(head)
    if target.is_state:
        raise _refused("state events of this room cannot be redacted")


def check_others(head: Head) -> None:
    """Check a change of another user's membership. Raises Forbidden("room_closed", "product_room")."""
    if not is_product_room(head):
        return
    check_open(head)
    if kind_of(head) == "private":
        raise _refused("the members of a direct chat cannot change")


def check_open(head: Head) -> None:
    """Raise Forbidden("room_closed") if the room was closed for all members."""
    if is_closed(head):
        raise Forbidden("this room is closed", code="room_closed")


def _check_own_profile(requester: Requester, head: Head, state_key: str, content: Mapping[str, Any]) -> None:
    """Allow m.room.member as state only for the requester's own profile; other changes have membership calls."""
    stays = content.get("membership") == membership_in(head.state.events, requester.user_id) == "join"
    if state_key != requester.user_id or not stays:
        raise _refused("membership of this room changes by the membership calls only")


def _check_admin_left(head: Head, content: Mapping[str, Any]) -> None:
    levels = replace(PowerLevels.from_state(head.state.events, head.rules), content=dict(content))
    try:
        has_admin = any(levels.user(one) >= ADMIN_LEVEL for one in joined_in(head.state.events))
    except BadPowerLevel as error:
        raise Invalid(str(error), code="bad_event") from error
    if not has_admin:
        raise _refused("the room must keep an admin")


def _refused(why: str) -> Forbidden:
    return Forbidden(why, code="product_room")
