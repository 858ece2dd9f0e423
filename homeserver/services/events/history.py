"""Reading rooms as Matrix clients do: events, pages of history, and the state and members at a point in time.

A requester who may not see a room gets Forbidden("not_joined"), and for an event NotFound("event_not_found"), whether
it exists or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from homeserver.errors import NotFound
from homeserver.model import FIRST_PLACE, LAST_PLACE, Place, Requester
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.filters import EventFilter
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.protocol.member import membership_in
from homeserver.services.clientdata.accountdata import AccountData, is_ignored
from homeserver.services.events.access import head_for_member, not_joined
from homeserver.services.events.visibility import ViewerVisibility, Visibility
from homeserver.storage import events as stored
from homeserver.storage import relations
from homeserver.storage import state as stored_state
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.relations import MAX_DEPTH, RelationsRequest
from homeserver.timeline.writer import Timeline

__all__ = [
    "MAX_DEPTH",
    "Direction",
    "EventContext",
    "History",
    "HistoryPage",
    "RelationsRequest",
    "members_in",
]
Direction = Literal["b", "f"]
_NEAR = 50  # events around a timestamp that are examined


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Events in the order of paging. `end`: the place to continue from; None if there are no more."""

    viewer: ViewerVisibility
    events: Sequence[StoredEvent]
    start: Place
    end: Place | None


@dataclass(frozen=True, slots=True)
class EventContext:
    """An event, the events before and after it (nearest first), and the state after the last of them."""

    viewer: ViewerVisibility
    event: StoredEvent
    before: Sequence[StoredEvent]
    after: Sequence[StoredEvent]
    state: Mapping[StateKey, Event]
    start: Place
    end: Place


