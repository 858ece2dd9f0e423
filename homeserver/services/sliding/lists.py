"""The lists of a request: which rooms are in each, and which of them the client looks at."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from homeserver.folding import fold
from homeserver.protocol.ids import RoomId
from homeserver.services.sliding.context import SlidingLook, View, Wanted
from homeserver.services.sliding.request import Config, ListWish, RoomFilters
from homeserver.services.sliding.room_list import Facts, Rosters, is_put_out
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.sync import OwnRoom

CHILD: Final = "m.space.child"


class Lists:
    """Makes them, by a fixed number of statements."""

    def __init__(self, db: Database, rosters: Rosters) -> None:
        self._db = db
        self._rosters = rosters

    async def view(self, look: SlidingLook) -> View:
        """What the client looks at: windows of its lists, and the rooms that it subscribed to."""
        wish = look.wish
        rows = [row for row in look.roster.order if is_listed(look, row)]
        facts = await self._facts(wish.lists.values(), rows)
        children = await self._children(look, wish.lists.values())
        counts: dict[str, int] = {}
        windows: dict[str, Sequence[RoomId]] = {}
        for name, one in wish.lists.items():
            found = [row.room_id for row in rows if fits(look, one.filters, row, facts, children)]
            counts[name] = len(found)
            windows[name] = found if one.ranges is None else _window(found, one.ranges)
        return View(counts, windows, _wanted(look, windows))

    async def _facts(self, lists: Collection[ListWish], rows: Sequence[OwnRoom]) -> Mapping[RoomId, Facts]:
        if not any(one.filters.asks_for_facts for one in lists):
            return {}
        return await self._rosters.facts([row.room_id for row in rows])

    async def _children(
        self, look: SlidingLook, lists: Collection[ListWish]
    ) -> Mapping[RoomId, Collection[str]]:
        """The rooms in each space that is asked for, of those that the reader is in."""
        spaces = {space for one in lists for space in one.filters.spaces or ()}
        spaces &= {space for space in spaces if _is_joined(look.roster.rows.get(space))}
        if not spaces:
            return {}
        async with self._db.read() as conn:
            ids = await stored.state_ids_at(conn, dict.fromkeys(spaces, look.until))
            states = await stored.states_at(conn, ids.values(), types=(CHILD,), user_ids=())
        return {
            space: {key for (_, key), event in states[state_id].items() if event.content.get("via")}
            for space, state_id in ids.items()
        }


def is_listed(look: SlidingLook, row: OwnRoom) -> bool:
    """Whether lists have a room. One that the reader left themselves, or forgot, stays until the client was told that
    they left."""
    is_known = row.room_id in look.connection.rooms
    if row.forgotten:
        return is_known and look.has_moved(row, look.base(row.room_id))
    match row.membership:
        case "join" | "knock":
            return True
        case "invite":
            return row.sender not in look.ignored
    if is_known:
        return True
    return is_put_out(row, look.reader) and row.room_id not in look.roster.strange


def fits(
    look: SlidingLook,
    filters: RoomFilters,
    row: OwnRoom,
    facts: Mapping[RoomId, Facts],
    children: Mapping[RoomId, Collection[str]],
) -> bool:
    """Whether a list with these filters has a room."""
    room_id, roster = row.room_id, look.roster
    if filters.is_invite is not None and filters.is_invite is not (row.membership == "invite"):
        return False
    if filters.is_dm is not None and filters.is_dm is not (room_id in roster.direct):
        return False
    tags = roster.tags.get(room_id, ())
    if any(tag in filters.not_tags for tag in tags):
        return False
    if filters.tags is not None and not any(tag in filters.tags for tag in tags):
        return False
    if filters.spaces is not None and not any(room_id in children.get(one, ()) for one in filters.spaces):
        return False
    if filters.name and not (row.membership == "join" and fold(filters.name) in fold(row.name)):
        return False
    return not filters.asks_for_facts or _facts_fit(filters, facts[room_id])


def _facts_fit(filters: RoomFilters, facts: Facts) -> bool:
    if filters.is_encrypted is not None and filters.is_encrypted is not facts.is_encrypted:
        return False
    if facts.type in filters.not_room_types:
        return False
    return filters.room_types is None or facts.type in filters.room_types


def _wanted(look: SlidingLook, windows: Mapping[str, Sequence[RoomId]]) -> dict[RoomId, Wanted]:
    names: dict[RoomId, list[str]] = {}
    for name, room_ids in windows.items():
        for room_id in room_ids:
            names.setdefault(room_id, []).append(name)
    subscribed = look.wish.subscriptions
    for room_id in subscribed:
        row = look.roster.rows.get(room_id)
        if row is not None and is_listed(look, row):
            names.setdefault(room_id, [])
    merged: dict[tuple[str, ...], Config] = {}  # most rooms are in the same lists
    wanted = {}
    for room_id, lists in names.items():
        key = tuple(lists)
        config = merged.get(key)
        if config is None and key:
            config = merged[key] = _merged([look.wish.lists[name].config for name in lists])
        own = subscribed.get(room_id)
        both = [one for one in (config, own) if one is not None]
        wanted[room_id] = Wanted(look.roster.rows[room_id], _merged(both), lists)
    return wanted


def _merged(configs: Sequence[Config]) -> Config:
    merged = configs[0]
    for one in configs[1:]:
        merged = merged.joined(one)
    return merged


def _window(room_ids: Sequence[RoomId], ranges: Sequence[tuple[int, int]]) -> list[RoomId]:
    """The rooms in these ranges, each once, in the order of the list."""
    places = sorted({at for first, last in ranges for at in range(first, min(last + 1, len(room_ids)))})
    return [room_ids[at] for at in places]


def _is_joined(row: OwnRoom | None) -> bool:
    return row is not None and row.membership == "join"
