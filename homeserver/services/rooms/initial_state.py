"""What a new room begins with, and what its texts and people must be like."""

from collections.abc import Sequence

from homeserver.errors import TooLarge
from homeserver.model import KIND_KEY, LINK_EVENT, Content, Draft, Link, Person, RoomKind
from homeserver.protocol.ids import UserId
from homeserver.protocol.versions import RoomRules, rules_for
from homeserver.services.rooms import member_events
from homeserver.settings.models import RoomSettings

_CREATOR_LEVEL = 100
_UPGRADE_LEVEL = 150  # version 12: above every admin, so that only a creator upgrades the room
MAX_TOPIC_CHARS = 2000


class Founding:
    """Makes the first events of rooms of one version, within the limits of the settings."""

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
        """Everything from m.room.create on to the last of the others having joined."""
        own, rules = creator.user_id, rules_for(self.version)
        drafts = [
            state_draft("m.room.create", own, _create_content(own, kind, rules)),
            member_events.join(creator),
            state_draft("m.room.power_levels", own, _levels_content(own, rules)),
            state_draft("m.room.join_rules", own, {"join_rule": "invite"}),
            state_draft("m.room.history_visibility", own, {"history_visibility": "shared"}),
            state_draft("m.room.guest_access", own, {"guest_access": "forbidden"}),
        ]
        if link is not None:
            linked = {"service": link.service, "service_id": link.service_id}
            drafts.append(state_draft(LINK_EVENT, own, linked))
        if title:
            drafts.append(state_draft("m.room.name", own, {"name": title.strip()}))
        if topic:
            drafts.append(state_draft("m.room.topic", own, {"topic": topic}))
        return drafts + member_events.bring_in(own, others, is_direct=kind == "private")

    def check_texts(self, title: str | None, topic: str | None) -> None:
        """TooLarge for a title or topic over its limit."""
        if title is not None and len(title) > self.settings.max_title_chars:
            most = self.settings.max_title_chars
            raise TooLarge(f"a title has at most {most} characters", code="title_too_long", most=most)
        if topic is not None and len(topic) > MAX_TOPIC_CHARS:
            raise TooLarge(
                f"a description has at most {MAX_TOPIC_CHARS} characters",
                code="topic_too_long",
                most=MAX_TOPIC_CHARS,
            )


def _create_content(creator: UserId, kind: RoomKind, rules: RoomRules) -> Content:
    content: Content = {"room_version": rules.version, KIND_KEY: kind}
    if not rules.creator_is_sender:
        content["creator"] = creator
    return content


def _levels_content(creator: UserId, rules: RoomRules) -> Content:
    if rules.additional_creators:  # creators stand above all levels, and may not be listed
        return {"users": {}, "invite": 50, "events": {"m.room.tombstone": _UPGRADE_LEVEL}}
    return {"users": {creator: _CREATOR_LEVEL}, "invite": 50}


def state_draft(kind: str, sender: UserId, content: Content) -> Draft:
    """A state event with an empty state key."""
    return Draft(kind, sender, content, state_key="")