class History:
    """Reads events. The requester is the first argument of each method."""

    def __init__(
        self, *, db: Database, timeline: Timeline, visibility: Visibility, data: AccountData
    ) -> None:
        self._db = db
        self._data = data
        self._timeline = timeline
        self._visibility = visibility

    async def event(
        self, requester: Requester, room_id: RoomId, event_id: EventId
    ) -> tuple[ViewerVisibility, StoredEvent]:
        """One event, and what the requester may see of its room. Raises NotFound("event_not_found")."""
        viewer, found = await self.event_anywhere(requester, event_id)
        if found.event.room_id != room_id:
            raise _no_event()
        return viewer, found

    async def event_anywhere(
        self, requester: Requester, event_id: EventId
    ) -> tuple[ViewerVisibility, StoredEvent]:
        """The same for an event whose room the client does not name."""
        async with self._db.read() as conn:
            found = (await stored.events_by_id(conn, [event_id])).get(event_id)
        if found is None:
            raise _no_event()
        viewer = await self._visibility.viewer(requester.user_id, found.event.room_id)
        if not await self._shown(requester, viewer, [found]):
            raise _no_event()
        return viewer, found

    async def page(
        self,
        requester: Requester,
        room_id: RoomId,
        *,
        direction: Direction,
        start: Place | None,
        until: Place | None = None,
        limit: int,
    ) -> HistoryPage:
        """A page of events, backward or forward from a place; without `start`, from the newest or the first event.

        It may hold fewer than `limit` events, as those that the requester may not see are left out. After the last
        events that there are it has an `end` all the same, to go on from; the next page has none. A page of 0
        events ends where it starts.
        """
        viewer = await self._viewer(requester, room_id)
        last = viewer.last_place
        async with self._db.read() as conn:
            if direction == "b":
                top = LAST_PLACE if start is None else Place(start + 1)
                if last is not None:
                    top = min(top, Place(last + 1))
                found = await stored.room_before(conn, room_id, before=top, limit=max(limit, 1))
                begin = Place(top - 1)
            else:
                begin = FIRST_PLACE if start is None else start
                found = await stored.room_after(conn, room_id, after=begin, limit=max(limit, 1))
                if last is not None:
                    found = [one for one in found if one.place <= last]
        seen = await self._shown(requester, viewer, found)
        shown = [one for one in seen if _is_within(one.place, direction, until)]
        end = None
        is_over = not found or (direction == "f" and found[-1].place == last)
        if not is_over and _is_within(found[-1].place, direction, until):
            end = Place(found[-1].place - 1) if direction == "b" else found[-1].place
        if start is None and direction == "b":
            begin = found[0].place if found else FIRST_PLACE
        if limit == 0:
            return HistoryPage(viewer, [], begin, begin)
        return HistoryPage(viewer, shown, begin, end)

    async def around(
        self, requester: Requester, room_id: RoomId, event_id: EventId, *, limit: int
    ) -> EventContext:
        """An event with at most `limit` events around it. Raises NotFound("event_not_found")."""
        viewer, event = await self.event(requester, room_id, event_id)
        half = limit // 2
        async with self._db.read() as conn:
            before = await stored.room_before(conn, room_id, before=event.place, limit=half)
            after = await stored.room_after(conn, room_id, after=event.place, limit=limit - half)
        shown_before = await self._shown(requester, viewer, before)
        shown_after = await self._shown(requester, viewer, after)
        async with self._db.read() as conn:  # a user who left sees no later state than their last event's
            state = await stored_state.state_at(conn, (shown_after or [event])[-1].state_id)
        return EventContext(
            viewer,
            event,
            shown_before,
            shown_after,
            state,
            start=Place((before or [event])[-1].place - 1),
            end=(after or [event])[-1].place,
        )

    async def state(
        self, requester: Requester, room_id: RoomId
    ) -> tuple[ViewerVisibility, Mapping[StateKey, Event]]:
        """The visible state: the current one, or for a user who left, the state at that time; and what the requester
        may see.

        Raises Forbidden("not_joined").
        """
        viewer = await self._viewer(requester, room_id)
        if viewer.last_place is None:
            return viewer, (await self._timeline.stored_head(room_id)).state.events
        return viewer, await self._state_at(room_id, viewer.last_place)

    async def state_at(
        self, requester: Requester, room_id: RoomId, place: Place
    ) -> tuple[ViewerVisibility, Mapping[StateKey, Event]]:
        """The state at a place that the requester may see, and what the requester may see."""
        viewer = await self._viewer(requester, room_id)
        last = viewer.last_place
        if (last is None or place < last) and not viewer.sees_at(Place(place + 1)):
            raise not_joined()
        return viewer, await self._state_at(room_id, place if last is None else min(place, last))

    async def now_joined(self, requester: Requester, room_id: RoomId) -> Mapping[StateKey, Event]:
        """The current state, for members of the room. Raises Forbidden("not_joined")."""
        await head_for_member(self._timeline, requester, room_id)
        head = await self._timeline.stored_head(room_id)
        if membership_in(head.state.events, requester.user_id) != "join":
            raise not_joined()
        return head.state.events

    async def near(
        self, requester: Requester, room_id: RoomId, *, at_ms: int, direction: Direction
    ) -> StoredEvent:
        """The event nearest to a timestamp, in one direction. Raises NotFound("event_not_found")."""
        viewer, forward = await self._viewer(requester, room_id), direction == "f"
        at_ms = viewer.nearest_time(at_ms, forward=forward)
        async with self._db.read() as conn:
            found = await stored.near_time(conn, room_id, at_ms=at_ms, forward=forward, limit=_NEAR)
        shown = await self._shown(requester, viewer, found)
        if not shown:
            raise _no_event()
        return shown[0]

    async def related(
        self, requester: Requester, room_id: RoomId, event_id: EventId, request: RelationsRequest
    ) -> HistoryPage:
        """A page of the events that relate to another event. Raises NotFound("event_not_found")."""
        viewer, _ = await self.event(requester, room_id, event_id)
        async with self._db.read() as conn:
            found = await relations.page_of(conn, room_id, event_id, request)
        end = None
        if len(found) == request.limit:
            end = found[-1].place if request.forward else Place(found[-1].place - 1)
        start = FIRST_PLACE if request.start is None else request.start
        return HistoryPage(viewer, await self._shown(requester, viewer, found), start, end)

    async def threads(
        self, requester: Requester, room_id: RoomId, *, own_only: bool, start: Place | None, limit: int
    ) -> HistoryPage:
        """The root events of a room's threads, those with the latest replies first.

        Those of ignored users are shown without content, as others answered them.
        """
        viewer = await self._viewer(requester, room_id)
        ignored = await self._data.ignored_by(requester.user_id)
        async with self._db.read() as conn:
            found = await relations.thread_roots(
                conn,
                room_id,
                reader=requester.user_id if own_only else None,
                ignored=ignored,
                before=start,
                limit=limit,
            )
        end = found[-1].latest if len(found) == limit else None
        roots = [one.root for one in found if viewer.sees(one.root)]
        return HistoryPage(
            replace(viewer, ignored=ignored), roots, FIRST_PLACE if start is None else start, end
        )

    async def having_related(
        self, events: Sequence[StoredEvent], wanted: EventFilter
    ) -> Sequence[StoredEvent]:
        """The events that have related events as the filter demands."""
        types, senders = wanted.related_by_rel_types, wanted.related_by_senders
        if (types is None and senders is None) or not events:
            return events
        async with self._db.read() as conn:
            found = await relations.related_among(
                conn, [one.event.event_id for one in events], rel_types=types, senders=senders
            )
        return [one for one in events if one.event.event_id in found]

    async def _shown(
        self, requester: Requester, viewer: ViewerVisibility, events: Sequence[StoredEvent]
    ) -> list[StoredEvent]:
        """The events that the requester may see; of ignored users only state events."""
        ignored = await self._data.ignored_by(requester.user_id)
        return [one for one in events if viewer.sees(one) and not is_ignored(one.event, ignored)]

    async def _viewer(self, requester: Requester, room_id: RoomId) -> ViewerVisibility:
        """What the requester may see of a room. Raises Forbidden("not_joined") if that is nothing."""
        viewer = await self._visibility.viewer(requester.user_id, room_id)
        if viewer.last_place == FIRST_PLACE:
            raise not_joined()
        return viewer

    async def _state_at(self, room_id: RoomId, place: Place) -> Mapping[StateKey, Event]:
        async with self._db.read() as conn:
            state_id = await stored.state_before(conn, room_id, place)
            return {} if state_id is None else await stored_state.state_at(conn, state_id)


def members_in(state: Mapping[StateKey, Event]) -> dict[UserId, Event]:
    """The member events of a state, by user."""
    return {UserId(key): event for (kind, key), event in state.items() if kind == "m.room.member"}


def _is_within(place: Place, direction: Direction, until: Place | None) -> bool:
    """True if the place comes before `until` in the direction of paging."""
    if until is None:
        return True
    return place > until if direction == "b" else place <= until


def _no_event() -> NotFound:
    return NotFound("no such event", code="event_not_found")
