"""The section `rooms` of a sync response: join, leave, invite, knock."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import orjson

from homeserver.model import Content, Requester, place_at
from homeserver.protocol.filters import EventFilter
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.clientdata.accountdata import GLOBAL
from homeserver.services.events.rendering import EventShape, Rendering
from homeserver.services.push.notifications.counts import Counts
from homeserver.services.realtime.receipts import READ
from homeserver.services.realtime.typing import Typing
from homeserver.services.sync.changes import News
from homeserver.services.sync.invite_state import PENDING, previews
from homeserver.services.sync.request import SyncContext
from homeserver.services.sync.timelines import RoomTimeline, Timelines
from homeserver.services.sync.tokens import place_token
from homeserver.services.sync.unread import unread_parts
from homeserver.storage import receipts as stored_receipts
from homeserver.storage import sync as stored
from homeserver.storage.accountdata import AccountDataItem
from homeserver.storage.db import Database
from homeserver.storage.receipts import Receipt
from homeserver.storage.sync import OwnRoom, RoomPeer

_MAX_RECEIPTS: Final = 20_000  # of all new rooms together; the latest ones


class RoomSections:
    """Builds the section with a fixed number of statements, however many rooms there are."""

    def __init__(
        self, db: Database, stretches: Timelines, rendering: Rendering, typing: Typing, counts: Counts
    ) -> None:
        self._db = db
        self._counts = counts
        self._timelines = stretches
        self._rendering = rendering
        self._typing = typing

    async def of(
        self, requester: Requester, context: SyncContext, data: Sequence[AccountDataItem]
    ) -> dict[str, Any]:
        """The section. `data`: the changed account data of all rooms. Empty parts are left out."""
        joined = self._touched(context, data)
        some = context.own.values() if context.wants_all else context.moves
        left = [row.room_id for row in some if _is_left(context, row)]
        found = await self._timelines.of(context, [*joined, *left])
        heroes = await self._heroes(context, [found[room_id] for room_id in joined])
        names = {room_id: [one.user_id for one in people] for room_id, people in heroes.items()}
        await self._timelines.add_states(context, list(found.values()), names)
        bodies = await self._bodies(requester, context, found)
        await self._add_rest(context, [found[room_id] for room_id in joined], bodies, heroes, data)
        told = [room_id for room_id in joined if _says_something(context, found[room_id], bodies[room_id])]
        sections = {
            "join": {room_id: bodies[room_id] for room_id in told},
            "leave": {room_id: bodies[room_id] for room_id in left},
            **await self._pending(context, some),
        }
        return {name: rooms for name, rooms in sections.items() if rooms}

    def _touched(self, context: SyncContext, data: Sequence[AccountDataItem]) -> list[RoomId]:
        """The joined rooms with changes."""
        if context.wants_all:
            return [room_id for room_id in context.own if room_id in context.joined]
        named = {piece.room_id for piece in data} | {entry.room_id for entry in context.news.receipts}
        private = {(entry.body or {}).get("room_id") for entry in context.news.receipts}
        here = frozenset(context.joined)
        news = context.news.rooms | context.news.counted
        touched = news | named | private | set(context.typing) | {row.room_id for row in context.moves}
        return list(here.intersection(touched))

    async def _heroes(
        self, context: SyncContext, stretches: Collection[RoomTimeline]
    ) -> dict[RoomId, list[RoomPeer]]:
        """Heroes of each room without a name whose members changed."""
        wanted = [one.room_id for one in stretches if _has_new_members(context, one) and not one.row.name]
        if not wanted:
            return {}
        async with self._db.read() as conn:
            found = await stored.companions(conn, context.reader, wanted)
        return {room_id: fitting(people) for room_id, people in found.items()}

    async def _bodies(
        self, requester: Requester, context: SyncContext, found: Mapping[RoomId, RoomTimeline]
    ) -> dict[RoomId, Content]:
        stretches, whole = list(found.values()), context.request.filter
        shape = EventShape(whole.event_fields, federation=whole.event_format == "federation")
        timelines = await self._rendering.pages(
            requester,
            [(one.viewer, one.shown) for one in stretches],
            untouched={one.room_id for one in stretches if one.is_untouched},
            room_id=context.request.is_old,
            shape=shape,
        )
        wanted = context.request.filter.room.state
        states = await self._rendering.states(
            [
                (one.viewer, [event for event in one.state.values() if wanted.passes(event)])
                for one in stretches
            ],
            room_id=context.request.is_old,
            shape=EventShape(federation=shape.federation),
        )
        bodies: dict[RoomId, Content] = {}
        for one, timeline, state in zip(stretches, timelines, states, strict=True):
            place = place_at(context.until) if one.place is None else one.place
            bodies[one.room_id] = {
                "timeline": {"events": timeline, "limited": one.limited, "prev_batch": place_token(place)},
                context.request.state_after or "state": {"events": state},
                "account_data": {"events": []},
            }
        return bodies

    async def _add_rest(
        self,
        context: SyncContext,
        stretches: Sequence[RoomTimeline],
        bodies: Mapping[RoomId, Content],
        heroes: Mapping[RoomId, Sequence[RoomPeer]],
        data: Sequence[AccountDataItem],
    ) -> None:
        """Add the parts that only joined rooms have."""
        if not stretches:
            return
        peopled = [one.room_id for one in stretches if _has_new_members(context, one)]
        new = [one.room_id for one in stretches if one.is_new]
        counts: Mapping[tuple[RoomId, str], int] = {}
        receipts: list[Receipt] = []
        if peopled or new:
            async with self._db.read() as conn:
                counts = await stored.member_counts(conn, peopled) if peopled else {}
                receipts = (
                    await stored_receipts.shown_to(conn, context.reader, new, _MAX_RECEIPTS) if new else []
                )
        unread = await self._counts.of(context.reader, [one.room_id for one in stretches])
        receipts += [one for one in changed_receipts(context.news) if one.room_id not in set(new)]
        read = receipts_by_room(receipts)
        apart = context.request.filter.room.timeline.unread_thread_notifications
        for one in stretches:
            body, room_id = bodies[one.room_id], one.room_id
            body["ephemeral"] = {"events": self._ephemeral(context, one, read.get(room_id, ()))}
            body.update(unread_parts(unread[room_id], apart=apart))
            body["summary"] = {}
            if room_id in set(peopled):
                body["summary"] = _summary(room_id, counts, heroes.get(room_id))
        wanted = context.request.filter.room.account_data
        for piece in data:
            if piece.room_id != GLOBAL and RoomId(piece.room_id) in bodies and wanted.admits_type(piece.type):
                bodies[RoomId(piece.room_id)]["account_data"]["events"].append(data_event(piece))

    def _ephemeral(
        self, context: SyncContext, one: RoomTimeline, receipts: Sequence[Receipt]
    ) -> list[Content]:
        wanted: EventFilter = context.request.filter.room.ephemeral
        found: list[Content] = []
        if not wanted.admits_room(one.room_id):
            return found
        if receipts and wanted.admits_type("m.receipt"):
            found.append(receipts_event(receipts))
        typing = [user_id for user_id in self._typing.in_room(one.room_id) if user_id not in context.ignored]
        is_due = bool(typing) if one.is_new else one.room_id in context.typing
        if wanted.admits_type("m.typing") and is_due:
            found.append(typing_event(typing))
        return found

    async def _pending(
        self, context: SyncContext, some: Collection[OwnRoom]
    ) -> dict[str, dict[RoomId, Content]]:
        """Invites and knocks among some rooms, with stripped state."""
        rows = [row for row in some if row.membership in PENDING and row.sender not in context.ignored]
        sections: dict[str, dict[RoomId, Content]] = {name: {} for name in PENDING}
        shown = await previews(self._db, context.reader, rows)
        for row in rows:
            state = {"events": shown[row.room_id]}
            sections[row.membership][row.room_id] = {f"{row.membership}_state": state}
        return sections


def data_event(piece: AccountDataItem) -> Content:
    """Account data as an event for clients."""
    return {"type": piece.type, "content": orjson.Fragment(piece.content)}


def receipts_event(receipts: Sequence[Receipt]) -> Content:
    """Receipts of a room as an m.receipt event."""
    content: dict[str, dict[str, dict[str, Content]]] = {}
    for receipt in receipts:
        thread = {"thread_id": receipt.thread_id} if receipt.thread_id else {}
        of_type = content.setdefault(receipt.event_id, {}).setdefault(receipt.receipt_type, {})
        of_type[receipt.user_id] = {"ts": receipt.created_ms, **thread}
    return {"type": "m.receipt", "content": content}


def typing_event(user_ids: Sequence[UserId]) -> Content:
    """The typing users of a room as an m.typing event."""
    return {"type": "m.typing", "content": {"user_ids": list(user_ids)}}


def _is_left(context: SyncContext, row: OwnRoom) -> bool:
    if row.membership not in ("leave", "ban"):
        return False
    if context.moved(row) and not context.is_first:
        return True
    return (
        (context.is_first or context.request.full_state)
        and context.request.filter.room.include_leave
        and not row.forgotten
    )


def _says_something(context: SyncContext, one: RoomTimeline, body: Content) -> bool:
    """True if a filter has left any of the changes."""
    if one.is_new or one.limited or context.request.full_state:
        return True
    if one.room_id in context.news.counted and not context.request.is_old:
        return True
    state = body[context.request.state_after or "state"]
    parts = (body["timeline"], state, body["ephemeral"], body["account_data"])
    return any(part["events"] for part in parts)


def _has_new_members(context: SyncContext, one: RoomTimeline) -> bool:
    if one.is_new or one.limited or context.request.full_state:
        return True
    # A room without a name is named after its members.
    return any(event.event.type in ("m.room.member", "m.room.name") for event in one.raw)


def fitting(people: Sequence[RoomPeer]) -> list[RoomPeer]:
    """The joined and invited members; former members only if there are no others."""
    here = [one for one in people if one.membership in ("join", "invite")]
    return here or list(people)


def _summary(
    room_id: RoomId, counts: Mapping[tuple[RoomId, str], int], heroes: Sequence[RoomPeer] | None
) -> Content:
    summary: Content = {
        "m.joined_member_count": counts.get((room_id, "join"), 0),
        "m.invited_member_count": counts.get((room_id, "invite"), 0),
    }
    if heroes is not None:
        summary["m.heroes"] = [one.user_id for one in heroes]
    return summary


def changed_receipts(news: News) -> list[Receipt]:
    """The receipts among the changes."""
    found = []
    for entry in news.receipts:
        body = entry.body or {}
        room_id = entry.room_id or RoomId(body["room_id"])
        found.append(
            Receipt(
                room_id=room_id,
                user_id=entry.user_id or UserId(""),
                receipt_type=body.get("type", READ),
                thread_id=body.get("thread_id", ""),
                event_id=body["event_id"],
                position=body["position"],
                created_ms=entry.created_ms,
            )
        )
    return found


def receipts_by_room(receipts: Sequence[Receipt]) -> dict[RoomId, list[Receipt]]:
    """Receipts by room; only the last per user, type and thread."""
    latest = {(one.room_id, one.user_id, one.receipt_type, one.thread_id): one for one in receipts}
    found: dict[RoomId, list[Receipt]] = {}
    # Of several at one event clients get the last: an unthreaded one takes precedence (MSC4102).
    for one in sorted(latest.values(), key=lambda one: one.thread_id == ""):
        found.setdefault(one.room_id, []).append(one)
    return found
