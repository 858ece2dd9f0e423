"""Rooms as Matrix clients ask for them (client-server API, "RoomCreation").

The first events stand in the order of the specification; what comes later wins over what a preset says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from homeserver.errors import Forbidden, Invalid, Unsupported
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import KIND_KEY, Content, Draft, Person, Requester
from homeserver.protocol.errors import UnknownRoomVersion
from homeserver.protocol.ids import RoomAlias, RoomId, UserId, is_user_id
from homeserver.protocol.versions import RoomRules, rules_for
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_may_act
from homeserver.services.rooms import member_events
from homeserver.services.rooms.aliases import CANONICAL, Aliases, names_in
from homeserver.services.rooms.directory import publication
from homeserver.services.rooms.initial_state import state_draft
from homeserver.services.rooms.product_rules import check_unreserved
from homeserver.settings.models import RoomSettings
from homeserver.timeline.submission import SideWrite
from homeserver.timeline.writer import Timeline

Preset = Literal["private_chat", "trusted_private_chat", "public_chat"]
_CREATOR_LEVEL: Final = 100
_TOMBSTONE_OF_CREATORS: Final = 150  # version 12: above every admin
_RULES: Final[Mapping[Preset, tuple[str, str, str]]] = {  # join rule, history visibility, guest access
    "private_chat": ("invite", "shared", "can_join"),
    "trusted_private_chat": ("invite", "shared", "can_join"),
    "public_chat": ("public", "shared", "forbidden"),
}
_LEVELS_OF_EVENTS: Final[Mapping[str, int]] = {
    "m.room.name": 50,
    "m.room.avatar": 50,
    "m.room.canonical_alias": 50,
    "m.room.power_levels": 100,
    "m.room.history_visibility": 100,
    "m.room.server_acl": 100,
    "m.room.encryption": 100,
    "m.room.tombstone": 100,
}


@dataclass(frozen=True, slots=True)
class InitialState:
    """A state event that the creator wishes."""

    type: str
    content: Content
    state_key: str = ""


@dataclass(frozen=True, slots=True)
class CreateRoomRequest:
    """What a client asked for. `alias`: the room's name without "#" and server. `published`: list it for all."""

    preset: Preset = "private_chat"
    version: str | None = None
    name: str | None = None
    topic: str | None = None
    alias: str | None = None
    published: bool = False
    invited: Sequence[UserId] = ()
    is_direct: bool = False
    creation_content: Mapping[str, Any] = field(default_factory=dict)
    levels: Mapping[str, Any] = field(default_factory=dict)
    initial_state: Sequence[InitialState] = ()


class RoomCreation:
    """Makes rooms."""

    def __init__(
        self,
        *,
        timeline: Timeline,
        profiles: Profiles,
        limits: RateLimits,
        settings: RoomSettings,
        default_version: str,
        blocks: Blocks,
        aliases: Aliases,
    ) -> None:
        self._aliases = aliases
        self._timeline = timeline
        self._profiles = profiles
        self._limits = limits
        self._settings = settings
        self._default_version = default_version
        self._blocks = blocks

    async def create(self, requester: Requester, request: CreateRoomRequest) -> RoomId:
        """Make a room and answer its id.

        Raises Unsupported("room_version"), Invalid ("bad_room_state", "bad_event", "unknown_people", "bad_alias"),
        Conflict("room_in_use"), Forbidden("blocked").
        """
        check_may_act(requester)
        self._limits.check("create", requester.user_id)
        rules = self._rules(request.version)
        people = await self._people(requester, request.invited)
        alias = None if request.alias is None else await self._aliases.claim(requester, request.alias)
        also: list[SideWrite[Any]] = [publication()] if request.published else []
        drafts = _first_events(people[requester.user_id], request, rules, alias.row.alias if alias else None)
        drafts += [
            member_events.invite(requester.user_id, people[one], is_direct=request.is_direct)
            for one in _invited(request)
        ]
        try:
            written = await self._timeline.create_room(
                drafts, version=rules.version, kind="group", also=[*also, *([alias] if alias else [])]
            )
        except Forbidden as refused:
            raise Invalid(
                f"a room cannot begin like this: {refused.message}", code="bad_room_state"
            ) from refused
        return written.events[0].event.room_id

    def _rules(self, version: str | None) -> RoomRules:
        try:
            return rules_for(version or self._default_version)
        except UnknownRoomVersion as error:
            raise Unsupported("there is no such room version here", code="room_version") from error

    async def _people(self, requester: Requester, invited: Sequence[UserId]) -> dict[UserId, Person]:
        most = self._settings.max_participants
        if len(invited) > most:
            raise Invalid(f"at most {most} people can be invited at once", code="too_many_people")
        found = await self._profiles.people({requester.user_id, *invited})
        absent = [one for one in (requester.user_id, *invited) if one not in found]
        if absent:
            raise Invalid(f"there is no {absent[0]} here", code="unknown_people")
        await self._blocks.check_people(requester.user_id, invited)
        return found


