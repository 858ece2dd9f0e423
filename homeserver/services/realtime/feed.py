"""The feed: events of rooms as neutral records, made once for all APIs.

Log entries arrive by `hear` in order, and become records in that order; ephemeral records (typing, presence) join by
`announce`. Only rooms with a watcher cost anything.

A follower watches users, not only rooms: it learns when one of its users joins a room that it does not watch yet, and
misses nothing that happens there from then on. Changes of a room carry the room's current state.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeAlias

from homeserver import product_state
from homeserver.model import (
    ATTACHMENT_REL,
    LOG_START,
    EntryKind,
    LogPosition,
    Member,
    MessageRef,
    RoomNow,
    SessionId,
)
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.messageviews import MessageViews
from homeserver.services.realtime.records import (
    MemberAdded,
    MemberRemoved,
    MessageDeleted,
    MessageEdited,
    MessageNew,
    NewsLost,
    PresenceChanged,
    ReadMoved,
    Record,
    RoomChanged,
    RoomClosed,
    SessionEnded,
    TypingChanged,
)
from homeserver.services.rooms.roomviews import RoomViews
from homeserver.storage import events, relations
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.timeline.build import MESSAGE_TYPES, relation_of
from homeserver.timeline.live import Live, is_outage
from homeserver.timeline.reading import role_in
from homeserver.timeline.writer import Timeline

logger = logging.getLogger(__name__)
_ROOM_CHANGES = frozenset({"m.room.name", "m.room.topic", "m.room.avatar", "m.room.power_levels"})


class Watcher(Protocol):
    """A receiver of records. Both methods are called in the event loop's thread, and must return quickly."""

    def wants(self, room_id: RoomId) -> bool:
        """True if the watcher needs records of this room now."""
        ...

    def deliver(self, record: Record) -> None:
        """Receive a record: of a wanted room, about a session, or that records were lost."""
        ...


class Follower(Watcher, Protocol):
    """A watcher of users. It must want a room from the moment that one of its users has joined."""

    def follows(self, user_id: UserId) -> bool:
        """True if the follower needs this user's joins and leaves."""
        ...


_Change: TypeAlias = MemberAdded | MemberRemoved | RoomChanged


