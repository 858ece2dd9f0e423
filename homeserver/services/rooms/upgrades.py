"""Room upgrades: a new room replaces an old one, in a newer room version (client-server API, "Room Upgrades").

The new room, the tombstone in the old one, its aliases and its directory entry are written in one transaction. Then
the carry-overs run, which copy the members' own data about the room.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from homeserver.kit.ratelimit import RateLimits
from homeserver.kit.singleflight import SingleFlight
from homeserver.model import Content, Draft, Requester
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId, is_room_id, is_user_id
from homeserver.protocol.power import are_readable, integer_levels
from homeserver.protocol.versions import RoomRules
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import check_may_act
from homeserver.services.events.access import head_for_member
from homeserver.services.rooms import member_events, product_rules
from homeserver.services.rooms.aliases import CANONICAL
from homeserver.services.rooms.initial_state import (
    POWER_LEVELS,
    TOMBSTONE,
    opening,
    replacing_content,
    replacing_levels,
    state_draft,
    strict_content,
    supported_rules,
)
from homeserver.services.rooms.spaces import CHILD, SPACE
from homeserver.storage import aliases, summaries
from homeserver.timeline.heads import Head
from homeserver.timeline.reading import levels_of
from homeserver.timeline.submission import Placed, SideWrite
from homeserver.timeline.writer import Timeline

_CARRIED: Final = (
    *("m.room.join_rules", "m.room.name", "m.room.topic", "m.room.avatar", "m.room.history_visibility"),
    *("m.room.guest_access", "m.room.encryption", "m.room.server_acl", "m.room.related_groups"),
    *("m.room.pinned_events", "m.room.policy", CANONICAL),
)


class UpgradeCarryOver(Protocol):
    """Carries over data that local users keep about a room to the room that replaces it."""

    async def carry(self, old_room: RoomId, new_room: RoomId) -> None:
        """Called once after the upgrade, for the members of the old room."""


class Upgrades:
    """Upgrades rooms. `max_events`: the most initial events of a new room."""

    def __init__(
        self,
        *,
        timeline: Timeline,
        profiles: Profiles,
        limits: RateLimits,
        carry_overs: Sequence[UpgradeCarryOver],
        max_events: int,
    ) -> None:
        self._timeline = timeline
        self._profiles = profiles
        self._limits = limits
        self._carry_overs = carry_overs
        self._max_events = max_events
        self._flights: SingleFlight[tuple[RoomId, UserId, str, tuple[UserId, ...]], RoomId] = SingleFlight()

    async def upgrade(
        self, requester: Requester, room_id: RoomId, version: str, more_creators: Sequence[str] = ()
    ) -> RoomId:
        """Replace a room with a new one, and return the new room's id.

        Of equal calls at once the first makes a room and the others return it.

        Raises NotFound("room_not_found"), Forbidden("not_joined", "low_power", "product_room"),
        Conflict("room_upgraded"), Invalid("bad_user_id"), Unsupported("room_version"), TooLarge("too_much_state").
        """
        check_may_act(requester)
        self._limits.check("create", requester.user_id)
        rules = supported_rules(version)
        head = await head_for_member(self._timeline, requester, room_id)
        _check_power(head, requester.user_id)
        if rules.additional_creators and not all(is_user_id(one) for one in more_creators):
            raise Invalid("additional_creators must be user ids", code="bad_user_id")
        makers = tuple(UserId(one) for one in dict.fromkeys(more_creators) if one != requester.user_id)
        key = (room_id, requester.user_id, version, makers)
        return await self._flights.run(key, lambda: self._upgrade(requester, head, rules, makers))

    async def _upgrade(
        self, requester: Requester, head: Head, rules: RoomRules, makers: Sequence[UserId]
    ) -> RoomId:
        own, room_id = requester.user_id, head.room_id
        person = await self._profiles.own(requester)
        carried = [
            *_carried_state(head, own),
            # Last: until the power levels are set the creator may send all of the above.
            state_draft(POWER_LEVELS, own, replacing_levels(head, rules, {own, *makers}, own)),
        ]

        def first_events(tombstone: EventId | None) -> list[Draft]:
            begun = opening(person, rules, replacing_content(head, tombstone), more_creators=makers)
            return [*begun, *carried]

        if len(first_events(None)) > self._max_events:
            raise TooLarge(
                f"a new room can take over at most {self._max_events} events", code="too_much_state"
            )
        try:
            new = await self._replace(head, own, first_events, rules.version)
        except Conflict:  # through another worker
            made = await self._made_meanwhile(room_id, own, rules.version)
            if made is None:
                raise
            return made
        await self._carry_over(room_id, new)
        return new

    async def _replace(
        self, head: Head, own: UserId, first_events: Callable[[EventId | None], Sequence[Draft]], version: str
    ) -> RoomId:
        """Write both rooms' events. Raises Conflict if the old room has another tombstone than at `head`."""
        key = (TOMBSTONE, "")

        def last_events(new: RoomId, now: Head) -> list[Draft]:
            if now.state.events.get(key) != head.state.events.get(key):
                raise Conflict("this room was upgraded in the meantime", code="room_upgraded")
            return _closing_events(now, own, new)

        written = await self._timeline.replace_room(
            head.room_id,
            first_events,
            last_events,
            version=version,
            kind="group",
            also=[SideWrite(_move_aliases, head.room_id)],
        )
        return written.events[0].event.room_id

    async def _made_meanwhile(self, room_id: RoomId, own: UserId, version: str) -> RoomId | None:
        """The room by which an equal call replaced this one; None if it was another."""
        tombstone = (await self._timeline.stored_head(room_id)).state.events.get((TOMBSTONE, ""))
        new = None if tombstone is None else tombstone.content.get("replacement_room")
        if tombstone is None or tombstone.sender != own or not isinstance(new, str):
            return None
        try:
            made = await self._timeline.stored_head(RoomId(new))
        except NotFound:
            return None
        return made.room_id if made.rules.version == version else None

    async def note_tombstone(self, room_id: RoomId, content: Content) -> None:
        """Handle a tombstone that a client sent itself: carry over if the new room names the old one as its
        predecessor."""
        new = content.get("replacement_room")
        if not isinstance(new, str) or not is_room_id(new):
            return
        try:
            head = await self._timeline.head(RoomId(new))
        except NotFound:
            return
        before = _create_of(head).content.get("predecessor")
        if isinstance(before, Mapping) and before.get("room_id") == room_id:
            await self._carry_over(room_id, RoomId(new))

    async def _carry_over(self, old: RoomId, new: RoomId) -> None:
        for carry_over in self._carry_overs:
            await carry_over.carry(old, new)


