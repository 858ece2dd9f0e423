"""Timelines of a sync: the last events of each room in a range of the log, and the state before them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from homeserver.model import FIRST_PLACE, Place, place_at
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.filters import EventFilter
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.clientdata.accountdata import is_ignored
from homeserver.services.events.visibility import ViewerVisibility, Visibility
from homeserver.services.sync.lazy_members import LazyMembers
from homeserver.services.sync.request import SyncContext
from homeserver.services.sync.senders import Senders
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.state import states_at
from homeserver.storage.sync import OwnRoom
from homeserver.timeline.build import relation_of

_MOST_LAZY_MEMBERS: Final = 200_000  # members that clients were told of, kept in memory


@dataclass(slots=True)
class RoomTimeline:
    """One room of a sync.

    `is_new`: the client does not have the room yet. `raw`: the events; `shown`: those for the client. `state_before`:
    the snapshot before `raw`, if known. `limited`: there were more events; `page_start`: the place of the first shown
    event, if that is not the first of `raw`. `is_untouched`: no other event relates to these.
    """

    row: OwnRoom
    viewer: ViewerVisibility
    is_new: bool
    raw: Sequence[StoredEvent] = ()
    shown: Sequence[StoredEvent] = ()
    state_before: int | None = None
    limited: bool = False
    page_start: Place | None = None
    is_untouched: bool = False
    state: dict[StateKey, Event] = field(default_factory=dict)

    @property
    def room_id(self) -> RoomId:
        return self.row.room_id

    @property
    def start(self) -> Place | None:
        """The place of the first event, from which `prev_batch` pages back."""
        return self.raw[0].place if self.raw else None

    def may_tell_state(self, place: Place) -> bool:
        """True if the reader may see the room's state at a place."""
        if self.row.membership == "join":
            return True
        last = self.viewer.last_place
        return last is None or place <= last

    @property
    def is_whole(self) -> bool:
        """True if the shown events are all of the room."""
        begins = bool(self.shown) and self.shown[0].event.type == "m.room.create"
        return begins and len(self.shown) == len(self.raw)

    @property
    def senders(self) -> set[UserId]:
        return {one.event.sender for one in self.shown}

    @property
    def place(self) -> Place | None:
        """The place before which the timeline begins."""
        start = self.start if self.page_start is None else self.page_start
        return None if start is None else Place(start - 1)

    def fill(
        self,
        events: Sequence[StoredEvent],
        raw: int,
        limit: int,
        is_shown: Callable[[ViewerVisibility, StoredEvent], bool],
    ) -> None:
        """Set the events, of which at most `raw` are examined and `limit` shown.

        `events` may hold one more than `raw`: it shows that there are more, and has the state before the others.
        """
        if len(events) > raw:
            self.limited = True
            if self.may_tell_state(events[0].place):
                self.state_before = events[0].state_id
            events = events[1:]
        self.raw = events
        shown = [event for event in events if is_shown(self.viewer, event)]
        if len(shown) > limit:
            self.limited, shown = True, shown[-limit:]
            self.page_start = shown[0].place
        self.shown = shown

    def cut(self, most_bytes: int) -> None:
        """Leave the newest events, of at most `most_bytes` together, but at least one."""
        size = 0
        for kept, event in enumerate(reversed(self.shown)):
            size += len(event.event.json)
            if kept and size > most_bytes:
                self.limited, self.shown = True, self.shown[-kept:]
                self.page_start = self.shown[0].place
                return


