"""The section `rooms` of a sliding sync response: the changes of each room since it was last sent."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from orjson import Fragment

from homeserver.model import FIRST_PLACE, Content, Place, Requester, place_at
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.visibility import ViewerVisibility, Visibility
from homeserver.services.push.notifications.counts import Unread, unread_of
from homeserver.services.sliding.connections import DM, Sent
from homeserver.services.sliding.context import RequestedRoom, SlidingContext, View
from homeserver.services.sliding.request import MEMBER
from homeserver.services.sliding.states import AVATAR, NAME, Room, States
from homeserver.services.sync.invite_state import PENDING, previews
from homeserver.services.sync.lazy_members import LazyMembers
from homeserver.services.sync.rooms import fitting
from homeserver.services.sync.timelines import RoomTimeline, is_visible
from homeserver.services.sync.tokens import place_token
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.log import Entry
from homeserver.storage.sync import OwnRoom

_SIZES: Final = (1, 5, 20)  # timeline sizes that are read together: each size is a statement

_MOST_LAZY_MEMBERS: Final = 200_000  # members that clients were told of, kept in memory


@dataclass(frozen=True, slots=True)
class Told:
    """`bodies`: the section. `sent`: what has been sent of each room after this response, for all rooms of the view.

    `deferred`: rooms that did not fit into the response. `fresh`: rooms sent initially, or with an expanded timeline.
    """

    bodies: Mapping[RoomId, Content]
    sent: Mapping[RoomId, Sent]
    deferred: Collection[RoomId]
    fresh: Collection[RoomId]
    event_ids: Sequence[EventId] = field(default_factory=list)


class SlidingRooms:
    """Builds the rooms with a fixed number of statements. `most_rooms` per response, `most_events` per room."""

    def __init__(
        self, db: Database, visibility: Visibility, rendering: Rendering, *, most_rooms: int, most_events: int
    ) -> None:
        self._db = db
        self._visibility = visibility
        self._rendering = rendering
        self._states = States(db)
        self._lazy = LazyMembers(_MOST_LAZY_MEMBERS)
        self._most_rooms = most_rooms
        self._most_events = most_events

    async def of(self, requester: Requester, context: SlidingContext, view: View) -> Told:
        """The changes of the rooms in the view."""
        read = {entry.room_id or RoomId((entry.body or {})["room_id"]) for entry in _own_receipts(context)}
        read |= context.news.counted
        due = [room_id for room_id, one in view.wanted.items() if _is_due(context, one) or room_id in read]
        deferred = frozenset(due[self._most_rooms :])
        due = due[: self._most_rooms]
        pending = [view.wanted[room_id] for room_id in due if view.wanted[room_id].row.membership in PENDING]
        rooms = await self._rooms(context, [view.wanted[room_id] for room_id in due])
        bodies = {
            **await self._pending(context, pending),
            **await self._bodies(requester, context, rooms, read),
        }
        sent = {
            room_id: _sent(context, one, rooms.get(room_id))
            for room_id, one in view.wanted.items()
            if room_id not in deferred
        }
        return Told(
            {
                room_id: {**bodies[room_id], **_common(view.wanted[room_id])}
                for room_id in due
                if room_id in bodies
            },
            sent,
            deferred,
            frozenset(room_id for room_id, one in rooms.items() if one.is_new or one.is_expanded),
            [event.event.event_id for one in rooms.values() for event in one.timeline.shown],
        )

    async def _rooms(self, context: SlidingContext, due: Sequence[RequestedRoom]) -> dict[RoomId, Room]:
        """The data of the rooms that the reader is or was in."""
        wanted = {one.row.room_id: one for one in due if one.row.membership not in PENDING}
        if not wanted:
            return {}
        outlooks = await self._visibility.outlooks(context.reader, wanted)
        rooms = {room_id: _room(context, one, outlooks[room_id]) for room_id, one in wanted.items()}
        await self._add_timelines(context, rooms)
        await self._states.add_changes(context, rooms.values())
        self._add_known(context, rooms)
        await self._add_heroes(context, rooms.values())
        await self._states.add_states(context, rooms.values())
        return rooms

    async def _add_timelines(self, context: SlidingContext, rooms: Mapping[RoomId, Room]) -> None:
        """Load the timelines, one statement for each of a few sizes."""
        sizes: dict[int, dict[RoomId, Place]] = {}
        for room_id, one in rooms.items():
            limit = min(one.config.limit, self._most_events)
            size = next((size for size in _SIZES if limit <= size), self._most_events)
            if one.is_new or one.is_expanded or context.has_moved(one.row, one.base):
                is_from_start = one.is_new or one.is_expanded
                sizes.setdefault(size, {})[room_id] = FIRST_PLACE if is_from_start else place_at(one.base)
        until = place_at(context.until)
        for size, starts in sizes.items():
            async with self._db.read() as conn:
                found = await stored.last_events(conn, context.reader, starts, until=until, limit=size + 1)
            for room_id, events in found.items():
                limit = min(rooms[room_id].config.limit, self._most_events)
                is_shown = partial(_is_shown, context)
                rooms[room_id].timeline.fill(events[-limit - 1 :], limit, limit, is_shown)

    def _add_known(self, context: SlidingContext, rooms: Mapping[RoomId, Room]) -> None:
        """Add the members that the client knows from lazy loading."""
        if context.is_first:
            self._lazy.forget(context.chain)
        for room_id, one in rooms.items():
            if one.continues:
                one.known = self._lazy.known(context.chain, room_id, context.after)
            else:
                self._lazy.forget_room(context.chain, room_id)

    def _note_members(self, context: SlidingContext, rooms: Mapping[RoomId, Room]) -> None:
        """Note the members that this response tells of, for the next ones."""
        for room_id, one in rooms.items():
            if one.config.required.is_lazy:
                told = {
                    UserId(event.state_key or "") for event in one.state_to_send() if event.type == MEMBER
                }
                self._lazy.note(context.chain, room_id, told, context.until)

    async def _add_heroes(self, context: SlidingContext, rooms: Collection[Room]) -> None:
        """Add heroes to each room without a name whose members changed."""
        nameless = [one for one in rooms if one.is_joined and one.has_new_members and not one.row.name]
        if not nameless:
            return
        async with self._db.read() as conn:
            found = await stored.companions(conn, context.reader, [one.row.room_id for one in nameless])
        for one in nameless:
            one.heroes = fitting(found[one.row.room_id])

    async def _pending(
        self, context: SlidingContext, pending: Sequence[RequestedRoom]
    ) -> dict[RoomId, Content]:
        """Invites and knocks. `invite_state` is the proposal's earlier name, which clients still read."""
        shown = await previews(self._db, context.reader, [one.row for one in pending])
        return {
            room_id: {"initial": True, "invite_state": state, "stripped_state": state}
            for room_id, state in shown.items()
        }

    async def _bodies(
        self,
        requester: Requester,
        context: SlidingContext,
        rooms: Mapping[RoomId, Room],
        read: Collection[RoomId],
    ) -> dict[RoomId, Content]:
        pages = [(one.timeline.viewer, one.timeline.shown) for one in rooms.values()]
        timelines = await self._rendering.pages(requester, pages, room_id=False) if pages else []
        states = await self._rendering.states(
            [(one.timeline.viewer, one.state_to_send()) for one in rooms.values()], room_id=False
        )
        self._note_members(context, rooms)
        joined = [room_id for room_id, one in rooms.items() if one.is_joined]
        peopled = [one.row.room_id for one in rooms.values() if one.is_joined and one.has_new_members]
        async with self._db.read() as conn:
            unread = await unread_of(conn, context.reader, joined)
            counts = await stored.member_counts(conn, peopled) if peopled else {}
        bodies = {}
        for (room_id, one), timeline, state in zip(rooms.items(), timelines, states, strict=True):
            is_direct = room_id in context.room_list.direct
            is_other = is_direct is not bool(one.sent and one.sent.marks & DM)
            if not (one.is_new or timeline or state or is_other or room_id in read):
                continue
            body: Content = {"required_state": state}
            bodies[room_id] = body
            if one.is_joined:
                body.update(_unread(unread[room_id]))
            body.update(_timeline(context, one, timeline))
            body.update(_names(one))
            if is_other:
                body["is_dm"] = is_direct
            if one.is_joined and one.has_new_members:
                body["joined_count"] = counts.get((room_id, "join"), 0)
                body["invited_count"] = counts.get((room_id, "invite"), 0)
        return bodies


