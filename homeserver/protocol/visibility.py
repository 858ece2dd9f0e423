"""History visibility (section 22): whether a user or server may see an event, by the state at the event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.member import membership_in

HISTORY_VISIBILITY_KEY: StateKey = ("m.room.history_visibility", "")

_VISIBILITIES = frozenset({"world_readable", "shared", "invited", "joined"})


@dataclass(frozen=True, slots=True)
class Moment:
    """The room's history visibility and one reader's membership in the state at an event."""

    history_visibility: str
    membership: str

    @classmethod
    def from_state(cls, state: Mapping[StateKey, Event], user_id: str) -> Moment:
        found = state.get(HISTORY_VISIBILITY_KEY)
        return cls(history_visibility_of(found), membership_in(state, user_id))


def history_visibility_of(event: Event | None) -> str:
    """The value of an m.room.history_visibility event; unknown, missing or no event at all means "shared"."""
    value: Any = event.content.get("history_visibility") if event is not None else None
    return value if isinstance(value, str) and value in _VISIBILITIES else "shared"


def may_see(event: Event, user_id: str, before: Moment, *, joined_later: bool) -> bool:
    """True if a user may see an event.

    `before`: of the state before the event; `joined_later`: the user joined at any time after it. A change of the
    history visibility, and the user's own member event, are visible if the state before or the state after them
    allows it. After leaving, a user sees what was visible before and nothing later, which follows from
    `joined_later` being false then.
    """
    moments = (before, _after(event, user_id, before))
    return any(allows(moment, joined_later=joined_later) for moment in moments)


def allows(moment: Moment, *, joined_later: bool) -> bool:
    """The five lines of the server-side test at one moment."""
    match moment:
        case Moment("world_readable", _) | Moment(_, "join"):
            return True
        case Moment("shared", _):
            return joined_later
        case Moment("invited", "invite"):
            return True
    return False


def server_may_see(history_visibility: str, memberships: Iterable[str], *, joined_later: bool) -> bool:
    """True if any user of a server may see an event. `memberships`: of the server's users at the event.

    `joined_later`: any of the server's users joined after the event.
    """
    seen_by = {"leave", *memberships}
    return any(allows(Moment(history_visibility, one), joined_later=joined_later) for one in seen_by)


def _after(event: Event, user_id: str, before: Moment) -> Moment:
    if event.state_key is None:
        return before
    if event.key == HISTORY_VISIBILITY_KEY:
        return replace(before, history_visibility=history_visibility_of(event))
    if event.key == ("m.room.member", user_id):
        return replace(before, membership=event.membership or "leave")
    return before
