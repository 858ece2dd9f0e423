"""Long polls, by the rooms and users that they wait for. A log entry only wakes the polls that it concerns."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from homeserver.errors import RateLimited, Unavailable
from homeserver.metrics import waiting
from homeserver.model import EntryKind
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage import members
from homeserver.storage.db import Database
from homeserver.storage.log import Entry

Key = TypeVar("Key", RoomId, UserId)
_KEYS_CHANGED = frozenset({EntryKind.DEVICES, EntryKind.SESSION_ENDED})
_RETRY_MS = 5000
_MOST_ROOMS = 100_000  # rooms of changed users that are looked up at once


class Waiter:
    """One long poll: woken by changes of its user and its rooms. `is_over`: it should respond with what it has.
    `hears_presence`: changed presence wakes it."""

    def __init__(self, user_id: UserId, *, hears_presence: bool = True) -> None:
        self.user_id = user_id
        self.hears_presence = hears_presence
        self.rooms: frozenset[RoomId] = frozenset()
        self.is_over = False
        self.woken = asyncio.Event()

    async def wait_until(self, end: float) -> bool:
        """Wait until it is woken; False if that has not happened by `end`, a time of the event loop."""
        try:
            with waiting():
                async with asyncio.timeout_at(end):
                    await self.woken.wait()
        except TimeoutError:
            return False
        return True


class LongPolls:
    """Wakes long polls. `hear` must be given every new log entry, `wake_room` every room where typing changes."""

    def __init__(self, db: Database, most: int, most_per_user: int) -> None:
        self._db = db
        self._most = most
        self._most_per_user = most_per_user
        self._count = 0
        self._is_closed = False
        self._by_room: dict[RoomId, set[Waiter]] = {}
        self._by_user: dict[UserId, set[Waiter]] = {}
        self._changed: set[UserId] = set()
        self._present: set[UserId] = set()
        self._have_changed = asyncio.Event()

    @contextmanager
    def waiter(self, user_id: UserId, *, hears_presence: bool = True) -> Iterator[Waiter]:
        """Within the context, a long poll of a user. Raises Unavailable if there are too many, RateLimited if they have
        too many."""
        if self._count >= self._most:
            raise Unavailable("too many clients are waiting", code="too_many_waiting")
        if len(self._by_user.get(user_id, ())) >= self._most_per_user:
            raise RateLimited("too many of your clients are waiting", retry_ms=_RETRY_MS, code="busy")
        waiter = Waiter(user_id, hears_presence=hears_presence)
        waiter.is_over = self._is_closed
        self._count += 1
        self._by_user.setdefault(user_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            self._count -= 1
            _discard(self._by_user, user_id, waiter)
            self.watch(waiter, ())

    def watch(self, waiter: Waiter, room_ids: Collection[RoomId]) -> None:
        """Set the rooms whose changes wake a long poll from now on."""
        if room_ids is waiter.rooms:
            return
        new = frozenset(room_ids)
        for room_id in waiter.rooms - new:
            _discard(self._by_room, room_id, waiter)
        for room_id in new - waiter.rooms:
            self._by_room.setdefault(room_id, set()).add(waiter)
        waiter.rooms = new

    def hear(self, entry: Entry) -> None:
        """Handle a log entry: wake the long polls that it concerns."""
        if entry.room_id is not None:
            self.wake_room(entry.room_id)
        if entry.user_id is not None:
            _wake(self._by_user, entry.user_id)
            if entry.kind in _KEYS_CHANGED:
                self.wake_rooms_of(entry.user_id)
            if entry.kind is EntryKind.SESSION_ENDED:
                for waiter in self._by_user.get(entry.user_id, ()):
                    waiter.is_over = True  # it may be its own session: the next call will show
        for user_id in entry.moved:
            _wake(self._by_user, user_id)

    def wake_room(self, room_id: RoomId) -> None:
        """Wake the long polls that wait for a room."""
        _wake(self._by_room, room_id)

    def hear_presence(self, user_id: UserId) -> None:
        """Wake the long polls that hear of presence: those of a user whose presence changed, and soon those of users
        who share a room with the user."""
        _wake(self._by_user, user_id, _hears_presence)
        if self._count:
            self._present.add(user_id)
            self._have_changed.set()

    def wake_rooms_of(self, user_id: UserId) -> None:
        """Wake, soon, the long polls of users who share a room with a user."""
        if self._count:
            self._changed.add(user_id)
            self._have_changed.set()

    async def run(self) -> None:
        """Wake long polls of users who share a room with users whose keys or presence changed, until cancelled."""
        while True:
            await self._have_changed.wait()
            self._have_changed.clear()
            changed, self._changed = self._changed, set()
            present, self._present = self._present, set()
            async with self._db.read() as conn:
                found = await members.room_places(conn, changed | present, _MOST_ROOMS)
            for user_id, places in found.items():
                for place in places:
                    _wake(self._by_room, place.room_id, _all if user_id in changed else _hears_presence)

    def close(self) -> None:
        """End all long polls; the server stops."""
        self._is_closed = True
        for waiters in self._by_user.values():
            for waiter in waiters:
                waiter.is_over = True
                waiter.woken.set()


def _all(_waiter: Waiter) -> bool:
    return True


def _hears_presence(waiter: Waiter) -> bool:
    return waiter.hears_presence


def _wake(waiters: Mapping[Key, set[Waiter]], key: Key, is_meant: Callable[[Waiter], bool] = _all) -> None:
    for waiter in waiters.get(key, ()):
        if is_meant(waiter):
            waiter.woken.set()


def _discard(waiters: dict[Key, set[Waiter]], key: Key, waiter: Waiter) -> None:
    here = waiters[key]
    here.discard(waiter)
    if not here:
        del waiters[key]
