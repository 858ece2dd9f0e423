"""createRoom of the client-server API (section "Creation").

The first events are in the specification's order; later steps override what the preset sets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeserver.errors import Forbidden, Invalid
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import KIND_KEY, Content, Draft, Person, Requester
from homeserver.protocol.ids import RoomAlias, RoomId, UserId, is_user_id
from homeserver.protocol.versions import RoomRules
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_may_act
from homeserver.services.rooms import member_events
from homeserver.services.rooms.aliases import CANONICAL, Aliases, names_in
from homeserver.services.rooms.directory import publication
from homeserver.services.rooms.initial_state import (
    POWER_LEVELS,
    Preset,
    opening,
    preset_levels,
    preset_state,
    state_draft,
    supported_rules,
)
from homeserver.services.rooms.product_rules import check_unreserved
from homeserver.settings.models import RoomSettings
from homeserver.timeline.submission import SideWrite
from homeserver.timeline.writer import Timeline


@dataclass(frozen=True, slots=True)
class InitialState:
    """A state event of `initial_state`."""

    type: str
    content: Content
    state_key: str = ""


@dataclass(frozen=True, slots=True)
class CreateRoomRequest:
    """The parameters of createRoom. `alias`: localpart of the alias. `published`: list the room in the directory."""

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
    """Creates rooms for Matrix clients."""

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
        """Create a room and return its id.

        Raises Unsupported("room_version"), Invalid ("bad_room_state", "bad_event", "unknown_people", "bad_alias",
        "too_many_people"), Conflict("room_in_use"), Forbidden("blocked").
        """
        check_may_act(requester)
        self._limits.check("create", requester.user_id)
        rules = supported_rules(request.version or self._default_version)
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
            raise Invalid(f"invalid initial state: {refused.message}", code="bad_room_state") from refused
        return written.events[0].event.room_id

    async def _people(self, requester: Requester, invited: Sequence[UserId]) -> dict[UserId, Person]:
        most = self._settings.max_participants
        if len(invited) > most:
            raise Invalid(f"at most {most} users can be invited at once", code="too_many_people")
        found = await self._profiles.people({requester.user_id, *invited})
        absent = [one for one in (requester.user_id, *invited) if one not in found]
        if absent:
            raise Invalid(f"no user {absent[0]} on this server", code="unknown_people")
        await self._blocks.check_people(requester.user_id, invited)
        shown = await self._profiles.visibility.without_hidden_names(requester, found.values())
        return dict(zip(found, shown, strict=True))


def _first_events(
    creator: Person, request: CreateRoomRequest, rules: RoomRules, alias: RoomAlias | None
) -> list[Draft]:
    own = creator.user_id
    drafts = opening(creator, rules, _create_content(request, rules))
    wished: dict[tuple[str, str], Content] = preset_state(request.preset)
    levels = {**preset_levels(request.preset, own, request.invited, rules), **request.levels}
    for one in request.initial_state:
        check_unreserved(one.type)
        if one.type in ("m.room.create", "m.room.member"):
            raise Invalid(f"{one.type} cannot be set in initial_state", code="bad_room_state")
        if (one.type, one.state_key) == (CANONICAL, "") and set(names_in(one.content)) - {alias}:
            raise Invalid("a new room has no other names than its alias", code="bad_room_state")
        if (one.type, one.state_key) == (POWER_LEVELS, ""):
            levels = {**one.content, **request.levels}
        else:
            wished[one.type, one.state_key] = one.content
    if request.name:
        wished["m.room.name", ""] = {"name": request.name}
    if request.topic:
        wished["m.room.topic", ""] = _topic(request.topic)
    drafts.append(state_draft(POWER_LEVELS, own, levels))
    if alias is not None:
        drafts.append(state_draft(CANONICAL, own, {"alias": alias}))
    drafts += [Draft(kind, own, content, state_key=key) for (kind, key), content in wished.items()]
    return drafts


def _create_content(request: CreateRoomRequest, rules: RoomRules) -> Content:
    content: Content = dict(request.creation_content)
    content.pop(KIND_KEY, None)  # marks rooms of the product APIs; clients cannot set it
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


def _topic(text: str) -> Content:
    """The content of m.room.topic: `topic` for older clients, and `m.topic`."""
    return {"topic": text, "m.topic": {"m.text": [{"body": text, "mimetype": "text/plain"}]}}


def _invited(request: CreateRoomRequest) -> Sequence[UserId]:
    return list(dict.fromkeys(request.invited))
