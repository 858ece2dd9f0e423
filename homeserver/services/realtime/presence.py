"""Presence of Matrix users (client-server API, "Presence"), in memory only.

Each process knows what its own clients set and do; after a restart all users are offline until their next request. This
is unrelated to the live connections of the product APIs (see `services/realtime/connections.py`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, Literal, TypeAlias

from homeserver.clock import Clock
from homeserver.errors import Forbidden, TooLarge
from homeserver.model import Content, EntryKind, Requester
from homeserver.protocol.ids import UserId
from homeserver.servers import Servers
from homeserver.services.accounts.blocks import Blocks
from homeserver.settings.models import MatrixSettings
from homeserver.storage import members
from homeserver.storage.db import Database
from homeserver.storage.log import Entry

PresenceState: TypeAlias = Literal["online", "offline", "unavailable"]
_MAX_STATUS_CHARS: Final = 1000
_MOST_DEVICES: Final = 50  # of a user; more are not told apart
_ACTS_ANEW_S: Final = 1.0  # an action so soon after another changes only when the user was last active
_BY_ACTION: Final = ""  # stands for the device of a user who acts without syncing


@dataclass(slots=True)
class _Device:
    """What one device set, and when it was last heard of (a time of the event loop)."""

    presence: PresenceState
    seen_at: float


@dataclass(slots=True)
class _User:
    """A user's presence as others see it, and what it comes from.

    `active_ms`: the last action, for clients; `active_at` the same as a time of the event loop. `serial`: of the last
    change that other users are told of. `timer`: when the presence may change by itself. `acted_at`: the last action
    since a device set anything.
    """

    presence: PresenceState = "offline"
    status: str = ""
    active_ms: int = 0
    active_at: float = 0.0
    acted_at: float = -_ACTS_ANEW_S
    serial: int = 0
    devices: dict[str, _Device] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    def of_devices(self) -> PresenceState:
        """The most present of what the devices set."""
        states = {device.presence for device in self.devices.values()}
        return "online" if "online" in states else "unavailable" if "unavailable" in states else "offline"

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Presence:
    """Keeps the presence of the most recently active users.

    Who acts (sends, reads, types, or comes online) is active. A device without a request for `presence_forget_s` is
    forgotten; a user without devices is offline, and one who is online and does nothing for `presence_idle_s` is
    unavailable.
    """

    def __init__(
        self, *, db: Database, clock: Clock, blocks: Blocks, servers: Servers, settings: MatrixSettings
    ) -> None:
        self._db = db
        self._clock = clock
        self._blocks = blocks
        self._servers = servers
        self._settings = settings
        self._enabled = settings.enabled and settings.presence
        self._users: OrderedDict[UserId, _User] = OrderedDict()
        self._changes: OrderedDict[UserId, int] = OrderedDict()  # serials, in order
        self._listeners: list[Callable[[UserId], None]] = []
        self.serial = clock.now_ms()
        """Counts changes; from the time of the start on, so that no token of an earlier process has a later one."""

    def listen(self, listener: Callable[[UserId], None]) -> None:
        """Call `listener` with each user whose presence changes. It must not block or raise."""
        self._listeners.append(listener)

    def touch(self, requester: Requester, presence: PresenceState) -> None:
        """Note a sync of one of the user's devices, with the presence it sets; "offline" does not change it."""
        user = self._tracked(requester.user_id)
        if user is None:
            return
        device = user.devices.get(requester.session_key)
        if presence == "offline":
            presence = "offline" if device is None else device.presence
        self._set(requester.user_id, user, requester.session_key, presence)

    def act(self, user_id: UserId) -> None:
        """Note that a user did something: who was idle or away is online; who chose to be offline stays so."""
        now, known = asyncio.get_running_loop().time(), self._users.get(user_id)
        if known is not None and known.presence == "online" and now < known.acted_at + _ACTS_ANEW_S:
            self._mark_active(known)
            return
        user = self._tracked(user_id)
        if user is None or (user.devices and user.of_devices() == "offline"):
            return
        for device in user.devices.values():
            if device.presence == "unavailable":
                device.presence = "online"
        key = next((key for key, one in user.devices.items() if one.presence == "online"), _BY_ACTION)
        self._mark_active(user)
        self._set(user_id, user, key, "online")
        user.acted_at = now

    def note_own(self, entry: Entry) -> None:
        """Handle a log entry that this process wrote: messages and receipts are actions of their users."""
        event = None if entry.event is None else entry.event.event
        if entry.kind is EntryKind.RECEIPT and entry.user_id is not None:
            self.act(entry.user_id)
        elif event is not None and not event.is_state:
            self.act(event.sender)

    def note(self, entry: Entry) -> None:
        """Handle a log entry: when a user joins a room, its members are told the user's presence."""
        event = None if entry.event is None else entry.event.event
        if event is not None and event.membership == "join":
            user_id = UserId(event.state_key or "")
            user = self._users.get(user_id)
            if user is not None and user.presence != "offline":
                self._number(user_id, user)  # no listener is called: the join itself wakes them

    def show(self, requester: Requester, presence: PresenceState, status: str | None) -> None:
        """Set the presence of the requester's device; `status` None removes the status message. Raises
        TooLarge("status_too_long")."""
        if status is not None and len(status) > _MAX_STATUS_CHARS:
            raise TooLarge(
                f"status_msg must have at most {_MAX_STATUS_CHARS} characters", code="status_too_long"
            )
        user = self._tracked(requester.user_id)
        if user is None:
            return
        if presence == "online":
            self._mark_active(user)
        user.devices.pop(_BY_ACTION, None)
        self._set(requester.user_id, user, requester.session_key, presence, status or "")

    async def of(self, requester: Requester, user_id: UserId) -> Content:
        """The presence of a user who shares a room with the requester. Raises Forbidden("not_shared")."""
        if user_id != requester.user_id and not await self._known(requester.user_id, [user_id]):
            raise Forbidden("you share no room with this user", code="not_shared")
        return self._shape(self._users.get(user_id, _User()))

    async def changes(
        self, reader: UserId, after: int, near: Collection[UserId] = frozenset(), *, everybody: bool = False
    ) -> list[Content]:
        """m.presence events of the reader, and of users who share a room with the reader, that changed after a serial.

        `everybody`: and of all who are not offline. `near`: users who are known to share a room.
        """
        start = 0 if everybody else after
        latest = takewhile(lambda change: change[1] > start, reversed(self._changes.items()))
        changed = {
            user_id: self._users[user_id]
            for user_id, serial in latest
            if serial > after or self._users[user_id].presence != "offline"
        }
        if not changed:
            return []
        known = await self._known(reader, changed, {*near, reader})
        return [self._event(user_id, user) for user_id, user in changed.items() if user_id in known]

    async def of_near(self, reader: UserId, near: Collection[UserId]) -> list[Content]:
        """m.presence events of these users, who are known to share a room with the reader; of those offline too."""
        if not self._enabled or not near:
            return []
        known = await self._known(reader, near, near)
        return [self._event(one, self._users.get(one, _User())) for one in near if one in known]

    async def _known(
        self, reader: UserId, user_ids: Collection[UserId], near: Collection[UserId] = frozenset()
    ) -> Collection[UserId]:
        """The users who share a room with the reader and have no block between them."""
        sharing = {user_id for user_id in user_ids if user_id in near}
        others = [user_id for user_id in user_ids if user_id not in near]
        if others:
            async with self._db.read() as conn:
                sharing |= await members.sharing_a_room(conn, reader, others)
        strangers = sharing - {reader}
        return sharing - await self._blocks.between(reader, strangers) if strangers else sharing

    def close(self) -> None:
        """Drop all state, at shutdown."""
        self._enabled = False
        for user in self._users.values():
            user.stop_timer()

    def _tracked(self, user_id: UserId) -> _User | None:
        """The record of a local user, now the most recently used; None if no presence is served."""
        if not self._enabled or not self._servers.is_ours(user_id):
            return None
        user = self._users.setdefault(user_id, _User())
        self._users.move_to_end(user_id)
        if len(self._users) > self._settings.max_presences:
            gone, left = self._users.popitem(last=False)
            self._changes.pop(gone, None)
            left.stop_timer()
        return user

    def _mark_active(self, user: _User) -> None:
        user.active_ms, user.active_at = self._clock.now_ms(), asyncio.get_running_loop().time()

    def _set(
        self, user_id: UserId, user: _User, device: str, presence: PresenceState, status: str | None = None
    ) -> None:
        """Set the presence of one device, and the status message."""
        user.acted_at = -_ACTS_ANEW_S
        before = user.devices.pop(device, None)
        if presence == "online" and (before is None or before.presence != "online"):
            self._mark_active(user)
        user.devices[device] = _Device(presence, asyncio.get_running_loop().time())  # the last heard of
        if len(user.devices) > _MOST_DEVICES:
            user.devices.pop(next(iter(user.devices)))
        is_new_status = status is not None and status != user.status
        if status is not None:
            user.status = status
        self._refresh(user_id, user, is_changed=is_new_status)

    def _refresh(self, user_id: UserId, user: _User, *, is_changed: bool = False) -> None:
        """Forget devices, and see what the user's presence is now; tell if it changed."""
        now = asyncio.get_running_loop().time()
        forget_s, idle_s = self._settings.presence_forget_s, self._settings.presence_idle_s
        for key, device in [*user.devices.items()]:
            if now >= device.seen_at + forget_s:
                del user.devices[key]
        presence = user.of_devices()
        if presence == "online" and now >= user.active_at + idle_s:
            presence = "unavailable"
        if presence != user.presence or is_changed:
            user.presence = presence
            self._number(user_id, user)
            for listener in self._listeners:
                listener(user_id)
        ends = [device.seen_at + forget_s for device in user.devices.values()]
        if presence == "online":
            ends.append(user.active_at + idle_s)
        if ends and (user.timer is None or user.timer.when() > min(ends)):  # an earlier one looks again
            user.stop_timer()
            loop = asyncio.get_running_loop()
            user.timer = loop.call_at(min(ends), self._look_again, user_id, user)

    def _look_again(self, user_id: UserId, user: _User) -> None:
        user.timer = None
        self._refresh(user_id, user)

    def _number(self, user_id: UserId, user: _User) -> None:
        """Give the presence a new serial, so that other users are told."""
        self.serial += 1
        user.serial = self.serial
        self._changes[user_id] = self.serial
        self._changes.move_to_end(user_id)

    def _event(self, user_id: UserId, user: _User) -> Content:
        return {"type": "m.presence", "sender": user_id, "content": self._shape(user)}

    def _shape(self, user: _User) -> Content:
        content: Content = {"presence": user.presence}
        if user.active_ms:
            content["last_active_ago"] = max(0, self._clock.now_ms() - user.active_ms)
        if user.presence == "online":
            content["currently_active"] = True
        if user.status:
            content["status_msg"] = user.status
        return content
