"""Message search (client-server API, "Server Side Search").

Candidates are the newest events with the words, in rooms that the user is or was in; results are those that the user
may see, ordered by time or by rank. A `next_batch` token holds the newest position searched and the number of results
returned so far, so that new messages do not shift the pages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from homeserver.kit.ratelimit import RateLimits
from homeserver.model import LOG_START, LogPosition, Place, Requester, place_at
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.filters import PASS_ALL, EventFilter
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.clientdata.accountdata import AccountData, is_ignored
from homeserver.services.events.visibility import ViewerVisibility, Visibility
from homeserver.services.search.index import KEYS, SearchIndex
from homeserver.services.search.words import terms_of
from homeserver.storage import events
from homeserver.storage import search as stored
from homeserver.storage import state as stored_states
from homeserver.storage.db import Database
from homeserver.storage.events import NEWEST, StoredEvent
from homeserver.storage.search import Match, OwnPlace, SearchQuery, Term

_MAX_ROOMS: Final = 2000  # rooms of a user that are searched, those with the latest activity
_MAX_FOUND: Final = 1000  # candidates for one page
_MAX_WORDS: Final = 16  # words of a search term that are used
_MAX_TERM: Final = 1000  # characters of a search term that are used
_MAX_UPGRADES: Final = 10  # predecessors of a room that are searched with it
DEFAULT_LIMIT: Final = 10


class SearchPlace(NamedTuple):
    """Start of a page: after `given` results up to position `until`; of one room or sender only, if `key` is set."""

    until: LogPosition = NEWEST
    given: int = 0
    key: str = ""
    value: str = ""


_BEGINNING: Final = SearchPlace()


class ContextRequest(NamedTuple):
    """`event_context`: the number of events before and after each result, and whether with sender profiles."""

    before: int
    after: int
    with_profiles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search. `by_rank`: best matches first, else newest first. `groups`: "room_id" or "sender"."""

    term: str
    keys: Collection[str] = tuple(KEYS.values())
    filter: EventFilter = PASS_ALL
    by_rank: bool = True
    surround: ContextRequest | None = None
    with_state: bool = False
    groups: Sequence[str] = ()
    place: SearchPlace = _BEGINNING


@dataclass(frozen=True, slots=True)
class Hit:
    """A result with its context (`before`: the nearest first) and the member events of the context's senders."""

    event: StoredEvent
    rank: float
    viewer: ViewerVisibility
    before: Sequence[StoredEvent] = ()
    after: Sequence[StoredEvent] = ()
    start: Place | None = None
    end: Place | None = None
    members: Mapping[UserId, Event] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Results of one room or sender; `next`: the start of their next page."""

    event_ids: Sequence[EventId]
    next: SearchPlace | None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of results. `count`: approximate number of all results."""

    hits: Sequence[Hit] = ()
    count: int = 0
    words: Sequence[str] = ()
    next: SearchPlace | None = None
    states: Mapping[RoomId, Mapping[StateKey, Event]] | None = None
    groups: Mapping[str, Mapping[str, Group]] | None = None