def _first_events(
    creator: Person, request: CreateRoomRequest, rules: RoomRules, alias: RoomAlias | None
) -> list[Draft]:
    own = creator.user_id
    content = _create_content(own, request, rules)
    wished: dict[tuple[str, str], Content] = _preset_state(request.preset)
    levels = {**_levels(own, request, rules), **request.levels}
    for one in request.initial_state:
        check_unreserved(one.type)
        if one.type in ("m.room.create", "m.room.member"):
            raise Invalid(f"{one.type} cannot stand in initial_state", code="bad_room_state")
        if (one.type, one.state_key) == (CANONICAL, "") and set(names_in(one.content)) - {alias}:
            raise Invalid("a new room has no other names than its alias", code="bad_room_state")
        if (one.type, one.state_key) == ("m.room.power_levels", ""):
            levels = {**one.content, **request.levels}
        else:
            wished[one.type, one.state_key] = one.content
    if request.name:
        wished["m.room.name", ""] = {"name": request.name}
    if request.topic:
        wished["m.room.topic", ""] = _topic(request.topic)
    drafts = [
        state_draft("m.room.create", own, content),
        member_events.join(creator),
        state_draft("m.room.power_levels", own, levels),
    ]
    if alias is not None:
        drafts.append(state_draft(CANONICAL, own, {"alias": alias}))
    drafts += [Draft(kind, own, content, state_key=key) for (kind, key), content in wished.items()]
    return drafts


def _create_content(creator: UserId, request: CreateRoomRequest, rules: RoomRules) -> Content:
    content: Content = {**request.creation_content, "room_version": rules.version}
    content.pop("creator", None)
    content.pop(KIND_KEY, None)  # which marks the rooms of the products
    if not rules.creator_is_sender:
        content["creator"] = creator
    if not rules.additional_creators:
        return content
    more = content.get("additional_creators", [])
    if not isinstance(more, list) or not all(isinstance(one, str) and is_user_id(one) for one in more):
        raise Invalid("additional_creators must be a list of user ids", code="invalid_param")
    if request.preset == "trusted_private_chat":
        more = list(dict.fromkeys([*more, *request.invited]))
    if more:
        content["additional_creators"] = more
    return content


def _preset_state(preset: Preset) -> dict[tuple[str, str], Content]:
    join_rule, visibility, guest_access = _RULES[preset]
    return {
        ("m.room.join_rules", ""): {"join_rule": join_rule},
        ("m.room.history_visibility", ""): {"history_visibility": visibility},
        ("m.room.guest_access", ""): {"guest_access": guest_access},
    }


def _levels(creator: UserId, request: CreateRoomRequest, rules: RoomRules) -> Content:
    users: dict[str, int] = {} if rules.additional_creators else {creator: _CREATOR_LEVEL}
    if request.preset == "trusted_private_chat" and not rules.additional_creators:
        users.update(dict.fromkeys(request.invited, _CREATOR_LEVEL))
    events = dict(_LEVELS_OF_EVENTS)
    if rules.additional_creators:
        events["m.room.tombstone"] = _TOMBSTONE_OF_CREATORS
    return {
        "users": users,
        "users_default": 0,
        "events": events,
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": 50 if request.preset == "public_chat" else 0,
        "historical": 100,
    }


def _topic(text: str) -> Content:
    """The text twice: as old clients read it, and as `m.topic`."""
    return {"topic": text, "m.topic": {"m.text": [{"body": text, "mimetype": "text/plain"}]}}


def _invited(request: CreateRoomRequest) -> Sequence[UserId]:
    return list(dict.fromkeys(request.invited))
