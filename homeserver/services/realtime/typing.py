"""Typing notifications, in memory only; they expire."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from itertools import takewhile

from homeserver.model import Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.events.access import Access
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.records import TypingChanged

_FORGET_S = 20.0  # clients repeat the notification every few seconds
_LONGEST_S = 120.0  # longest timeout that a client may ask for
_MOST = 10_000  # users typing at the same time; more are not shown


class Typing:
    """Announces typing to the watchers of a room, once per change."""

    def __init__(self, feed: Feed, access: Access, blocks: Blocks, *, forget_s: float = _FORGET_S) -> None:
        self._feed = feed
        self._access = access
        self._blocks = blocks
        self._forget_s = forget_s
        self._timers: dict[tuple[RoomId, UserId], asyncio.TimerHandle] = {}
        self._changes: OrderedDict[RoomId, int] = OrderedDict()
        self._listeners: list[Callable[[RoomId], None]] = []
        self.serial = 0
        """Count of changes since the server started."""

    async def set(
        self, requester: Requester, room_id: RoomId, *, is_typing: bool, forget_s: float | None = None
    ) -> None:
        """Note that the requester started or stopped typing; `forget_s`: timeout in seconds, if not the default.

        Raises NotFound, Forbidden("blocked").
        """
        head = (await self._access.room(requester, room_id)).head
        if is_typing:
            await self._blocks.check_room(requester, head)
        self._set(requester, room_id, is_typing, forget_s)

    def stop(self, requester: Requester, room_id: RoomId) -> None:
        """Note that the requester stopped typing, also in a room they have left."""
        self._set(requester, room_id, is_typing=False)

    def listen(self, listener: Callable[[RoomId], None]) -> None:
        """Call `listener` with each room in which a user starts or stops typing. It must not block or raise."""
        self._listeners.append(listener)

    def changed_after(self, serial: int) -> frozenset[RoomId]:
        """The rooms where users started or stopped typing after a serial; for old serials some may be missing."""
        latest = takewhile(lambda change: change[1] > serial, reversed(self._changes.items()))
        return frozenset(room_id for room_id, _ in latest)

    def _note_change(self, room_id: RoomId) -> None:
        self.serial += 1
        self._changes[room_id] = self.serial
        self._changes.move_to_end(room_id)
        if len(self._changes) > _MOST:
            self._changes.popitem(last=False)
        for listener in self._listeners:
            listener(room_id)

    def _set(
        self, requester: Requester, room_id: RoomId, is_typing: bool, forget_s: float | None = None
    ) -> None:
        key = (room_id, requester.user_id)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if is_typing and len(self._timers) < _MOST:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(
                min(forget_s or self._forget_s, _LONGEST_S), self.stop, requester, room_id
            )
        if is_typing != (timer is not None):
            self._feed.announce(TypingChanged(room_id, requester.user_id, requester.number, is_typing))
            self._note_change(room_id)

    def in_room(self, room_id: RoomId) -> list[UserId]:
        """The users who are typing in a room."""
        return [user_id for room, user_id in self._timers if room == room_id]

    def close(self) -> None:
        """Drop all state, at shutdown."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
