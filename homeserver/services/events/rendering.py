"""Events as JSON for one reader: bytes that are the same for all readers are cached, `unsigned` is added for each.

A page costs a fixed number of queries, however many events it has.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from homeserver.clock import Clock
from homeserver.kit.cache import BoundedCache
from homeserver.model import Requester
from homeserver.protocol.clientevents import (
    ClientEventBytes,
    ReaderUnsigned,
    bare,
    federation_form_of,
    form_of,
)
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId
from homeserver.protocol.paths import Path
from homeserver.services.clientdata.accountdata import AccountData
from homeserver.services.events.visibility import ViewerVisibility
from homeserver.settings.models import MatrixSettings
from homeserver.storage import events as stored
from homeserver.storage import relations, transactions
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.storage.relations import ThreadSummary
from homeserver.storage.state import redacted_state

REFERENCE: Final = "m.reference"
_MAX_REFERENCES = 1000  # of a whole page
_FORM_BYTES: Final = 200  # of a cached event, besides its JSON
_CACHED_ROOMS: Final = 100_000  # rooms whose redacted state events are cached: mostly none


@dataclass(frozen=True, slots=True)
class EventShape:
    """How a filter wants events: which `fields` (None for all), and whether as servers get them."""

    fields: Sequence[Path] | None = None
    federation: bool = False

    def form_of(
        self, event: Event, *, replaced: Event | None = None, because: ClientEventBytes | None = None
    ) -> ClientEventBytes:
        """The rendered form of an event; not cached."""
        make = federation_form_of if self.federation else form_of
        return make(event, replaced=replaced, because=because, fields=self.fields)


CLIENT_SHAPE: Final = EventShape()


@dataclass(frozen=True, slots=True)
class _PageContext:
    """What rendering a page needs besides the events themselves."""

    replaced: Mapping[EventId, Event] = field(default_factory=dict)
    because: Mapping[EventId, StoredEvent] = field(default_factory=dict)
    txn_ids: Mapping[EventId, str] = field(default_factory=dict)
    references: Mapping[EventId, Sequence[StoredEvent]] = field(default_factory=dict)
    threads: Mapping[EventId, ThreadSummary] = field(default_factory=dict)


class Rendering:
    """Renders events as JSON bytes."""

    def __init__(self, *, db: Database, clock: Clock, data: AccountData, settings: MatrixSettings) -> None:
        self._db = db
        self._data = data
        self._clock = clock
        self._forms: BoundedCache[tuple[EventId, EventId | None], ClientEventBytes] = BoundedCache(
            settings.cached_events,
            max_bytes=settings.max_cached_event_bytes,
            weigh=lambda form: len(form.head) + len(form.replaces) + len(form.previous) + _FORM_BYTES,
        )
        self._redacted: BoundedCache[EventId, bool] = BoundedCache(settings.cached_events)
        self._redactions: BoundedCache[RoomId, Mapping[EventId, EventId]] = BoundedCache(_CACHED_ROOMS)

    async def page(
        self,
        requester: Requester,
        viewer: ViewerVisibility,
        events: Sequence[StoredEvent],
        *,
        room_id: bool = True,
    ) -> list[orjson.Fragment]:
        """Events of one room that the requester may see. `room_id=False`: without `room_id`, for /sync."""
        (made,) = await self.pages(requester, [(viewer, events)], room_id=room_id)
        return made

    async def pages(
        self,
        requester: Requester,
        pages: Sequence[tuple[ViewerVisibility, Sequence[StoredEvent]]],
        *,
        untouched: Collection[RoomId] = (),
        room_id: bool = True,
        shape: EventShape = CLIENT_SHAPE,
    ) -> list[list[orjson.Fragment]]:
        """The same for many rooms, with the same number of queries. `untouched`: rooms whose events have no
        relations."""
        context = await self._load_context(
            requester, [one for _, events in pages for one in events], untouched
        )
        return [self._page(viewer, events, context, room_id, shape) for viewer, events in pages]

    def _page(
        self,
        viewer: ViewerVisibility,
        events: Sequence[StoredEvent],
        context: _PageContext,
        room_id: bool,
        shape: EventShape,
    ) -> list[orjson.Fragment]:
        now_ms = self._clock.now_ms()
        made = []
        for one in events:
            is_bare = not one.event.is_state and viewer.is_bare(one.event.sender, one.place)
            form = shape.form_of(bare(one.event)) if is_bare else self._form(one, context, viewer, shape)
            aside = ReaderUnsigned(
                now_ms,
                transaction_id=context.txn_ids.get(one.event.event_id),
                membership=viewer.membership_at(one.place),
                with_previous=viewer.sees(one) or one.event.state_key == viewer.user_id,
                relations=self._bundle(one, context, viewer, now_ms),
            )
            made.append(orjson.Fragment(form.render(aside, room_id=room_id)))
        return made

    async def state(
        self, viewer: ViewerVisibility, events: Iterable[Event], *, room_id: bool = True
    ) -> list[orjson.Fragment]:
        """State events of one room, without the additions of a page."""
        (made,) = await self.states([(viewer, list(events))], room_id=room_id)
        return made

    async def states(
        self,
        states: Sequence[tuple[ViewerVisibility, Collection[Event]]],
        *,
        room_id: bool = True,
        shape: EventShape = CLIENT_SHAPE,
    ) -> list[list[orjson.Fragment]]:
        """The same for many rooms, with at most two queries. The redacted state events of recently used rooms are
        cached."""
        redaction_ids = await self._redactions_of({event.room_id for _, events in states for event in events})
        wanted = {
            redaction_ids[one.event_id]
            for _, events in states
            for one in events
            if one.event_id in redaction_ids
        }
        redactions: Mapping[EventId, StoredEvent] = {}
        if wanted:
            async with self._db.read() as conn:
                redactions = await stored.events_by_id(conn, wanted)
        aside = ReaderUnsigned(self._clock.now_ms())
        made = []
        for viewer, events in states:
            forms = [
                shape.form_of(
                    one, because=_because(viewer, redactions.get(redaction_ids[one.event_id]), shape)
                )
                if one.event_id in redaction_ids
                else self._plain(one, shape)
                for one in events
            ]
            made.append([orjson.Fragment(form.render(aside, room_id=room_id)) for form in forms])
        return made

    def form(self, event: Event) -> ClientEventBytes:
        """The rendered form of an event that was not redacted; cached."""
        key = (event.event_id, None)
        found = self._forms.get(key)
        if found is None:
            found = form_of(event)
            if self._redacted.get(event.event_id) is None:  # else it was read just before its redaction
                self._forms.put(key, found)
        return found

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop the cached forms of a redacted event."""
        event = None if entry.event is None else entry.event.event
        if event is not None and event.redacts is not None:
            self._redacted.put(event.redacts, True)
            self._forms.drop((event.redacts, None))
            self._redactions.drop(event.room_id)
        elif event is not None and event.type == "m.room.create":
            self._redactions.put(event.room_id, {})  # a new room has no redacted events

    def _form(
        self, one: StoredEvent, context: _PageContext, viewer: ViewerVisibility, shape: EventShape
    ) -> ClientEventBytes:
        replaced = context.replaced.get(one.event.event_id)
        if one.redacted_by is not None or replaced is not None:
            cut = None if one.redacted_by is None else context.because.get(one.redacted_by)
            return shape.form_of(one.event, replaced=replaced, because=_because(viewer, cut, shape))
        return self._plain(one.event, shape)

    def _plain(self, event: Event, shape: EventShape) -> ClientEventBytes:
        return self.form(event) if shape == CLIENT_SHAPE else shape.form_of(event)

    async def _redactions_of(self, room_ids: Collection[RoomId]) -> Mapping[EventId, EventId]:
        """The redacted state events of these rooms, each with its redaction."""
        known = {room_id: self._redactions.get(room_id) for room_id in room_ids}
        missing = [room_id for room_id, redaction_ids in known.items() if redaction_ids is None]
        if missing:
            age = self._redactions.age
            async with self._db.read() as conn:
                found = await redacted_state(conn, missing)
            for room_id, redaction_ids in found.items():
                self._redactions.put(room_id, redaction_ids, age)
            known |= found
        return {
            event_id: cut
            for redaction_ids in known.values()
            if redaction_ids
            for event_id, cut in redaction_ids.items()
        }

    async def _load_context(
        self, requester: Requester, events: Sequence[StoredEvent], untouched: Collection[RoomId]
    ) -> _PageContext:
        states = [one.event.event_id for one in events if one.event.is_state]
        room_ids = {one.event.room_id for one in events}
        own = [one.event.event_id for one in events if one.event.sender == requester.user_id]
        redaction_ids = {one.redacted_by for one in events if one.redacted_by is not None}
        ids = [
            one.event.event_id
            for one in events
            if not one.event.is_state and one.event.room_id not in untouched
        ]
        if not (states or own or redaction_ids or ids):
            return _PageContext()
        ignored = await self._data.ignored_by(requester.user_id)
        async with self._db.read() as conn:
            replaced = await stored.replaced_by(conn, states) if states else {}
            redactions = await stored.events_by_id(conn, redaction_ids) if redaction_ids else {}
            txns = await transactions.made_by(conn, requester.session_key, room_ids, own) if own else {}
            threads = await relations.threads_on(conn, ids, requester.user_id, ignored) if ids else {}
            ids += [thread.latest.event.event_id for thread in threads.values()]
            references = await relations.related(conn, ids, REFERENCE, _MAX_REFERENCES) if ids else {}
        return _PageContext(
            replaced=replaced,
            because=redactions,
            txn_ids=txns,
            references={
                target: [one for one in found if one.event.sender not in ignored]
                for target, found in references.items()
            },
            threads=threads,
        )

    def _bundle(
        self, one: StoredEvent, context: _PageContext, viewer: ViewerVisibility, now_ms: int
    ) -> bytes | None:
        """`m.relations`: the latest edit, the references to the event, and its thread."""
        bundle = self._edit_and_references(one, context, viewer, now_ms)
        thread = context.threads.get(one.event.event_id)
        if thread is not None and viewer.sees(thread.latest):
            latest = thread.latest
            is_bare = viewer.is_bare(latest.event.sender, latest.place)
            form = form_of(bare(latest.event)) if is_bare else self.form(latest.event)
            more = self._edit_and_references(latest, context, viewer, now_ms)
            aside = ReaderUnsigned(now_ms, relations=orjson.dumps(more) if more else None)
            bundle["m.thread"] = {
                "latest_event": orjson.Fragment(form.render(aside)),
                "count": thread.count,
                "current_user_participated": thread.has_own or one.event.sender == viewer.user_id,
            }
        return orjson.dumps(bundle) if bundle else None

    def _edit_and_references(
        self, one: StoredEvent, context: _PageContext, viewer: ViewerVisibility, now_ms: int
    ) -> dict[str, object]:
        bundle: dict[str, object] = {}
        is_edit_seen = one.edit_place is not None and viewer.sees_at(one.edit_place)
        is_bare = viewer.is_bare(one.event.sender, one.place)
        if one.edit is not None and one.redacted_by is None and is_edit_seen and not is_bare:
            bundle["m.replace"] = orjson.Fragment(self.form(one.edit).render(ReaderUnsigned(now_ms)))
        references = [ref for ref in context.references.get(one.event.event_id, ()) if viewer.sees(ref)]
        if references:
            bundle[REFERENCE] = {"chunk": [{"event_id": ref.event.event_id} for ref in references]}
        return bundle


def _because(
    viewer: ViewerVisibility, redaction: StoredEvent | None, shape: EventShape
) -> ClientEventBytes | None:
    """The form of a redaction for `redacted_because`; None if the reader may not see it."""
    return shape.form_of(redaction.event) if redaction is not None and viewer.sees(redaction) else None
