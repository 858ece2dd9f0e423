"""The lists of a request: the rooms in each, and those within its ranges."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from homeserver.folding import fold
from homeserver.model import place_at
from homeserver.protocol.ids import RoomId
from homeserver.services.sliding.context import RequestedRoom, SlidingContext, View
from homeserver.services.sliding.request import Config, ListRequest, RoomFilters
from homeserver.services.sliding.room_list import RoomAttributes, RoomLists, was_removed
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.state import states_at
from homeserver.storage.sync import OwnRoom

_MAX_NAME: Final = 1000  # characters of a name that are searched
CHILD: Final = "m.space.child"


class _Known(NamedTuple):
    """What filters ask of rooms, looked up once for all lists: attributes, children of spaces, folded names."""

    facts: Mapping[RoomId, RoomAttributes]
    children: Mapping[RoomId, Collection[str]]
    names: Mapping[RoomId, str]


class Lists:
    """Builds the lists with a fixed number of statements."""

    def __init__(self, db: Database, room_lists: RoomLists) -> None:
        self._db = db
        self._room_lists = room_lists

    async def view(self, context: SlidingContext) -> View:
        """The rooms that the client asks for: the windows of its lists, and its room subscriptions."""
        request = context.request
        rows = [row for row in context.room_list.order if is_listed(context, row)]
        lists = request.lists.values()
        known = _Known(
            await self._facts(lists, rows), await self._children(context, lists), _folded_names(lists, rows)
        )
        counts: dict[str, int] = {}
        windows: dict[str, Sequence[RoomId]] = {}
        for name, one in request.lists.items():
            found = [row.room_id for row in rows if fits(context, one.filters, row, known)]
            counts[name] = len(found)
            windows[name] = found if one.ranges is None else _window(found, one.ranges)
        return View(counts, windows, _wanted(context, windows))

    async def _facts(
        self, lists: Collection[ListRequest], rows: Sequence[OwnRoom]
    ) -> Mapping[RoomId, RoomAttributes]:
        if not any(one.filters.asks_for_facts for one in lists):
            return {}
        return await self._room_lists.facts([row.room_id for row in rows])

    async def _children(
        self, context: SlidingContext, lists: Collection[ListRequest]
    ) -> Mapping[RoomId, Collection[str]]:
        """The children of each space that a filter names, of the spaces that the reader is in."""
        spaces = {space for one in lists for space in one.filters.spaces or ()}
        spaces &= {space for space in spaces if _is_joined(context.room_list.rows.get(space))}
        if not spaces:
            return {}
        async with self._db.read() as conn:
            ids = await stored.state_ids_at(conn, dict.fromkeys(spaces, place_at(context.until)))
            states = await states_at(conn, ids.values(), types=(CHILD,), user_ids=())
        return {
            space: {key for (_, key), event in states[state_id].items() if event.content.get("via")}
            for space, state_id in ids.items()
        }


def _folded_names(lists: Iterable[ListRequest], rows: Iterable[OwnRoom]) -> Mapping[RoomId, str]:
    if not any(one.filters.name for one in lists):
        return {}
    return {row.room_id: fold(row.name[:_MAX_NAME]) for row in rows}


def is_listed(context: SlidingContext, row: OwnRoom) -> bool:
    """True if lists include a room: joined, knocked, invited, kicked or banned from; one that the reader left or forgot
    only until the client was sent the leave."""
    is_known = row.room_id in context.connection.rooms
    if row.forgotten:
        return is_known and context.has_moved(row, context.base(row.room_id))
    match row.membership:
        case "join" | "knock":
            return True
        case "invite":
            return row.sender not in context.ignored
    if is_known:
        return True
    return was_removed(row, context.reader) and row.room_id not in context.room_list.never_joined


def fits(context: SlidingContext, filters: RoomFilters, row: OwnRoom, known: "_Known") -> bool:
    """True if a list with these filters includes a room."""
    room_id, room_list = row.room_id, context.room_list
    if filters.is_invite is not None and filters.is_invite is not (row.membership == "invite"):
        return False
    if filters.is_dm is not None and filters.is_dm is not (room_id in room_list.direct):
        return False
    tags = room_list.tags.get(room_id, ())
    if any(tag in filters.not_tags for tag in tags):
        return False
    if filters.tags is not None and not any(tag in filters.tags for tag in tags):
        return False
    if filters.spaces is not None and not any(
        room_id in known.children.get(one, ()) for one in filters.spaces
    ):
        return False
    if filters.name and not (row.membership == "join" and filters.name in known.names[room_id]):
        return False
    return not filters.asks_for_facts or _facts_fit(filters, known.facts[room_id])


def _facts_fit(filters: RoomFilters, facts: RoomAttributes) -> bool:
    if filters.is_encrypted is not None and filters.is_encrypted is not facts.is_encrypted:
        return False
    if facts.type in filters.not_room_types:
        return False
    return filters.room_types is None or facts.type in filters.room_types


def _wanted(context: SlidingContext, windows: Mapping[str, Sequence[RoomId]]) -> dict[RoomId, RequestedRoom]:
    names: dict[RoomId, list[str]] = {}
    for name, room_ids in windows.items():
        for room_id in room_ids:
            names.setdefault(room_id, []).append(name)
    subscribed = context.request.subscriptions
    for room_id in subscribed:
        row = context.room_list.rows.get(room_id)
        if row is not None and is_listed(context, row):
            names.setdefault(room_id, [])
    merged: dict[tuple[str, ...], Config] = {}  # most rooms are in the same lists
    wanted = {}
    for room_id, lists in names.items():
        key = tuple(lists)
        config = merged.get(key)
        if config is None and key:
            config = merged[key] = _merged([context.request.lists[name].config for name in lists])
        own = subscribed.get(room_id)
        both = [one for one in (config, own) if one is not None]
        wanted[room_id] = RequestedRoom(context.room_list.rows[room_id], _merged(both), lists)
    return wanted


def _merged(configs: Sequence[Config]) -> Config:
    merged = configs[0]
    for one in configs[1:]:
        merged = merged.joined(one)
    return merged


def _window(room_ids: Sequence[RoomId], ranges: Sequence[tuple[int, int]]) -> list[RoomId]:
    """The rooms within these ranges, each once, in list order."""
    places = sorted({at for first, last in ranges for at in range(first, min(last + 1, len(room_ids)))})
    return [room_ids[at] for at in places]


def _is_joined(row: OwnRoom | None) -> bool:
    return row is not None and row.membership == "join"