class Feed:
    """Makes records of log entries and hands them to the watchers."""

    def __init__(
        self,
        *,
        db: Database,
        timeline: Timeline,
        live: Live,
        views: MessageViews,
        rooms: RoomViews,
        profiles: Profiles,
        max_waiting: int,
    ) -> None:
        self._db = db
        self._timeline = timeline
        self._live = live
        self._views = views
        self._rooms = rooms
        self._profiles = profiles
        self._watchers: list[Watcher] = []
        self._followers: list[Follower] = []
        self._pending_joins: Counter[RoomId] = Counter()  # rooms with pending joins of followed users
        self._heard = LOG_START  # position of the last log entry
        # The room loaded last, and the position up to which it is current at least.
        self._latest: tuple[LogPosition, RoomNow] | None = None
        self._queue: asyncio.Queue[tuple[Entry, RoomId | None]] = asyncio.Queue(max_waiting)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Deliver records to a watcher from now on; returns the function that stops it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def follow(self, follower: Follower) -> Callable[[], None]:
        """The same for a follower."""
        self._followers.append(follower)
        stop = self.watch(follower)

        def stop_both() -> None:
            stop()
            self._followers.remove(follower)

        return stop_both

    def hear(self, entry: Entry) -> None:
        """Handle a log entry; called by the live log."""
        self._heard = entry.position
        joined_room = self._followed_join(entry)
        if joined_room is None and not self._is_of_use(entry):
            return
        if self._queue.full():
            logger.error("the feed cannot keep up; its listeners must read up on what they missed")
            while not self._queue.empty():
                self._queue.get_nowait()
            self._pending_joins.clear()
            self._deliver(None, NewsLost())
        self._queue.put_nowait((entry, joined_room))
        if joined_room is not None:
            self._pending_joins[joined_room] += 1

    def announce(self, record: TypingChanged | PresenceChanged) -> None:
        """Deliver an ephemeral record."""
        self._deliver(record.room_id, record)

    async def run(self) -> None:
        """Turn queued log entries into records; runs until cancelled."""
        while True:
            entry, joined_room = await self._queue.get()
            try:
                record = await self._record(entry)
            except Exception as error:  # one bad entry must not stop the others
                record = None
                if is_outage(error):
                    logger.exception("no record could be made of log entry %d", entry.position)
                    self._deliver(None, NewsLost())
                else:
                    self._live.set_aside("feed", entry, error)
            if record is not None:
                self._tell(entry, record)
            if joined_room is not None:
                self._pending_joins -= Counter([joined_room])  # this removes a room at 0

    def _is_of_use(self, entry: Entry) -> bool:
        room_id = entry.room_id
        if room_id is None:
            return entry.kind is EntryKind.SESSION_ENDED
        return room_id in self._pending_joins or self._is_wanted(room_id) or self._moves_followed(entry)

    def _followed_join(self, entry: Entry) -> RoomId | None:
        """The room that a followed user joins by this entry. Until that join is delivered, all records of the room
        are kept."""
        if entry.event is None or entry.event.event.membership != "join" or not self._moves_followed(entry):
            return None
        return entry.room_id

    def _moves_followed(self, entry: Entry) -> bool:
        if not self._followers or entry.event is None or entry.event.event.type != "m.room.member":
            return False
        return self._is_followed(UserId(entry.event.event.state_key or ""))

    def _is_followed(self, user_id: UserId) -> bool:
        return any(follower.follows(user_id) for follower in self._followers)

    def _is_wanted(self, room_id: RoomId) -> bool:
        return any(watcher.wants(room_id) for watcher in self._watchers)

    def _tell(self, entry: Entry, record: Record) -> None:
        """Deliver a record of a log entry; a watcher that fails does not keep it from the others."""
        for watcher in tuple(self._watchers):
            try:
                self._pass(watcher, entry.room_id, record)
            except Exception as error:  # noqa: BLE001 - any error is logged and counted
                self._live.set_aside("feed", entry, error)

    def _deliver(self, room_id: RoomId | None, record: Record) -> None:
        for watcher in tuple(self._watchers):
            self._pass(watcher, room_id, record)

    def _pass(self, watcher: Watcher, room_id: RoomId | None, record: Record) -> None:
        if room_id is None or watcher.wants(room_id) or self._follows(watcher, record):
            watcher.deliver(record)

    def _follows(self, watcher: Watcher, record: Record) -> bool:
        """True if the record is a join or leave of a user whom this watcher follows."""
        if isinstance(record, MemberAdded):
            user_id = record.member.person.user_id
        elif isinstance(record, MemberRemoved):
            user_id = record.user_id
        else:
            return False
        return any(one is watcher and one.follows(user_id) for one in self._followers)

    async def _record(self, entry: Entry) -> Record | None:
        if entry.event is not None:
            return await self._of_event(entry.event)
        if entry.kind is EntryKind.SESSION_ENDED and entry.user_id is not None:
            session_id = (entry.body or {}).get("session_id")
            return SessionEnded(SessionId(session_id) if session_id else None, entry.user_id)
        if entry.kind is EntryKind.RECEIPT and entry.user_id is not None and entry.room_id is not None:
            body = entry.body or {}
            if body.get("thread_id", "") not in ("", "main"):
                return None  # a thread was read, not the room
            ref = MessageRef(EventId(body["event_id"]), body["position"])
            number = await self._number(entry.user_id)
            return ReadMoved(entry.room_id, entry.user_id, number, ref, body.get("count", 0))
        return None

    async def _of_event(self, stored: StoredEvent) -> Record | None:
        event = stored.event
        if stored.shown:
            return MessageNew(await self._views.fresh(stored))
        if event.type == "m.room.redaction":
            return await self._of_redaction(event)
        if event.type == "m.room.member":
            changed = await self._of_member(event)
            return None if changed is None else await self._with_room(changed, stored.arrived)
        if event.type in _ROOM_CHANGES:
            return await self._with_room(RoomChanged(event.room_id), stored.arrived)
        if product_state.closes(event, self._timeline.servers):
            return RoomClosed(event.room_id)
        relation = relation_of(event.content)
        if relation is not None and relation[0] in ("m.replace", ATTACHMENT_REL):
            edit = event.event_id if relation[0] == "m.replace" else None
            return await self._edited(event.room_id, relation[1], edit=edit)
        return None

    async def _edited(
        self, room_id: RoomId, event_id: EventId, *, edit: EventId | None = None
    ) -> MessageEdited | None:
        """The message in its current form, if it is in this room: an event may relate to any event id.

        `edit`: it must be the latest edit. Not every m.replace is one, and a later one has a record of its own.
        """
        async with self._db.read() as conn:
            found = await events.events_by_id(conn, [event_id])
        target = found.get(event_id)
        if target is None or target.event.room_id != room_id or not target.shown:
            return None
        if edit is not None and (target.edit is None or target.edit.event_id != edit):
            return None
        return MessageEdited(await self._views.one(target))

    async def _of_redaction(self, event: Event) -> Record | None:
        if event.redacts is None:
            return None
        async with self._db.read() as conn:
            parents = await relations.targets_of(conn, [event.redacts])
            found = await events.events_by_id(conn, [event.redacts])
        target = found.get(event.redacts)
        if target is None or target.redacted_by != event.event_id:
            return None
        if event.redacts in parents:  # an edit or a file of a message
            return await self._edited(event.room_id, parents[event.redacts])
        if target.event.type not in MESSAGE_TYPES:
            return None
        at = await self._timeline.room_position(event.room_id)
        return MessageDeleted(event.room_id, at, MessageRef(event.redacts, target.arrived))

    async def _with_room(self, record: _Change, position: LogPosition) -> Record:
        """The record with the room's current state, if a follower will receive it."""
        wanted = (one.wants(record.room_id) or self._follows(one, record) for one in self._followers)
        if not any(wanted):
            return record
        upto, now = self._latest or (LOG_START, None)
        if now is None or now.room.room_id != record.room_id or position > upto:
            upto = self._heard  # all entries up to here were committed before the read
            now = await self._rooms.now(await self._timeline.stored_head(record.room_id))
            self._latest = (upto, now)
        return replace(record, now=now)

    async def _of_member(self, event: Event) -> MemberAdded | MemberRemoved | None:
        user_id = UserId(event.state_key or "")
        was = await self._membership_before(event)
        if event.membership == was:
            return None
        person = (await self._profiles.people([user_id])).get(user_id)
        if person is None:
            return None
        if event.membership == "join":
            head = await self._timeline.stored_head(event.room_id)
            return MemberAdded(event.room_id, Member(person, role_in(head, user_id), event.origin_server_ts))
        if was == "join" and person.user_id == user_id:  # a guest who became an account did not leave
            return MemberRemoved(event.room_id, user_id, person.number)
        return None

    async def _membership_before(self, event: Event) -> str | None:
        """The membership before a member event: the previous member event is among its auth events."""
        async with self._db.read() as conn:
            found = await events.events_by_id(conn, event.auth_events)
        before = (
            one.event
            for one in found.values()
            if one.event.type == "m.room.member" and one.event.key == event.key
        )
        return next((one.membership for one in before), None)

    async def _number(self, user_id: UserId) -> int:
        person = (await self._profiles.people([user_id])).get(user_id)
        return person.number if person is not None else 0
