"""The cached head of each room, and how one is loaded.

A `Head` is immutable. A `Tip` holds a room's newest head, which may be ahead of what is committed: events are
chained on it as they come, and the appender commits them in that order. `base` says which committed head the
chain builds on; if the database disagrees, another worker has written, and the chain is built anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import immutables
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import NotFound
from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.event import Event, StateKey
from homeserver.protocol.ids import EventId, RoomId
from homeserver.protocol.versions import RoomRules, rules_for
from homeserver.servers import Servers
from homeserver.storage import rooms, state
from homeserver.storage.db import Database
from homeserver.storage.log import Entry

Changes = Mapping[StateKey, Event | None]  # new events of changed keys; None: the key is removed


class Snapshot:
    """A room's state: `events` by (type, state key), with `size` bytes of JSON. `state_id`: None until it has one."""

    __slots__ = ("chain", "events", "size", "state_id")

    def __init__(self, events: Mapping[StateKey, Event], chain: int, state_id: int | None = None) -> None:
        self.events: immutables.Map[StateKey, Event] = immutables.Map(events.items())
        self.size = sum(len(event.json) for event in events.values())
        self.chain = chain
        self.state_id = state_id

    def changed(self, changes: Changes, whole_after: int) -> "Snapshot":
        """The state after changes. Chains of deltas are kept short relative to the size of the state."""
        after = Snapshot({}, self.chain + 1)
        after.size = self.size
        with self.events.mutate() as events:
            for key, event in changes.items():
                before = events.pop(key, None)
                after.size -= 0 if before is None else len(before.json)
                if event is not None:
                    events[key] = event
                    after.size += len(event.json)
            after.events = events.finish()
        if after.chain > max(whole_after, len(after.events) // 4):
            after.chain = 0
        return after

    def cut(self, event: Event) -> None:
        """Replace an event by its redacted form, if it is in this state."""
        held = self.events.get(event.key)
        if held is not None and held.event_id == event.event_id:
            self.events = self.events.set(event.key, event)
            self.size += len(event.json) - len(held.json)


@dataclass(frozen=True, slots=True)
class Made:
    """A new snapshot to be stored, by its difference to `parent`."""

    snapshot: Snapshot
    parent: Snapshot
    changes: Changes


EMPTY = Snapshot({}, chain=-1)  # the state before a create event; its first delta is whole


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a room's timeline. `servers` tells local users from remote ones for the auth rules."""

    room_id: RoomId
    rules: RoomRules
    extremities: tuple[EventId, ...]
    depth: int
    state: Snapshot
    message_seq: int
    notify_seq: int
    servers: Servers


class Tip:
    """A room's newest head, with the number of submissions that wait on it.

    `last`: the future of the last of them. `stale`: the tip must be loaded anew. `base` is LOG_START and
    `room_position`, that of the create event, is None until the create event is committed. `heard`: the last position
    at which the log announced another state of the room.
    """

    __slots__ = ("base", "head", "heard", "last", "room_position", "stale", "waiting")

    def __init__(self, head: Head, base: LogPosition, room_position: LogPosition | None = None) -> None:
        self.head = head
        self.base = base
        self.room_position = room_position
        self.heard = LOG_START
        self.stale = False
        self.waiting = 0
        self.last: asyncio.Future[Any] | None = None

    @property
    def is_behind(self) -> bool:
        """True if readers must not see this tip: no submission waits on it, and the database has newer state."""
        return self.waiting == 0 and (self.stale or self.heard > self.base)

    def reset(self, committed: "Tip") -> None:
        """Reset to a committed head."""
        self.head = committed.head
        self.base = committed.base
        self.room_position = committed.room_position
        self.stale = False


async def load_tip(conn: AsyncConnection, room_id: RoomId, servers: Servers) -> Tip | None:
    """A tip at a room's committed head; None if there is no such room."""
    row = await rooms.head_of(conn, room_id)
    if row is None:
        return None
    events = await state.state_at(conn, row.state_id)
    snapshot = Snapshot(events, row.state_chain, row.state_id)
    head = Head(
        row.room_id,
        rules_for(row.version),
        row.extremities,
        row.depth,
        snapshot,
        row.message_seq,
        row.notify_seq,
        servers,
    )
    return Tip(head, row.head_position, row.position)


class Heads:
    """The tips of the rooms in use, at most `limit` of them with `max_bytes` of state events, not counting those with
    waiting submissions."""

    def __init__(self, db: Database, limit: int, max_bytes: int, servers: Servers) -> None:
        self.servers = servers
        self._db = db
        self._limit = limit
        self._max_bytes = max_bytes
        self._bytes = 0
        self._sizes: dict[RoomId, int] = {}
        self._tips: OrderedDict[RoomId, Tip] = OrderedDict()
        self._loading: dict[RoomId, asyncio.Task[Tip]] = {}
        self._heard: dict[RoomId, LogPosition] = {}  # positions heard of while the room is loading

    async def tip(self, room_id: RoomId) -> Tip:
        """The tip of a room, loaded if needed. Raises NotFound for an unknown room."""
        tip = self._tips.get(room_id)
        if tip is not None and not tip.is_behind:
            self._tips.move_to_end(room_id)
            self._weigh(tip)  # its state may have grown since
            return tip
        loading = self._loading.get(room_id)
        if loading is None:  # one load for all concurrent callers
            loading = asyncio.create_task(self._load(room_id), name=f"load head of {room_id}")
            self._loading[room_id] = loading
        return await asyncio.shield(loading)

    async def committed(self, room_id: RoomId) -> Head:
        """The committed head of a room, from the database. Raises NotFound for an unknown room."""
        async with self._db.read() as conn:
            found = await load_tip(conn, room_id, self.servers)
        if found is None:
            raise NotFound("no such room", code="room_not_found")
        return found.head

    def known(self, room_id: RoomId) -> Tip | None:
        """The tip of a room if it is in memory."""
        return self._tips.get(room_id)

    def add(self, tip: Tip) -> Tip:
        """Keep a tip and return it; if the room has a tip already, that one is kept and returned."""
        tip = self._tips.setdefault(tip.head.room_id, tip)
        self._weigh(tip)
        return tip

    @contextmanager
    def begun(self, tip: Tip) -> Iterator[None]:
        """Keep the tip of a new room, and forget it if what is awaited within fails."""
        self.add(tip)
        try:
            yield
        except Exception:
            self.drop(tip.head.room_id)
            raise

    def drop(self, room_id: RoomId) -> None:
        """Forget a room, such as one whose creation failed."""
        self._tips.pop(room_id, None)
        self._bytes -= self._sizes.pop(room_id, 0)

    def note(self, entry: Entry) -> None:
        """Note an entry of the log: another worker may have changed a room's state, or redacted a part of it."""
        if entry.event is None:
            return
        event = entry.event.event
        if event.room_id in self._loading:
            self._heard[event.room_id] = entry.position  # the load in progress may read an older state
        tip = self._tips.get(event.room_id)
        if tip is None or entry.position <= tip.base:
            return
        if entry.changed or (event.redacts is not None and _holds(tip.head.state, event.redacts)):
            tip.heard = entry.position

    async def _load(self, room_id: RoomId) -> Tip:
        try:
            async with self._db.read() as conn:
                found = await load_tip(conn, room_id, self.servers)
            if found is None:
                raise NotFound("no such room", code="room_not_found")
            tip = self.add(found)
            if tip.is_behind and tip.base <= found.base:
                tip.reset(found)
            tip.heard = max(tip.heard, self._heard.get(room_id, LOG_START))
            return tip
        finally:
            self._loading.pop(room_id, None)
            self._heard.pop(room_id, None)

    def _weigh(self, tip: Tip) -> None:
        """Count the size of a tip's state, and drop the tips least used if there are too many, or too large ones."""
        room_id, size = tip.head.room_id, tip.head.state.size
        self._bytes += size - self._sizes.get(room_id, 0)
        self._sizes[room_id] = size
        while len(self._tips) > self._limit or self._bytes > self._max_bytes:
            idle = next(
                (one for one, held in self._tips.items() if held.waiting == 0 and held is not tip), None
            )
            if idle is None:
                return
            self.drop(idle)


def _holds(state: Snapshot, event_id: EventId) -> bool:
    return any(event.event_id == event_id for event in state.events.values())
