"""Required state of the rooms of a sliding sync response, loaded for all of them at once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from homeserver.model import FIRST_PLACE, LogPosition, Place, place_at
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.sliding.connections import Sent
from homeserver.services.sliding.context import RequestedRoom, SlidingContext
from homeserver.services.sliding.request import MEMBER, Config, Required
from homeserver.services.sync.timelines import RoomTimeline
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.state import states_at
from homeserver.storage.sync import OwnRoom, RoomPeer

NAME: Final = ("m.room.name", "")
AVATAR: Final = ("m.room.avatar", "")


@dataclass(slots=True)
class Room:
    """A room of the response while it is built.

    `changes`: state set since the room was last sent. `state`: the current state, as far as it is needed. `known`: the
    members that lazy loading told of before.
    """

    wanted: RequestedRoom
    sent: Sent | None
    base: LogPosition
    timeline: RoomTimeline
    changes: Sequence[StoredEvent] = ()
    heroes: Sequence[RoomPeer] | None = None
    state: Mapping[StateKey, Event] = field(default_factory=dict)
    known: Collection[UserId] = ()

    @property
    def row(self) -> OwnRoom:
        return self.wanted.row

    @property
    def config(self) -> Config:
        return self.wanted.config

    @property
    def is_new(self) -> bool:
        return self.timeline.is_new

    @property
    def is_joined(self) -> bool:
        return self.row.membership == "join"

    @property
    def end(self) -> Place:
        """The place at which the room ends for a reader who has left it."""
        last, left = self.timeline.viewer.last_place, place_at(self.row.position)
        return left if last is None or last == FIRST_PLACE else min(left, last)

    @property
    def is_expanded(self) -> bool:
        return not self.is_new and self.sent is not None and self.config.limit > self.sent.limit

    @property
    def added(self) -> Required | None:
        """State that is required now and was not before: loaded even though it did not change."""
        if self.is_new or self.sent is None:
            return self.config.required
        return None if self.config.required.pairs <= self.sent.required.pairs else self.config.required

    @property
    def continues(self) -> bool:
        """True if a client that loads members lazily hears of all changes since the room was last sent."""
        was_lazy = self.sent is not None and self.sent.required.is_lazy
        return was_lazy and not self.is_new and not self.timeline.limited

    @property
    def has_new_members(self) -> bool:
        return self.is_new or any(one.event.type == MEMBER for one in self.changes)

    @property
    def people(self) -> set[UserId]:
        """The user ids whose member events are needed in any case."""
        people = {one.user_id for one in self.heroes or ()}
        if self.config.required.is_lazy:
            speaking = self.timeline.senders | {
                UserId(one.event.state_key or "") for one in self.timeline.shown if one.event.type == MEMBER
            }
            people |= speaking.difference(self.known)
        if self.added is not None:
            people |= self.added.people
        if not self.is_joined:
            people.add(self.timeline.viewer.user_id)
        return people

    def state_to_send(self) -> list[Event]:
        """The events of `required_state` to send."""
        required, lazy = self.config.required, self.config.required.is_lazy
        before = None if self.is_new or self.sent is None else self.sent.required
        me = self.timeline.viewer.user_id
        people = self.people if lazy else set()
        told = {
            key: event
            for key, event in self.state.items()
            if (key[0] == MEMBER and (key[1] in people or (key[1] == me and not self.is_joined)))
            or (self.added is not None and required.admits(*key) and not (before and before.admits(*key)))
        }
        for one in self.changes:
            key = one.event.key
            is_member = lazy and key[0] == MEMBER and not self.timeline.limited
            if required.admits(*key) or is_member or (key == (MEMBER, me) and not self.is_joined):
                told[key] = one.event
        return list(told.values())

    def current(self, key: StateKey) -> Event | None:
        """A current state event, if it was loaded or has changed."""
        changed = [one.event for one in self.changes if one.event.key == key]
        return changed[-1] if changed else self.state.get(key)


class States:
    """Loads state."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_changes(self, context: SlidingContext, rooms: Collection[Room]) -> None:
        """Load the state set since the rooms were last sent."""
        starts = {
            one.row.room_id: place_at(one.base)
            for one in rooms
            if not one.is_new and context.has_moved(one.row, one.base)
        }
        if not starts:
            return
        async with self._db.read() as conn:
            found = await stored.state_between(conn, starts, until=place_at(context.until))
        for one in rooms:
            one.changes = [
                change
                for change in found.get(one.row.room_id, ())
                if _may_tell(context, one.timeline, change)
            ]

    async def add_states(self, context: SlidingContext, rooms: Collection[Room]) -> None:
        """Load the current state of rooms that need any; as of the leave for rooms that the reader left."""
        needing = [one for one in rooms if one.added is not None or one.people]
        if not needing:
            return
        places = {one.row.room_id: place_at(context.until) if one.is_joined else one.end for one in needing}
        async with self._db.read() as conn:
            ids = await stored.state_ids_at(conn, places)
        for group in _groups(needing):
            await self._read(group, {one.row.room_id: ids[one.row.room_id] for one in group})

    async def _read(self, rooms: Sequence[Room], ids: Mapping[RoomId, int]) -> None:
        people = set[UserId]().union(*(one.people for one in rooms))
        types: set[str] | None = set()
        everybody = False
        for one in rooms:
            wanted = one.added.types if one.added is not None else frozenset()
            types = None if wanted is None or types is None else types | wanted
            everybody = everybody or (one.added is not None and one.added.everybody)
        if types is not None:
            types |= {NAME[0], AVATAR[0]}
        async with self._db.read() as conn:
            states = await states_at(
                conn, ids.values(), types=types, user_ids=None if everybody and types is None else people
            )
        for one in rooms:
            state = states[ids[one.row.room_id]]
            me = one.timeline.viewer.user_id
            if not one.timeline.may_tell_state(one.end):
                state = {key: event for key, event in state.items() if key == (MEMBER, me)}
            one.state = state


def _groups(rooms: Iterable[Room]) -> list[list[Room]]:
    """Rooms grouped by the state to load: some types, all types, or all types and members."""
    groups: dict[int, list[Room]] = {}
    for one in rooms:
        added = one.added or Required()
        groups.setdefault((added.types is None) + (added.types is None and added.everybody), []).append(one)
    return list(groups.values())


def _may_tell(context: SlidingContext, timeline: RoomTimeline, change: StoredEvent) -> bool:
    if change.event.key == (MEMBER, context.reader):
        return True
    return timeline.may_tell_state(change.place)