class MessageSearch:
    """Searches messages. `max_page`: most results per page. A page costs a fixed number of queries."""

    def __init__(
        self,
        *,
        db: Database,
        index: SearchIndex,
        visibility: Visibility,
        data: AccountData,
        limits: RateLimits,
        max_page: int,
    ) -> None:
        self._db = db
        self._index = index
        self._visibility = visibility
        self._data = data
        self._limits = limits
        self._max_page = max_page

    async def search(self, requester: Requester, request: SearchRequest) -> Found:
        """A page of the requester's results. Raises RateLimited."""
        self._limits.check("search", requester.user_id)
        await self._index.catch_up()
        terms = terms_of(request.term[:_MAX_TERM])[:_MAX_WORDS]
        words = [one.text for one in terms]
        async with self._db.read() as conn:
            places = await stored.own_places(conn, requester.user_id, _MAX_ROOMS) if words else []
        own = {one.room_id: one for one in places}
        rooms = await self._rooms(own, request.filter)
        if not rooms:
            return Found(words=words)
        matches = await self._find(request, terms, [own[room_id].position for room_id in rooms])
        outlooks = await self._visibility.outlooks(requester.user_id, {one.room_id for one in matches})
        ignored = await self._data.ignored_by(requester.user_id)
        seen = [
            one
            for one in matches
            if outlooks[one.room_id].sees_at(place_at(one.position))
            and not outlooks[one.room_id].is_bare(one.sender, place_at(one.position))
            and (one.sender not in ignored or one.key != KEYS["m.room.message"])
        ]
        return await self._page(request, words, _Seen(matches, seen, outlooks, own, ignored))

    async def _rooms(self, own: Mapping[RoomId, OwnPlace], wanted: EventFilter) -> set[RoomId]:
        """The rooms to search; rooms named by the filter with their predecessors."""
        if wanted.rooms is None:
            return {room_id for room_id in own if wanted.admits_room(room_id)}
        found = {room_id for room_id in own if room_id in wanted.rooms}
        new = set(found)
        async with self._db.read() as conn:
            for _ in range(_MAX_UPGRADES):  # users make such chains, so their length is bounded
                if not new:
                    break
                creates = await events.events_at(conn, {own[room_id].position for room_id in new})
                before = {_predecessor(one.event) for one in creates.values()}
                new = {room_id for room_id in own if room_id in before and room_id not in found}
                found |= new
        return found - wanted.not_rooms

    async def _find(
        self, request: SearchRequest, terms: Sequence[Term], rooms: Sequence[LogPosition]
    ) -> list[Match]:
        wanted = request.filter
        query = SearchQuery(
            terms=terms,
            rooms=rooms,
            keys={key for kind, key in KEYS.items() if key in request.keys and wanted.admits_type(kind)},
            senders=wanted.senders,
            not_senders=wanted.not_senders,
            until=request.place.until,
            limit=_MAX_FOUND,
        )
        async with self._db.read() as conn:
            found = await stored.find(conn, query)
            if not wanted.looks_at_content or not found:
                return found
            stored_events = await events.events_at(conn, [one.position for one in found])
        return [
            one
            for one in found
            if one.position in stored_events and wanted.passes(stored_events[one.position].event)
        ]

    async def _page(self, request: SearchRequest, words: Sequence[str], seen: "_Seen") -> Found:
        place = request.place
        ordered = [one for one in seen.events if not place.key or _value(one, place.key) == place.value]
        if request.by_rank:
            ordered.sort(key=lambda one: (-one.rank, -one.position))
        limit = request.filter.limit_within(DEFAULT_LIMIT, self._max_page)
        page = ordered[place.given : place.given + limit]
        async with self._db.read() as conn:
            loaded = await events.events_at(conn, [one.position for one in page]) if page else {}
        shown = [
            Hit(loaded[one.position], one.rank, seen.outlooks[one.room_id])
            for one in page
            if one.position in loaded and _is_shown(loaded[one.position], seen.outlooks[one.room_id])
        ]
        until = min(place.until, max((one.position for one in seen.matches), default=LOG_START))
        return Found(
            hits=await self._with_surroundings(request.surround, shown, seen.ignored),
            count=len(ordered),
            words=words,
            next=None
            if limit == 0
            else _next(
                request, SearchPlace(until, place.given + len(page), place.key, place.value), ordered, seen
            ),
            states=await self._states(shown, seen.own) if request.with_state else None,
            groups={key: _groups(key, page, ordered, until, loaded) for key in request.groups},
        )

    async def _with_surroundings(
        self, wanted: ContextRequest | None, hits: Sequence[Hit], ignored: Collection[UserId]
    ) -> list[Hit]:
        if wanted is None or not hits:
            return list(hits)
        async with self._db.read() as conn:
            found = await stored.around(
                conn, [one.event.arrived for one in hits], before=wanted.before, after=wanted.after
            )
            near: dict[LogPosition, ViewerVisibility] = {hit.event.arrived: hit.viewer for hit in hits}
            kept = {
                place: [
                    one
                    for one in these
                    if one.position == place or (near[place].sees(one) and not is_ignored(one.event, ignored))
                ]
                for place, these in found.items()
            }
            states = {}
            if wanted.with_profiles:
                senders = {one.event.sender for these in kept.values() for one in these}
                ids = [hit.event.state_id for hit in hits]
                states = await stored_states.states_at(conn, ids, types=(), user_ids=senders)
        return [_surrounded(hit, kept[hit.event.arrived], found[hit.event.arrived], states) for hit in hits]

    async def _states(
        self, hits: Sequence[Hit], own: Mapping[RoomId, OwnPlace]
    ) -> dict[RoomId, Mapping[StateKey, Event]]:
        """The current state of those rooms of the results that the user is joined to."""
        places = {own[hit.event.event.room_id] for hit in hits}
        ids = {one.state_id: one.room_id for one in places if one.membership == "join"}
        async with self._db.read() as conn:
            states = await stored_states.states_at(conn, ids) if ids else {}
        return {room_id: states[state_id] for state_id, room_id in ids.items()}