class Timelines:
    """Loads timelines with a fixed number of statements. `default`, `most`: events per room; `most_bytes`: of all rooms
    together."""

    def __init__(
        self, db: Database, visibility: Visibility, *, default: int, most: int, most_bytes: int
    ) -> None:
        self._db = db
        self._senders = Senders(db)
        self._lazy = LazyMembers(_MOST_LAZY_MEMBERS)
        self._visibility = visibility
        self._default = default
        self._most = most
        self._most_bytes = most_bytes

    async def of(self, context: SyncContext, room_ids: Collection[RoomId]) -> dict[RoomId, RoomTimeline]:
        """The timelines of these rooms."""
        if not room_ids:
            return {}
        wanted = context.request.filter.room.timeline
        limit = wanted.limit_within(self._default, self._most)
        raw = limit if limit == 0 or _admits_all(wanted) else self._most  # more, as a filter leaves some out
        made, found = _calm(context, room_ids, raw)
        others = [room_id for room_id in room_ids if room_id not in made]
        if others:
            outlooks = await self._visibility.outlooks(context.reader, others)
            for room_id, viewer in outlooks.items():
                made[room_id] = RoomTimeline(context.own[room_id], viewer, _is_new(context, viewer))
            after, until = place_at(context.after), place_at(context.until)
            starts = {room_id: FIRST_PLACE if made[room_id].is_new else after for room_id in outlooks}
            async with self._db.read() as conn:
                found |= await stored.last_events(conn, context.reader, starts, until=until, limit=raw + 1)
        for room_id, events in found.items():
            one = made[room_id]
            one.fill(events, raw, limit, partial(_is_shown, context, _current_in(one, events)))
            if one.is_new and not context.is_first and not one.is_whole:
                one.limited = True  # the client may have what came before from an earlier stay
        size = sum(len(event.event.json) for one in made.values() for event in one.shown)
        if size > self._most_bytes:
            for one in made.values():
                one.cut(self._most_bytes // len(made))
        return made

    async def add_states(
        self,
        context: SyncContext,
        timelines: Collection[RoomTimeline],
        heroes: Mapping[RoomId, Collection[UserId]],
    ) -> None:
        """Add to each timeline the state that its client needs beside it."""
        lazy = context.request.filter.room.state.lazy_load_members
        whole = [one for one in timelines if one.is_new or context.request.full_state]
        part = [one for one in timelines if not (one.is_new or context.request.full_state)]
        await self._find_places(context, timelines if lazy else whole)
        wanted = {
            one.room_id: one.senders | {context.reader, *heroes.get(one.room_id, ())} for one in timelines
        }
        everybody = set().union(*wanted.values()) if lazy else None
        await self._add_whole(whole, everybody, wanted)
        if lazy:
            await self._add_senders(context, part)
        await self._add_gaps(context, part)
        for one in timelines:
            _add_hidden(one, whole_timeline=context.request.state_after is not None)
        if lazy:
            self._note_members(context, whole, part)

    async def _find_places(self, context: SyncContext, timelines: Collection[RoomTimeline]) -> None:
        """Find the snapshots before timelines that reach back to the client's token."""
        absent = [one for one in timelines if one.state_before is None and not one.is_new]
        for one in absent:
            # An event that is no state event leaves the snapshot unchanged.
            if one.raw and not one.raw[0].event.is_state and one.may_tell_state(place_at(context.after)):
                one.state_before = one.raw[0].state_id
        absent = [one for one in absent if one.state_before is None]
        if absent:
            async with self._db.read() as conn:
                found = await stored.state_ids_at(
                    conn, {one.room_id: place_at(context.after) for one in absent}
                )
            for one in absent:
                if one.may_tell_state(place_at(context.after)):
                    one.state_before = found.get(one.room_id)

    async def _add_whole(
        self,
        timelines: Collection[RoomTimeline],
        everybody: Collection[UserId] | None,
        wanted: Mapping[RoomId, Collection[UserId]],
    ) -> None:
        ids = [one.state_before for one in timelines if one.state_before is not None]
        if not ids:
            return
        async with self._db.read() as conn:
            states = await states_at(conn, ids, user_ids=everybody)
        for one in timelines:
            if one.state_before is not None:
                one.state = {
                    key: event
                    for key, event in states[one.state_before].items()
                    if everybody is None or key[0] != "m.room.member" or key[1] in wanted[one.room_id]
                }

    async def _add_senders(self, context: SyncContext, timelines: Collection[RoomTimeline]) -> None:
        """Add the member events of the shown events' senders, as of before the timeline; without those that the
        client has."""
        wanted: dict[int, set[UserId]] = {}
        for one in timelines:
            if one.state_before is not None and (missing := one.senders - self._told(context, one)):
                wanted[one.state_before] = missing
        found = await self._senders.of(wanted)
        for one in timelines:
            if one.state_before is not None and one.state_before in found:
                one.state = dict(found[one.state_before])

    def _told(self, context: SyncContext, one: RoomTimeline) -> set[UserId]:
        """The members of a room that the client was told of before this sync."""
        if context.request.filter.room.state.include_redundant_members:
            return set()
        return self._lazy.known(context.chain, one.room_id, context.after)

    def _note_members(
        self, context: SyncContext, whole: Collection[RoomTimeline], part: Collection[RoomTimeline]
    ) -> None:
        """Note the members that this sync tells of, for the next ones."""
        if context.is_first:
            self._lazy.forget(context.chain)
        for one in whole:
            self._lazy.forget_room(context.chain, one.room_id)
        admits = context.request.filter.room.state.passes
        for one in (*whole, *part):
            events = [*one.state.values(), *(event.event for event in one.shown)]
            people = {
                UserId(event.state_key or "")
                for event in events
                if event.type == "m.room.member" and admits(event)
            }
            self._lazy.note(context.chain, one.room_id, people, context.until)

    async def _add_gaps(self, context: SyncContext, timelines: Collection[RoomTimeline]) -> None:
        """Add the state that changed between the client's token and the timeline."""
        limited = [one for one in timelines if one.limited]
        if not limited:
            return
        async with self._db.read() as conn:
            starts = {one.room_id: place_at(context.after) for one in limited}
            found = await stored.state_between(conn, starts, until=place_at(context.until))
        for one in limited:
            for changed in found[one.room_id]:
                is_before = one.start is None or changed.place < one.start
                if is_before and one.may_tell_state(changed.place):
                    one.state[changed.event.key] = changed.event


def _admits_all(wanted: EventFilter) -> bool:
    return replace(wanted, limit=None, unread_thread_notifications=False) == EventFilter()


def _calm(
    context: SyncContext, room_ids: Collection[RoomId], most: int
) -> tuple[dict[RoomId, RoomTimeline], dict[RoomId, Sequence[StoredEvent]]]:
    """The rooms whose changes are all in memory, with their events: the reader stayed joined, and events were few.

    Rooms with a redaction or an edit are not among them, as their targets must be read from the database.
    """
    made: dict[RoomId, RoomTimeline] = {}
    found: dict[RoomId, Sequence[StoredEvent]] = {}
    if context.is_first or context.request.full_state or context.news.timelines is None:
        return made, found
    for room_id in room_ids:
        row, events = context.own[room_id], context.news.timelines.get(room_id, ())
        if row.membership != "join" or context.moved(row) or len(events) > most:
            continue
        relations = [relation for one in events if (relation := relation_of(one.event.content)) is not None]
        if any(one.event.redacts for one in events) or any(kind == "m.replace" for kind, _ in relations):
            continue
        viewer = ViewerVisibility(context.reader, is_inside=True)
        made[room_id] = RoomTimeline(row, viewer, is_new=False, is_untouched=not relations)
        found[room_id] = events
    return made, found


def _is_new(context: SyncContext, viewer: ViewerVisibility) -> bool:
    """True if the reader has been joined since the client's token, and was not then."""
    if context.is_first:
        return True
    if viewer.membership_at(place_at(context.after)) == "join":
        return False
    return any(event.membership == "join" for event in viewer.membership.after(place_at(context.after)))


def _current_in(one: RoomTimeline, events: Sequence[StoredEvent]) -> Collection[EventId]:
    """The state events among the last events of a room that are its current state.

    A joined reader may see them as state, so they stay in the timeline even if history is hidden from the reader.
    """
    if one.row.membership != "join" or one.viewer.is_inside:
        return ()
    return {event.event.key: event.event.event_id for event in events if event.event.is_state}.values()


def _is_shown(
    context: SyncContext, current: Collection[EventId], viewer: ViewerVisibility, event: StoredEvent
) -> bool:
    """True if the reader may see the event, or it is `current` state, and the filter admits it."""
    if not context.request.filter.room.timeline.passes(event.event):
        return False
    return event.event.event_id in current or is_visible(viewer, context.ignored, event)


def is_visible(viewer: ViewerVisibility, ignored: Collection[UserId], event: StoredEvent) -> bool:
    """True if a reader may see an event and does not ignore its sender; their own memberships they always see."""
    if is_ignored(event.event, ignored):
        return False
    is_own = event.event.type == "m.room.member" and event.event.state_key == viewer.user_id
    return is_own or viewer.sees(event)


def _add_hidden(one: RoomTimeline, *, whole_timeline: bool) -> None:
    """Add state that was set within the timeline but is not shown in it; with `whole_timeline` all of that state."""
    shown = {event.event.event_id for event in one.shown}
    for event in one.raw:
        is_told = event.event.event_id in shown and not whole_timeline
        if not event.event.is_state:
            continue
        if is_told:
            if not one.viewer.sees(event):
                one.state.pop(event.event.key, None)  # what it replaced is hidden like itself
            continue
        # A ban after the reader left is sent all the same.
        if event.event.key == ("m.room.member", one.viewer.user_id) or one.may_tell_state(event.place):
            one.state[event.event.key] = event.event
