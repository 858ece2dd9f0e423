"""Room summaries and the hierarchy of spaces (client-server API, "Spaces"), as users outside the rooms may see them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from homeserver.errors import Forbidden, Invalid, NotFound
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Requester
from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId, UserId, is_room_id
from homeserver.protocol.versions import rules_for
from homeserver.storage import summaries as stored
from homeserver.storage.db import Database
from homeserver.storage.memberships import memberships
from homeserver.storage.state import states_at
from homeserver.storage.summaries import Summary

__all__ = ["Branch", "HierarchyRequest", "SpaceLimits", "Spaces", "Summary"]
SPACE: Final = "m.space"
CHILD: Final = "m.space.child"
_TOKEN: Final = re.compile(r"h([0-9]{1,9})_([0-9]{1,9})_([01])")
_ORDER: Final = re.compile(r"[\x20-\x7e]{1,50}")


class SpaceLimits(NamedTuple):
    """Most rooms of one page, greatest depth of a hierarchy, and most rooms of a hierarchy."""

    page: int
    depth: int
    rooms: int


@dataclass(frozen=True, slots=True)
class HierarchyRequest:
    """Which part of a hierarchy: `start` is the token of an earlier page."""

    limit: int | None = None
    max_depth: int | None = None
    suggested_only: bool = False
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A room of a hierarchy, and its m.space.child events in order."""

    room: Summary
    links: Sequence[Event]


@dataclass(slots=True)
class _Tree:
    """The loaded hierarchy: the rooms that the user may see, and the m.space.child events of the spaces among them."""

    rooms: dict[RoomId, Summary] = field(default_factory=dict)
    links: dict[RoomId, Sequence[Event]] = field(default_factory=dict)


class Spaces:
    """Summaries and hierarchies. The requester is the first argument of each method."""

    def __init__(self, *, db: Database, limits: RateLimits, space_limits: SpaceLimits) -> None:
        self._db = db
        self._limits = limits
        self._most = space_limits

    async def summary(self, requester: Requester, room_id: RoomId) -> tuple[Summary, str]:
        """A room's summary, and the requester's membership. Raises NotFound("room_not_found") if they may not see the
        room."""
        self._limits.check("directory", requester.user_id)
        found, held = await self._seen(requester.user_id, [room_id])
        if room_id not in found:
            raise NotFound("no such room", code="room_not_found")
        return found[room_id], held.get(room_id, "leave")

    async def tree(
        self, requester: Requester, room_id: RoomId, request: HierarchyRequest
    ) -> tuple[Sequence[Branch], str | None]:
        """A page of a hierarchy, depth first, and the token of the next page.

        Raises Forbidden("room_hidden") if the requester may not see the root, Invalid("bad_token").
        """
        self._limits.check("directory", requester.user_id)
        depth = self._most.depth if request.max_depth is None else min(request.max_depth, self._most.depth)
        limit = self._most.page if request.limit is None else min(request.limit, self._most.page)
        start = _start(request.start, depth, request.suggested_only)
        tree = await self._load(requester.user_id, room_id, depth, suggested_only=request.suggested_only)
        if room_id not in tree.rooms:
            raise Forbidden("you may not see this room", code="room_hidden")
        branches = list(_walk(tree, room_id, depth))
        end = start + limit
        following = f"h{end}_{depth}_{int(request.suggested_only)}" if end < len(branches) else None
        return branches[start:end], following

    async def _load(self, user_id: UserId, root: RoomId, depth: int, *, suggested_only: bool) -> _Tree:
        """Load the hierarchy level by level, with a fixed number of statements for each."""
        tree, asked, level = _Tree(), {root}, [root]
        for at in range(depth + 1):
            if not level:
                break
            found, _ = await self._seen(user_id, level)
            tree.rooms |= found
            spaces = {one.state_id: one.room_id for one in found.values() if one.room_type == SPACE}
            if not spaces:
                break
            async with self._db.read() as conn:
                states = await states_at(conn, list(spaces), types=[CHILD])
            links = {spaces[at]: _links(state.values(), suggested_only) for at, state in states.items()}
            tree.links |= links
            wanted = dict.fromkeys(RoomId(link.state_key or "") for those in links.values() for link in those)
            left = self._most.rooms - len(asked)
            level = [one for one in wanted if one not in asked][:left] if at < depth else []
            asked.update(level)
        return tree

    async def _seen(
        self, user_id: UserId, room_ids: Collection[RoomId]
    ) -> tuple[dict[RoomId, Summary], Mapping[RoomId, str]]:
        """The rooms that the user may see, and their memberships."""
        async with self._db.read() as conn:
            found = await stored.summaries(conn, room_ids)
            asked = {one for room in found.values() for one in (room.room_id, *room.allowed_rooms)}
            held = await memberships(conn, user_id, asked) if asked else {}
        seen = {room_id: room for room_id, room in found.items() if _may_see(room, held)}
        return seen, held


def _may_see(room: Summary, held: Mapping[RoomId, str]) -> bool:
    """True if a user with these memberships may see the room's summary."""
    own = held.get(room.room_id)
    if own in ("join", "invite", "knock"):
        return True
    if own == "ban" or room.closed:
        return False
    if room.world_readable or room.join_rule == "public":
        return True
    rules = rules_for(room.version)
    match room.join_rule:
        case "knock":
            return rules.knock
        case "knock_restricted":
            return rules.knock_restricted_join
        case "restricted":
            return rules.restricted_join and _is_in_one(room.allowed_rooms, held)
    return False


def _is_in_one(room_ids: Collection[RoomId], held: Mapping[RoomId, str]) -> bool:
    """True if one of these memberships is a join of one of the rooms."""
    return any(held.get(one) == "join" for one in room_ids)


def _links(events: Collection[Event], suggested_only: bool) -> list[Event]:
    """The valid m.space.child events, in the specification's order."""
    found = [
        one
        for one in events
        if _is_link(one) and (not suggested_only or one.content.get("suggested") is True)
    ]
    return sorted(found, key=_rank)


def _is_link(event: Event) -> bool:
    via = event.content.get("via")
    return isinstance(via, list) and bool(via) and is_room_id(event.state_key or "")


def _rank(event: Event) -> tuple[bool, str, int, str]:
    order = event.content.get("order")
    text = order if isinstance(order, str) and _ORDER.fullmatch(order) else ""
    return not text, text, event.origin_server_ts, event.state_key or ""


def _walk(tree: _Tree, root: RoomId, depth: int) -> Iterator[Branch]:
    """The rooms of the hierarchy depth first, each once."""
    waiting, seen = [(root, 0)], set[RoomId]()
    while waiting:
        room_id, at = waiting.pop()
        room = tree.rooms.get(room_id)
        if room is None or room_id in seen:
            continue
        seen.add(room_id)
        links = tree.links.get(room_id, ())
        yield Branch(room, links)
        if at < depth:
            waiting.extend((RoomId(link.state_key or ""), at + 1) for link in reversed(links))


def _start(token: str | None, depth: int, suggested_only: bool) -> int:
    """The offset of the page. Raises Invalid("bad_token"); the other parameters must be those of the first page."""
    if token is None:
        return 0
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise Invalid("not a token of this list", code="bad_token")
    if (int(found[2]), found[3] == "1") != (depth, suggested_only):
        raise Invalid("max_depth and suggested_only must not change between pages", code="bad_token")
    return int(found[1])