def _check_power(head: Head, own: UserId) -> None:
    if product_rules.is_product_room(head):
        raise Forbidden("rooms of product APIs cannot be upgraded", code="product_room")
    levels = levels_of(head)
    if levels.user(own) < levels.event(TOMBSTONE, is_state=True):
        raise Forbidden("you may not upgrade this room", code="low_power")


def _create_of(head: Head) -> Event:
    return head.state.events["m.room.create", ""]


def _carried_state(head: Head, own: UserId) -> list[Draft]:
    """The state copied to the new room: settings, join rules, bans, and a space's children."""
    state = head.state.events
    drafts = [
        state_draft(kind, own, strict_content(event.content))
        for kind in _CARRIED
        if (event := state.get((kind, ""))) is not None
    ]
    is_space = _create_of(head).content.get("type") == SPACE
    for (kind, key), event in state.items():
        if kind == "m.room.member" and event.membership == "ban":
            reason = event.content.get("reason")
            text = reason if isinstance(reason, str) else ""
            drafts.append(member_events.ban(own, UserId(key), reason=text))
        elif kind == CHILD and is_space and event.content:
            drafts.append(Draft(kind, own, strict_content(event.content), state_key=key))
    return drafts


def _closing_events(head: Head, own: UserId, new: RoomId) -> list[Draft]:
    """The last events of the old room: the tombstone, and as far as the requester has the power, an empty
    canonical alias and power levels that make the room read-only."""
    body = {"body": "This room has been replaced", "replacement_room": new}
    drafts = [state_draft(TOMBSTONE, own, body)]
    levels, state = levels_of(head), head.state.events
    if (CANONICAL, "") in state and levels.user(own) >= levels.event(CANONICAL, is_state=True):
        drafts.append(state_draft(CANONICAL, own, {}))
    event = state.get((POWER_LEVELS, ""))
    before = {} if event is None else event.content
    quiet = _read_only_levels(integer_levels(before, head.rules))
    highest = max(quiet["events_default"], quiet["invite"])
    if not are_readable(before, head.rules):
        return drafts
    if levels.user(own) >= max(levels.event(POWER_LEVELS, is_state=True), highest):
        drafts.append(state_draft(POWER_LEVELS, own, quiet))
    return drafts


def _read_only_levels(content: Content) -> Content:
    """Power levels that forbid ordinary members to send and to invite."""
    needed = max(50, content.get("users_default", 0) + 1)
    return {**content, **{name: max(needed, content.get(name, 0)) for name in ("events_default", "invite")}}


async def _move_aliases(conn: AsyncConnection, items: Sequence[Placed[RoomId]]) -> None:
    """Move the old rooms' aliases and directory entries to the new rooms."""
    at = await summaries.rooms_at(conn, [item.position for item in items])
    moves = {item.row: at[item.position] for item in items}
    await aliases.move(conn, moves)
    old = await summaries.summaries(conn, moves)
    published = [one for one in old.values() if one.published]
    if published:
        away = [(one.room_id, False) for one in published]
        await summaries.publish(conn, [*away, *((moves[one.room_id], True) for one in published)])