def _own_receipts(context: SlidingContext) -> list[Entry]:
    return [entry for entry in context.news.receipts if entry.user_id == context.reader]


def _is_due(context: SlidingContext, one: RequestedRoom) -> bool:
    """True if a room may have changes to send."""
    sent = context.connection.rooms.get(one.row.room_id)
    if sent is None or context.has_moved(one.row, context.base(one.row.room_id)):
        return True
    if one.row.membership != "join":
        return False
    if one.config.limit > sent.limit or not one.config.required.pairs <= sent.required.pairs:
        return True
    return bool(sent.marks & DM) is not (one.row.room_id in context.room_list.direct)


def _room(context: SlidingContext, one: RequestedRoom, viewer: ViewerVisibility) -> Room:
    room_id = one.row.room_id
    sent, base = context.connection.rooms.get(room_id), context.base(room_id)
    came = one.row.membership == "join" and viewer.membership_at(place_at(base)) != "join"
    return Room(one, sent, base, RoomTimeline(one.row, viewer, is_new=sent is None or came))


def _is_shown(context: SlidingContext, viewer: ViewerVisibility, event: StoredEvent) -> bool:
    return is_visible(viewer, context.ignored, event)


def _sent(context: SlidingContext, wanted: RequestedRoom, room: Room | None) -> Sent:
    """What has been sent of a room after this response."""
    before = context.connection.rooms.get(wanted.row.room_id)
    marks = DM if wanted.row.room_id in context.room_list.direct else 0
    if before is not None:
        marks |= before.marks & ~DM
    if room is None:
        kept = before is not None and wanted.row.membership == "join"
        limit, required = (before.limit, before.required) if before and kept else wanted.config
        return Sent(None, limit, required, marks)
    limit = wanted.config.limit
    if before is not None and not room.is_new and not room.timeline.limited:
        limit = max(limit, before.limit)
    return Sent(None, limit, wanted.config.required, marks)


