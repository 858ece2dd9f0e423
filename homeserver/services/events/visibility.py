"""Which events of a room a user may see (client-server API, "Room History Visibility").

The history visibility and the user's membership at each event are found in two short lists: the events that set them,
in timeline order.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from homeserver.model import FIRST_PLACE, EntryKind, Place
from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.visibility import (
    HISTORY_VISIBILITY_KEY,
    Moment,
    allows,
    history_visibility_of,
    may_see,
)
from homeserver.storage import events as stored
from homeserver.storage.db import Database
from homeserver.storage.erased import erased_people
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.storage.memberships import forgotten_among
from homeserver.storage.sync import sight_lines

_WORLD = "world_readable"
_FOREVER_MS: Final = 2**53


@dataclass(frozen=True, slots=True)
class _StateHistory:
    """The successive events of one state key, with their places in the timeline."""

    places: Sequence[Place]
    events: Sequence[Event]

    @classmethod
    def of(cls, events: Sequence[StoredEvent]) -> Self:
        return cls([one.place for one in events], [one.event for one in events])

    def before(self, place: Place) -> Event | None:
        """The event in force just before a place."""
        at = bisect_left(self.places, place)
        return self.events[at - 1] if at else None

    def at(self, place: Place) -> Event | None:
        """The event in force at a place, including one set at the place itself."""
        at = bisect_right(self.places, place)
        return self.events[at - 1] if at else None

    def after(self, place: Place) -> Sequence[Event]:
        """The events after a place."""
        return self.events[bisect_right(self.places, place) :]


_NO_HISTORY: Final = _StateHistory((), ())


@dataclass(frozen=True, slots=True)
class ViewerVisibility:
    """What one user may see of one room. `is_inside`: the user was joined throughout the range that is read.
    `erased`: users whose messages are shown only to those who were joined when they were sent; `ignored`: those whose
    messages are shown without content."""

    user_id: UserId
    visibility: _StateHistory = _NO_HISTORY
    membership: _StateHistory = _NO_HISTORY
    is_inside: bool = False
    erased: Collection[UserId] = ()
    ignored: Collection[UserId] = ()

    def sees(self, event: StoredEvent) -> bool:
        """True if the user may see this event of the room."""
        if self.is_inside:
            return True
        before, joined_later = self._moment(event.place)
        return may_see(event.event, self.user_id, before, joined_later=joined_later)

    def sees_at(self, place: Place) -> bool:
        """The same for an event of which only the place is known, and that is not a change of visibility or
        membership."""
        if self.is_inside:
            return True
        before, joined_later = self._moment(place)
        return allows(before, joined_later=joined_later)

    def is_bare(self, sender: UserId, place: Place) -> bool:
        """True if the user may see only the event without its content, as its sender was erased or is ignored."""
        return sender in self.ignored or (sender in self.erased and self.membership_at(place) != "join")

    def _moment(self, place: Place) -> tuple[Moment, bool]:
        before = Moment(
            history_visibility_of(self.visibility.before(place)), _membership(self.membership.before(place))
        )
        return before, any(one.membership == "join" for one in self.membership.after(place))

    def membership_at(self, place: Place) -> str:
        """The user's membership at a place."""
        return "join" if self.is_inside else _membership(self.membership.at(place))

    @property
    def last_place(self) -> Place | None:
        """The last place whose state the user may see; None: the current state.

        For a user who left it is the place of leaving; for a user who never joined, FIRST_PLACE.
        """
        if self.is_inside:
            return None
        if not self.membership.events:
            return None if self._is_open_now else FIRST_PLACE
        if self.membership.events[-1].membership == "join" or self._is_open_now:
            return None
        joins = [at for at, one in enumerate(self.membership.events) if one.membership == "join"]
        if not joins:
            return FIRST_PLACE
        return self.membership.places[joins[-1] + 1]

    def nearest_time(self, at_ms: int, *, forward: bool) -> int:
        """`at_ms` itself if the user may see events of that time; else the nearest visible time in the direction."""
        if self.is_inside:
            return at_ms
        marks = sorted(
            (place, event.origin_server_ts)
            for line in (self.visibility, self.membership)
            for place, event in zip(line.places, line.events, strict=True)
        )
        starts, ends = [(FIRST_PLACE, 0), *marks], [*(ts for _, ts in marks), _FOREVER_MS]
        seen = [(ts, end) for (at, ts), end in zip(starts, ends, strict=True) if self.sees_at(Place(at + 1))]
        if forward:
            return next((max(at_ms, start) for start, end in seen if end >= at_ms), at_ms)
        return next((min(at_ms, end) for start, end in reversed(seen) if start <= at_ms), at_ms)

    @property
    def _is_open_now(self) -> bool:
        newest = self.visibility.events[-1] if self.visibility.events else None
        return history_visibility_of(newest) == _WORLD


class Visibility:
    """Loads what users may see, with one query each. Knows the erased users from the log."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._erased: set[UserId] = set()

    async def load(self) -> None:
        """Load the users who asked for erasure."""
        async with self._db.read() as conn:
            self._erased |= await erased_people(conn)

    def note(self, entry: Entry) -> None:
        """Handle a log entry: add users who asked for erasure."""
        if entry.kind is EntryKind.PROFILE and entry.user_id is not None and (entry.body or {}).get("erased"):
            self._erased.add(entry.user_id)

    async def viewer(self, user_id: UserId, room_id: RoomId) -> ViewerVisibility:
        """What a user may see of a room; nothing if the room is unknown."""
        async with self._db.read() as conn:
            found = await stored.state_history(
                conn, room_id, [HISTORY_VISIBILITY_KEY, ("m.room.member", user_id)]
            )
        kept = await self._kept(user_id, {room_id: found["m.room.member", user_id]})
        return ViewerVisibility(
            user_id,
            _StateHistory.of(found[HISTORY_VISIBILITY_KEY]),
            _StateHistory.of(kept[room_id]),
            erased=self._erased,
        )

    async def outlooks(self, user_id: UserId, room_ids: Collection[RoomId]) -> dict[RoomId, ViewerVisibility]:
        """The same for many rooms: one query, and a second if the user left any of them."""
        async with self._db.read() as conn:
            found = await sight_lines(conn, user_id, room_ids)
        own = {
            room_id: [one for one in lines if one.event.key == ("m.room.member", user_id)]
            for room_id, lines in found.items()
        }
        kept = await self._kept(user_id, own)
        return {
            room_id: ViewerVisibility(
                user_id,
                _StateHistory.of([one for one in lines if one.event.key == HISTORY_VISIBILITY_KEY]),
                _StateHistory.of(kept[room_id]),
                erased=self._erased,
            )
            for room_id, lines in found.items()
        }

    async def seen(
        self, user_id: UserId, room_id: RoomId, events: Collection[StoredEvent]
    ) -> list[StoredEvent]:
        """The events of a room that a user may see."""
        viewer = await self.viewer(user_id, room_id)
        return [one for one in events if viewer.sees(one)]

    async def _kept(
        self, user_id: UserId, own: Mapping[RoomId, Sequence[StoredEvent]]
    ) -> Mapping[RoomId, Sequence[StoredEvent]]:
        """The user's member events by room; none for rooms that they forgot."""
        gone = [
            room_id
            for room_id, events in own.items()
            if events and events[-1].event.membership in ("leave", "ban")
        ]
        if not gone:
            return own
        async with self._db.read() as conn:
            forgotten = await forgotten_among(conn, user_id, gone)
        return {**own, **dict.fromkeys(forgotten, ())}


def _membership(event: Event | None) -> str:
    return (event.membership if event is not None else None) or "leave"
