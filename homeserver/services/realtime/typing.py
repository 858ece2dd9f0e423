"""Typing notifications, in memory only; they expire.

A user types in a room while any of their connections says so: a socket, or the session of a Matrix client. It ends for
all of them when the user sends a message there, leaves the room, or is blocked by its only other member.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, KeysView
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple, TypeVar

from homeserver import product_state
from homeserver.clock import Clock
from homeserver.model import EntryKind, Requester
from homeserver.protocol.event import Event
from homeserver.protocol.ids import RoomId, UserId
from homeserver.servers import Servers
from homeserver.services.accounts.blocks import Blocks, other_of_two
from homeserver.services.events.access import Access
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.records import TypingChanged
from homeserver.storage.log import Entry
from homeserver.timeline.build import MESSAGE_TYPES

Key = TypeVar("Key", bound=Hashable)

_FORGET_S = 20.0  # clients repeat the notification every few seconds
_LONGEST_S = 120.0  # longest timeout that a client may ask for
_MOST = 10_000  # users typing at the same time; more are not shown
_ENDING_TYPES = MESSAGE_TYPES | {"m.sticker"}


class _Place(NamedTuple):
    """A user in a room."""

    room_id: RoomId
    user_id: UserId


@dataclass(slots=True)
class _Typist:
    """A user who is typing in a room. `other`: the only other member of a private room; `timers`: by connection."""

    number: int
    other: UserId | None
    timers: dict[Hashable, asyncio.TimerHandle] = field(default_factory=dict)


class Typing:
    """Announces typing to the watchers of a room, once per change. `hear` must be given every new log entry."""

    def __init__(self, feed: Feed, access: Access, blocks: Blocks, servers: Servers, clock: Clock) -> None:
        self._feed = feed
        self._access = access
        self._blocks = blocks
        self._servers = servers
        self._count = 0  # of connections of typing users
        self._rooms: dict[RoomId, dict[UserId, _Typist]] = {}
        self._places: dict[Hashable, set[_Place]] = {}  # by connection
        self._about: dict[UserId, set[_Place]] = {}  # where a user types, or the only other member does
        self._changes: OrderedDict[RoomId, int] = OrderedDict()
        self._listeners: list[Callable[[RoomId], None]] = []
        self.serial = clock.now_ms()
        """Counts changes; from the time of the start on, so that no token of an earlier process has a later one."""

    async def set(
        self,
        requester: Requester,
        room_id: RoomId,
        *,
        is_typing: bool,
        connection: Hashable = None,
        forget_s: float | None = None,
    ) -> None:
        """Note that the requester started or stopped typing; `forget_s`: timeout in seconds, if not the default.

        Raises NotFound, Forbidden("blocked").
        """
        head = (await self._access.room(requester, room_id)).head
        place = _Place(room_id, requester.user_id)
        if not is_typing:
            self._stop(place, connection)
            return
        await self._blocks.check_room(requester, head)
        if self._count < _MOST:
            typist = _Typist(requester.number, other_of_two(head, requester.user_id))
            self._start(place, typist, connection, min(forget_s or _FORGET_S, _LONGEST_S))

    def disconnect(self, connection: Hashable) -> None:
        """Note that a connection ended, with all typing on it."""
        for place in tuple(self._places.get(connection, ())):
            self._stop(place, connection)

    def listen(self, listener: Callable[[RoomId], None]) -> None:
        """Call `listener` with each room in which a user starts or stops typing. It must not block or raise."""
        self._listeners.append(listener)

    def hear(self, entry: Entry) -> None:
        """Handle a log entry: end the typing of those who sent a message, left the room, logged out or were blocked."""
        if entry.kind is EntryKind.BLOCKS and entry.user_id is not None:
            self._end([one for one in self._about.get(entry.user_id, ()) if self._has_other(one)])
        elif entry.kind is EntryKind.SESSION_ENDED and entry.user_id is not None:
            session_id = (entry.body or {}).get("session_id")
            if session_id is not None:
                self.disconnect(session_id)
            else:
                self._end([one for one in self._about.get(entry.user_id, ()) if one.user_id == entry.user_id])
        elif entry.event is not None and entry.room_id in self._rooms:
            self._end(self._ended_by(entry, entry.event.event))

    def rooms(self) -> KeysView[RoomId]:
        """The rooms in which anybody is typing."""
        return self._rooms.keys()

    def in_room(self, room_id: RoomId) -> dict[UserId, int]:
        """The users who are typing in a room, with their numbers."""
        return {user_id: typist.number for user_id, typist in self._rooms.get(room_id, {}).items()}

    def changed_after(self, serial: int) -> frozenset[RoomId]:
        """The rooms where users started or stopped typing after a serial; for old serials some may be missing."""
        latest = takewhile(lambda change: change[1] > serial, reversed(self._changes.items()))
        return frozenset(room_id for room_id, _ in latest)

    def close(self) -> None:
        """Drop all state, at shutdown."""
        for here in self._rooms.values():
            for typist in here.values():
                for timer in typist.timers.values():
                    timer.cancel()
        self._rooms.clear()

    def _ended_by(self, entry: Entry, event: Event) -> Collection[_Place]:
        """The users whose typing in a room is over with an event."""
        here = self._rooms[event.room_id]
        if product_state.closes(event, self._servers):
            gone: Collection[UserId] = tuple(here)
        elif event.is_state:
            stays = event.state_key if event.membership == "join" else None
            gone = [user_id for user_id in entry.moved if user_id != stays]
        else:
            gone = [event.sender] if event.type in _ENDING_TYPES else []
        return [_Place(event.room_id, user_id) for user_id in gone if user_id in here]

    def _has_other(self, place: _Place) -> bool:
        return self._rooms[place.room_id][place.user_id].other is not None

    def _start(self, place: _Place, typist: _Typist, connection: Hashable, forget_s: float) -> None:
        here = self._rooms.setdefault(place.room_id, {})
        is_news = place.user_id not in here
        typist = here.setdefault(place.user_id, typist)
        known = typist.timers.pop(connection, None)
        if known is not None:
            known.cancel()
            self._count -= 1
        loop = asyncio.get_running_loop()
        typist.timers[connection] = loop.call_later(forget_s, self._stop, place, connection)
        self._count += 1
        self._places.setdefault(connection, set()).add(place)
        if is_news:
            for user_id in _concerned(place, typist):
                self._about.setdefault(user_id, set()).add(place)
            self._tell(place, typist, is_typing=True)

    def _stop(self, place: _Place, connection: Hashable) -> None:
        """End the typing on a connection, if there is any."""
        typist = self._rooms.get(place.room_id, {}).get(place.user_id)
        timer = typist.timers.pop(connection, None) if typist is not None else None
        if typist is None or timer is None:
            return
        timer.cancel()
        self._count -= 1
        _discard(self._places, connection, place)
        if not typist.timers:
            here = self._rooms[place.room_id]
            del here[place.user_id]
            if not here:
                del self._rooms[place.room_id]
            for user_id in _concerned(place, typist):
                _discard(self._about, user_id, place)
            self._tell(place, typist, is_typing=False)

    def _end(self, places: Collection[_Place]) -> None:
        """End the typing on all connections."""
        for place in places:
            for connection in tuple(self._rooms[place.room_id][place.user_id].timers):
                self._stop(place, connection)

    def _tell(self, place: _Place, typist: _Typist, *, is_typing: bool) -> None:
        self._feed.announce(TypingChanged(place.room_id, place.user_id, typist.number, is_typing))
        self.serial += 1
        self._changes[place.room_id] = self.serial
        self._changes.move_to_end(place.room_id)
        if len(self._changes) > _MOST:
            self._changes.popitem(last=False)
        for listener in self._listeners:
            listener(place.room_id)


def _concerned(place: _Place, typist: _Typist) -> set[UserId]:
    return {place.user_id} if typist.other is None else {place.user_id, typist.other}


def _discard(sets: dict[Key, set[_Place]], key: Key, place: _Place) -> None:
    """Take a place out of a set, and an empty set out of them all."""
    places = sets[key]
    places.discard(place)
    if not places:
        del sets[key]
