"""Room summaries: what a room's state shows to users who are not in it. Pure."""

from collections.abc import Mapping
from typing import Final

from homeserver.folding import fold
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import RoomId
from homeserver.protocol.member import allowed_rooms_in, join_rule_in
from homeserver.protocol.visibility import HISTORY_VISIBILITY_KEY, history_visibility_of
from homeserver.storage.summaries import SummaryRow

SUMMARISED: Final = frozenset(
    {
        "m.room.create",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.guest_access",
        "m.room.canonical_alias",
        "m.room.avatar",
        "m.room.encryption",
        "m.room.name",
        "m.room.topic",
    }
)
_SEARCHED_TOPIC: Final = 2000  # characters of a topic that searches cover


def summary_of(room_id: RoomId, state: Mapping[StateKey, Event]) -> SummaryRow:
    """The summary of a room's state."""
    create = state.get(("m.room.create", ""))
    room_type = create.content.get("type") if create is not None else None
    alias = text_in(state, "m.room.canonical_alias", "alias")
    name, topic = text_in(state, "m.room.name", "name"), text_in(state, "m.room.topic", "topic")
    return SummaryRow(
        room_id=room_id,
        room_type=room_type if isinstance(room_type, str) else None,
        join_rule=join_rule_in(state),
        allowed_rooms=tuple(allowed_rooms_in(state)),
        world_readable=history_visibility_of(state.get(HISTORY_VISIBILITY_KEY)) == "world_readable",
        guests_can_join=text_in(state, "m.room.guest_access", "guest_access") == "can_join",
        canonical_alias=alias,
        avatar_url=text_in(state, "m.room.avatar", "url"),
        encryption=text_in(state, "m.room.encryption", "algorithm"),
        search_text=fold("\n".join((name, topic[:_SEARCHED_TOPIC], alias))),
    )


def text_in(state: Mapping[StateKey, Event], kind: str, name: str) -> str:
    """A text field of a state event's content; empty if there is none."""
    event = state.get((kind, ""))
    value = event.content.get(name) if event is not None else None
    return value.replace("\0", "") if isinstance(value, str) else ""  # PostgreSQL's text has no NUL