def _common(wanted: RequestedRoom) -> Content:
    row = wanted.row
    stamp = row.active_position if row.membership == "join" else row.position
    common: Content = {"bump_stamp": stamp, "membership": row.membership}
    if wanted.lists:
        common["lists"] = list(wanted.lists)
    return common


def _timeline(context: SlidingContext, one: Room, timeline: Sequence[Fragment]) -> Content:
    timeline_part = one.timeline
    place = place_at(context.until) if timeline_part.place is None else timeline_part.place
    body: Content = {}
    if one.is_new or timeline or timeline_part.limited:
        body["timeline"] = timeline
        body["limited"] = timeline_part.limited
        body["prev_batch"] = place_token(place)
        body["num_live"] = sum(
            event.place > context.after for event in timeline_part.shown if not context.is_first
        )
    if one.is_new:
        body["initial"] = True
    if one.is_expanded:
        body["unstable_expanded_timeline"] = True
    return body


def _names(one: Room) -> Content:
    """Name, avatar and heroes, if they changed; null if removed."""
    changed = {change.event.key for change in one.changes}
    body: Content = {}
    for name, key, field_name in (("name", NAME, "name"), ("avatar", AVATAR, "url")):
        event = one.current(key)
        value = None if event is None else event.content.get(field_name)
        if isinstance(value, str) and value and (one.is_new or key in changed):
            body[name] = value
        elif key in changed and not one.is_new:
            body[name] = None
    if one.heroes is not None:
        body["heroes"] = [_hero(one, companion.user_id) for companion in one.heroes]
    return body


def _hero(one: Room, user_id: str) -> Content:
    event = one.current(("m.room.member", user_id))
    content = {} if event is None else event.content
    hero: Content = {"user_id": user_id}
    for name in ("displayname", "avatar_url"):
        if isinstance(content.get(name), str):
            hero[name] = content[name]
    return hero


def _unread(unread: Unread) -> Content:
    """Unread counts, threads included: sliding sync has no separate counts for threads."""
    whole = unread.whole
    return {"notification_count": whole.notify, "highlight_count": whole.highlight}


def is_gone(context: SlidingContext, row: OwnRoom) -> bool:
    """True if the reader left or forgot a room, or an invite was withdrawn: such rooms are sent once more."""
    if row.membership not in ("leave", "ban"):
        return False
    return row.forgotten or row.sender == context.reader or row.room_id in context.room_list.never_joined
