"""The initial state of rooms: of the product APIs, of createRoom, and of room upgrades.

The creator has all power: by m.room.power_levels, or from room version 12 on as a creator, who is above all power
levels and may not be listed there. In these versions only a creator can upgrade the room.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

from homeserver.errors import Unsupported
from homeserver.kit.text import checked_title, checked_topic
from homeserver.model import KIND_KEY, LINK_EVENT, Content, Draft, Link, Person, RoomKind
from homeserver.protocol import canonical
from homeserver.protocol.errors import UnknownRoomVersion
from homeserver.protocol.ids import EventId, UserId
from homeserver.protocol.power import creators, integer_levels
from homeserver.protocol.versions import RoomRules, rules_for
from homeserver.services.rooms import member_events
from homeserver.settings.models import RoomSettings
from homeserver.timeline.heads import Head

Preset = Literal["private_chat", "trusted_private_chat", "public_chat"]
TOMBSTONE: Final = "m.room.tombstone"
POWER_LEVELS: Final = "m.room.power_levels"
MAX_TOPIC_CHARS = 2000
_CREATOR_LEVEL: Final = 100
_UPGRADE_LEVEL: Final = 150  # above every admin; creators (room version 12) are above it
_PRESETS: Final[Mapping[Preset, tuple[str, bool]]] = {  # join rule, and whether guests can join
    "private_chat": ("invite", True),
    "trusted_private_chat": ("invite", True),
    "public_chat": ("public", False),  # without m.room.guest_access guests are forbidden
}
_EVENT_LEVELS: Final[Mapping[str, int]] = {
    "m.room.name": 50,
    "m.room.avatar": 50,
    "m.room.canonical_alias": 50,
    "m.room.power_levels": 100,
    "m.room.history_visibility": 100,
    "m.room.server_acl": 100,
    "m.room.encryption": 100,
    "m.room.tombstone": 100,
}
_OF_ONE_ROOM: Final = frozenset({"room_version", "creator", "predecessor", "additional_creators"})


def supported_rules(version: str) -> RoomRules:
    """The rules of a room version. Raises Unsupported("room_version") for an unknown version."""
    try:
        return rules_for(version)
    except UnknownRoomVersion as error:
        raise Unsupported("there is no such room version here", code="room_version") from error


def state_draft(kind: str, sender: UserId, content: Content) -> Draft:
    """A state event with an empty state key."""
    return Draft(kind, sender, content, state_key="")


def opening(
    creator: Person,
    rules: RoomRules,
    content: Mapping[str, Any] | None = None,
    *,
    more_creators: Sequence[str] = (),
) -> list[Draft]:
    """m.room.create and the creator's join, with which every room begins.

    `content`: added to m.room.create. `more_creators`: `additional_creators`, if the room version has them.
    """
    made: Content = {**(content or {}), "room_version": rules.version}
    made.pop("creator", None)
    if not rules.creator_is_sender:
        made["creator"] = creator.user_id
    if rules.additional_creators and more_creators:
        made["additional_creators"] = list(more_creators)
    return [state_draft("m.room.create", creator.user_id, made), member_events.join(creator)]


def creator_users(user_ids: Collection[UserId], rules: RoomRules) -> dict[str, int]:
    """`users` of m.room.power_levels that gives these users all power; empty if the version forbids to list
    creators."""
    return {} if rules.additional_creators else dict.fromkeys(user_ids, _CREATOR_LEVEL)


def creator_events(rules: RoomRules) -> dict[str, int]:
    """`events` of m.room.power_levels that lets only creators upgrade the room; empty for versions without creators."""
    return {TOMBSTONE: _UPGRADE_LEVEL} if rules.additional_creators else {}


def closed_state(own: UserId) -> list[Draft]:
    """The state of a room that can be joined by invite only and allows no guests."""
    return [
        state_draft("m.room.join_rules", own, {"join_rule": "invite"}),
        state_draft("m.room.history_visibility", own, {"history_visibility": "shared"}),
        state_draft("m.room.guest_access", own, {"guest_access": "forbidden"}),
    ]


class ProductInitialState:
    """The initial state of rooms of the product APIs: one room version, within the limits of the settings."""

    def __init__(self, settings: RoomSettings, version: str) -> None:
        self.settings = settings
        self.version = version

    def first_events(
        self,
        creator: Person,
        others: Sequence[Person],
        *,
        kind: RoomKind,
        title: str | None,
        topic: str,
        link: Link | None,
    ) -> list[Draft]:
        """All initial events, from m.room.create to the joins of the `others`."""
        own, rules = creator.user_id, rules_for(self.version)
        levels: Content = {"users": creator_users([own], rules), "invite": 50}
        if events := creator_events(rules):
            levels["events"] = events
        drafts = [
            *opening(creator, rules, {KIND_KEY: kind}),
            state_draft(POWER_LEVELS, own, levels),
            *closed_state(own),
        ]
        if link is not None:
            linked = {"service": link.service, "service_id": link.service_id}
            drafts.append(state_draft(LINK_EVENT, own, linked))
        if title:
            drafts.append(state_draft("m.room.name", own, {"name": title}))
        if topic:
            drafts.append(state_draft("m.room.topic", own, {"topic": topic}))
        return drafts + member_events.bring_in(own, others, is_direct=kind == "private")

    def title(self, text: str) -> str:
        """A title as it is stored. Raises Invalid("empty_title"), TooLarge."""
        return checked_title(text, self.settings.max_title_chars)

    def topic(self, text: str) -> str:
        """A topic as it is stored. Raises TooLarge."""
        return checked_topic(text, MAX_TOPIC_CHARS)


def preset_state(preset: Preset) -> dict[tuple[str, str], Content]:
    """The state that a createRoom preset sets besides the power levels, by event type and state key."""
    join_rule, takes_guests = _PRESETS[preset]
    state: dict[tuple[str, str], Content] = {
        ("m.room.join_rules", ""): {"join_rule": join_rule},
        ("m.room.history_visibility", ""): {"history_visibility": "shared"},
    }
    if takes_guests:
        state["m.room.guest_access", ""] = {"guest_access": "can_join"}
    return state


def preset_levels(
    preset: Preset, creator: UserId, invited: Sequence[UserId], rules: RoomRules
) -> dict[str, Any]:
    """The m.room.power_levels that a createRoom preset sets."""
    equals = invited if preset == "trusted_private_chat" else ()
    return {
        "users": creator_users([creator, *equals], rules),
        "users_default": 0,
        "events": {**_EVENT_LEVELS, **creator_events(rules)},
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": 50 if preset == "public_chat" else 0,
        "historical": 100,
    }


def replacing_content(head: Head, tombstone: EventId | None) -> Content:
    """m.room.create's content for a room that replaces another: the old content, with its `predecessor`.

    Without a tombstone, as the tombstone names the room whose id is this event's hash, it names the last event before.
    """
    old = strict_content(head.state.events["m.room.create", ""].content)
    content: Content = {name: value for name, value in old.items() if name not in _OF_ONE_ROOM}
    content["predecessor"] = {"room_id": head.room_id, "event_id": tombstone or head.extremities[-1]}
    return content


def strict_content(content: Mapping[str, Any]) -> Content:
    """The fields of a content that events of all room versions may have: the oldest had floats, for example."""
    return {name: value for name, value in content.items() if canonical.is_strict({name: value})}


def replacing_levels(head: Head, rules: RoomRules, new_creators: Collection[UserId], own: UserId) -> Content:
    """The old room's m.room.power_levels, valid for the version of the room that replaces it.

    Creators are removed where the new version forbids listing them; creators of the old room are added where it does
    not.
    """
    event = head.state.events.get((POWER_LEVELS, ""))
    content: Content = {} if event is None else strict_content(integer_levels(event.content, head.rules))
    users, events = dict(content.get("users", {})), dict(content.get("events", {}))
    had_creators = head.rules.additional_creators
    if rules.additional_creators:
        users = {user_id: level for user_id, level in users.items() if user_id not in new_creators}
        if not had_creators:
            events |= creator_events(rules)
    else:
        if had_creators:
            old = creators(head.state.events["m.room.create", ""], head.rules)
            users |= creator_users(old, rules)
            events.pop(TOMBSTONE, None)
        if event is None:
            users |= creator_users([own], rules)
    return {**content, "users": users, "events": events}