class _Seen(NamedTuple):
    """What a search found: all candidates, and those that the user may see and the filter admits."""

    matches: Sequence[Match]
    events: Sequence[Match]
    outlooks: Mapping[RoomId, ViewerVisibility]
    own: Mapping[RoomId, OwnPlace]
    ignored: Collection[UserId]


def _predecessor(create: Event) -> str | None:
    before = create.content.get("predecessor")
    room_id = before.get("room_id") if isinstance(before, Mapping) else None
    return room_id if isinstance(room_id, str) else None


def _is_shown(one: StoredEvent, viewer: ViewerVisibility) -> bool:
    """False if the event was redacted a moment ago, or matches only by an edit that the user may not see."""
    if one.redacted_by is not None or not viewer.sees(one):
        return False
    return one.edit_place is None or viewer.sees_at(one.edit_place)


def _value(one: Match, key: str) -> str:
    return one.room_id if key == "room_id" else one.sender


def _next(
    request: SearchRequest, place: SearchPlace, ordered: Sequence[Match], seen: _Seen
) -> SearchPlace | None:
    """The start of the next page; ordered by time, also beyond the candidates of this one."""
    if place.given < len(ordered):
        return place
    if request.by_rank or len(seen.matches) < _MAX_FOUND:
        return None
    return place._replace(until=LogPosition(seen.matches[-1].position - 1), given=0)


def _groups(
    key: str,
    page: Sequence[Match],
    ordered: Sequence[Match],
    until: LogPosition,
    loaded: Mapping[LogPosition, StoredEvent],
) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for value in dict.fromkeys(_value(one, key) for one in page):
        given = [one for one in page if _value(one, key) == value]
        last = ordered.index(given[-1])
        before = sum(_value(one, key) == value for one in ordered[: last + 1])
        has_more = any(_value(one, key) == value for one in ordered[last + 1 :])
        groups[value] = Group(
            [loaded[one.position].event.event_id for one in given if one.position in loaded],
            SearchPlace(until, before, key, value) if has_more else None,
        )
    return groups


def _surrounded(
    hit: Hit,
    seen: Sequence[StoredEvent],
    found: Sequence[StoredEvent],
    states: Mapping[int, Mapping[StateKey, Event]],
) -> Hit:
    place = hit.event.place
    senders = {one.event.sender for one in seen}
    state = states.get(hit.event.state_id, {})
    return Hit(
        hit.event,
        hit.rank,
        hit.viewer,
        before=[one for one in reversed(seen) if one.place < place],
        after=[one for one in seen if one.place > place],
        start=Place(found[0].place - 1 if found else place - 1),
        end=found[-1].place if found else place,
        members={UserId(key): event for (_, key), event in state.items() if key in senders}
        if states
        else None,
    )
