"""Presence as Matrix clients set it (client-server API, "Presence"), in memory only.

Each process knows what its own clients set; after a restart all users are offline until their next request. This is
unrelated to the live connections of the product APIs (see `services/realtime/connections.py`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final, Literal, TypeAlias

from homeserver.clock import Clock
from homeserver.errors import Forbidden, TooLarge
from homeserver.model import Content, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.storage import members
from homeserver.storage.db import Database
from homeserver.storage.log import Entry

PresenceState: TypeAlias = Literal["online", "offline", "unavailable"]
_MAX_STATUS_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class State:
    """A user's presence. `serial`: of the last change that other users are told of."""

    presence: PresenceState = "offline"
    status: str = ""
    active_ms: int = 0
    serial: int = 0


class Presence:
    """Keeps the presence of the most recently active users. `forget_s`: a user without activity for this long is
    offline."""

    def __init__(
        self, *, db: Database, clock: Clock, blocks: Blocks, enabled: bool, most: int, forget_s: float
    ) -> None:
        self._db = db
        self._clock = clock
        self._blocks = blocks
        self._enabled = enabled
        self._most = most
        self._forget_s = forget_s
        self._states: OrderedDict[UserId, State] = OrderedDict()
        self._changes: OrderedDict[UserId, int] = OrderedDict()  # serials, in order
        self._timers: dict[UserId, asyncio.TimerHandle] = {}
        self._listeners: list[Callable[[UserId], None]] = []
        self.serial = 0
        """Count of changes since the server started."""

    def listen(self, listener: Callable[[UserId], None]) -> None:
        """Call `listener` with each user whose presence changes. It must not block or raise."""
        self._listeners.append(listener)

    def touch(self, user_id: UserId, presence: PresenceState) -> None:
        """Note a request of the user's client, with the presence it sets; "offline" changes nothing."""
        if presence != "offline":
            self._set(user_id, presence, None)

    def note(self, entry: Entry) -> None:
        """Handle a log entry: when a user joins a room, its members are told the user's presence."""
        event = None if entry.event is None else entry.event.event
        if event is None or event.type != "m.room.member" or event.content.get("membership") != "join":
            return
        user_id = UserId(event.state_key or "")
        state = self._states.get(user_id)
        if state is not None and state.presence != "offline":
            # No listener is called: the join itself wakes them.
            self._states[user_id] = self._numbered(user_id, state)

    def show(self, requester: Requester, presence: PresenceState, status: str | None) -> None:
        """Set the requester's presence; `status` None removes the status message. Raises
        TooLarge("status_too_long")."""
        if status is not None and len(status) > _MAX_STATUS_CHARS:
            raise TooLarge(
                f"status_msg must have at most {_MAX_STATUS_CHARS} characters", code="status_too_long"
            )
        self._set(requester.user_id, presence, status or "")

    async def of(self, requester: Requester, user_id: UserId) -> Content:
        """The presence of a user who shares a room with the requester. Raises Forbidden("not_shared")."""
        if user_id != requester.user_id and not await self._known(requester.user_id, [user_id]):
            raise Forbidden("you share no room with this user", code="not_shared")
        return self._shape(self._states.get(user_id, State()))

    async def changes(
        self, reader: UserId, after: int, near: Collection[UserId] = frozenset()
    ) -> list[Content]:
        """m.presence events of users who share a room with the reader and changed after a serial.

        `near`: users who are known to share a room.
        """
        latest = takewhile(lambda change: change[1] > after, reversed(self._changes.items()))
        changed = {user_id: self._states[user_id] for user_id, _ in latest if user_id != reader}
        if not changed:
            return []
        known = await self._known(reader, changed, near)
        return [
            {"type": "m.presence", "sender": user_id, "content": self._shape(state)}
            for user_id, state in changed.items()
            if user_id in known
        ]

    async def _known(
        self, reader: UserId, user_ids: Collection[UserId], near: Collection[UserId] = frozenset()
    ) -> Collection[UserId]:
        """The users who share a room with the reader and have no block between them."""
        sharing = {user_id for user_id in user_ids if user_id in near}
        others = [user_id for user_id in user_ids if user_id not in near]
        if others:
            async with self._db.read() as conn:
                sharing |= await members.sharing_a_room(conn, reader, others)
        return sharing - await self._blocks.between(reader, sharing) if sharing else sharing

    def close(self) -> None:
        """Drop all state, at shutdown."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _set(self, user_id: UserId, presence: PresenceState, status: str | None) -> None:
        if not self._enabled:
            return
        before = self._states.get(user_id, State())
        after = replace(before, presence=presence, status=before.status if status is None else status)
        if after != before:
            after = self._numbered(user_id, after)
        if presence != "offline":
            after = replace(after, active_ms=self._clock.now_ms())
        self._keep(user_id, after)
        if after.serial != before.serial:
            for listener in self._listeners:
                listener(user_id)

    def _numbered(self, user_id: UserId, state: State) -> State:
        """The state with a new serial, so that other users are told."""
        self.serial += 1
        self._changes[user_id] = self.serial
        self._changes.move_to_end(user_id)
        return replace(state, serial=self.serial)

    def _keep(self, user_id: UserId, state: State) -> None:
        self._states[user_id] = state
        self._states.move_to_end(user_id)
        self._stop_timer(user_id)
        if state.presence != "offline":
            loop = asyncio.get_running_loop()
            self._timers[user_id] = loop.call_later(self._forget_s, self._set, user_id, "offline", None)
        if len(self._states) > self._most:
            gone, _ = self._states.popitem(last=False)
            self._changes.pop(gone, None)
            self._stop_timer(gone)

    def _stop_timer(self, user_id: UserId) -> None:
        timer = self._timers.pop(user_id, None)
        if timer is not None:
            timer.cancel()

    def _shape(self, state: State) -> Content:
        content: Content = {"presence": state.presence}
        if state.active_ms:
            content["last_active_ago"] = max(0, self._clock.now_ms() - state.active_ms)
        if state.presence == "online":
            content["currently_active"] = True
        if state.status:
            content["status_msg"] = state.status
        return content
