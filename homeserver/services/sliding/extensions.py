"""The extensions of sliding sync: to_device, e2ee, account_data, receipts, typing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from homeserver.model import LOG_START, Content, LogPosition, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.clientdata.accountdata import GLOBAL
from homeserver.services.sliding.connections import DATA, RECEIPTS
from homeserver.services.sliding.context import SlidingContext, View
from homeserver.services.sliding.request import ANY, Scope
from homeserver.services.sliding.rooms import Told
from homeserver.services.sync.rooms import (
    changed_receipts,
    data_event,
    receipts_by_room,
    receipts_event,
    typing_event,
)
from homeserver.services.sync.tokens import keys_checksum
from homeserver.services.sync.v3 import Sources
from homeserver.storage import accountdata as stored_data
from homeserver.storage import receipts as stored_receipts
from homeserver.storage import sliding as stored
from homeserver.storage.accountdata import AccountDataItem
from homeserver.storage.db import Database

_MAX_RECEIPTS: Final = 20_000  # in one response


@dataclass(slots=True)
class Extended:
    """`answer`: the section `extensions`. `has_news`: it has enough to respond before the timeout.

    `data_of`, `receipts_of`: the rooms whose account data and receipts the client has after this response. `changed`:
    rooms with changes of these two kinds.
    """

    answer: Content
    has_news: bool = False
    data_of: Collection[RoomId] = ()
    receipts_of: Collection[RoomId] = ()
    changed: Collection[RoomId] = ()


class Extensions:
    """Builds the extensions with a fixed number of statements."""

    def __init__(self, db: Database, sources: Sources) -> None:
        self._db = db
        self._data, self._typing, self._e2ee, self._presence, _ = sources

    async def of(self, requester: Requester, context: SlidingContext, view: View, told: Told) -> Extended:
        """The extensions that the request asks for."""
        made, request = Extended({}), context.request.extensions
        seen = [room_id for room_id in view.wanted if room_id not in told.deferred]
        here = frozenset(room_id for room_id in seen if view.wanted[room_id].row.membership == "join")
        await self._add_data(context, _scope(request.account_data, view, context, frozenset(seen)), made)
        await self._add_receipts(context, _scope(request.receipts, view, context, here), told, made)
        self._add_typing(context, _scope(request.typing, view, context, here), told, made)
        if request.to_device.enabled:
            await self._add_messages(requester, context, made)
        if request.e2ee:
            await self._add_keys(requester, context, made)
        return made

    async def add_key_counts(self, requester: Requester, answer: Content) -> int | None:
        """Add the counts of remaining keys to a response that is otherwise complete, if the request asks for them.

        Returns their checksum, as in tokens.
        """
        if "e2ee" not in answer:
            return None
        counts = await self._e2ee.device_keys.counts(requester)
        answer["e2ee"]["device_one_time_keys_count"] = dict(counts.one_time)
        answer["e2ee"]["device_unused_fallback_key_types"] = list(counts.unused_fallback)
        return keys_checksum(counts)

    async def _add_data(self, context: SlidingContext, rooms: Collection[RoomId], made: Extended) -> None:
        request, told_all = context.request.extensions.account_data, context.connection.has_data
        found: Sequence[AccountDataItem] = ()
        if context.news.data or (request.enabled and not told_all):
            after = LOG_START if request.enabled and not told_all else context.after
            found = await self._data.changed_after(context.reader, after)
            found = [one for one in found if one.position <= context.until]
        made.changed = {
            *(RoomId(one.room_id) for one in found if one.room_id and one.position > context.after),
            *(one.room_id for one in changed_receipts(context.news)),
        }
        if not request.enabled:
            return
        made.data_of = frozenset(rooms)
        starts = {room_id: _start(context, room_id, DATA) for room_id in rooms}
        old = [room_id for room_id, start in starts.items() if start < context.after or context.is_first]
        pieces = {(one.room_id, one.type): one for one in found if one.room_id in starts}
        if old:
            async with self._db.read() as conn:
                of_old = await stored_data.of_rooms(conn, context.reader, old)
            pieces.update(((one.room_id, one.type), one) for one in of_old if one.position <= context.until)
        by_room: dict[str, list[Content]] = {}
        for one in pieces.values():
            start = starts[RoomId(one.room_id)]
            if one.position > start and (start != LOG_START or not one.is_gone):
                by_room.setdefault(one.room_id, []).append(data_event(one))
        of_none = [
            data_event(one)
            for one in found
            if one.room_id == GLOBAL and (one.position > context.after if told_all else not one.is_gone)
        ]
        made.answer["account_data"] = {"global": of_none, "rooms": by_room}
        made.has_news = made.has_news or bool(of_none or by_room)

    async def _add_receipts(
        self, context: SlidingContext, rooms: Collection[RoomId], told: Told, made: Extended
    ) -> None:
        """Add changed receipts; of new rooms those on the shown events, of rooms back in the window all."""
        if not context.request.extensions.receipts.enabled:
            return
        made.receipts_of = frozenset(rooms)
        new = {room_id for room_id in rooms if context.is_first or room_id in told.fresh}
        back = {room_id for room_id in rooms if _start(context, room_id, RECEIPTS) < context.after} - new
        found = [one for one in changed_receipts(context.news) if one.room_id in rooms]
        found = [one for one in found if one.room_id not in new | back]
        async with self._db.read() as conn:
            if new:
                found += await stored.receipts_at(conn, context.reader, new, told.event_ids, _MAX_RECEIPTS)
            if back:
                found += await stored_receipts.shown_to(conn, context.reader, back, _MAX_RECEIPTS)
        by_room = {room_id: receipts_event(ones) for room_id, ones in receipts_by_room(found).items()}
        made.answer["receipts"] = {"rooms": by_room}
        made.has_news = made.has_news or bool(by_room)

    def _add_typing(
        self, context: SlidingContext, rooms: Collection[RoomId], told: Told, made: Extended
    ) -> None:
        """Add typing users; for rooms back in the window also an empty list."""
        if not context.request.extensions.typing.enabled:
            return
        by_room = {}
        for room_id in rooms:
            people = [one for one in self._typing.in_room(room_id) if one not in context.ignored]
            sent = context.connection.rooms.get(room_id)
            came_back = sent is not None and sent.at is not None
            if room_id in context.typing or came_back or (room_id in told.fresh and people):
                by_room[room_id] = typing_event(people)
        made.answer["typing"] = {"rooms": by_room}
        made.has_news = made.has_news or bool(by_room)

    async def _add_messages(self, requester: Requester, context: SlidingContext, made: Extended) -> None:
        """Add to-device messages; those that the client acknowledges are deleted."""
        request = context.request.extensions.to_device
        found = await self._e2ee.to_device.read(requester, since=request.since, limit=request.limit)
        events = [orjson.Fragment(body) for body in found.bodies]
        made.answer["to_device"] = {"next_batch": str(found.position), "events": events}
        made.has_news = made.has_news or bool(events)

    async def _add_keys(self, requester: Requester, context: SlidingContext, made: Extended) -> None:
        answer: Content = {}
        after = context.keys_from
        if not context.is_first and (context.news.keys or after < context.after):
            lists = await self._e2ee.lists.changes(requester, after)
            if lists.changed or lists.left:
                answer["device_lists"] = {"changed": sorted(lists.changed), "left": sorted(lists.left)}
                made.has_news = True
        made.answer["e2ee"] = answer


def _scope(scope: Scope, view: View, context: SlidingContext, rooms: Collection[RoomId]) -> list[RoomId]:
    """The rooms of an extension: in the lists and subscriptions that its scope names."""
    lists = view.windows if ANY in scope.lists else [name for name in scope.lists if name in view.windows]
    found = dict.fromkeys(room_id for name in lists for room_id in view.windows[name])
    subscribed: Mapping[RoomId, object] = context.request.subscriptions
    found.update(dict.fromkeys(one for one in subscribed if ANY in scope.rooms or one in scope.rooms))
    return [room_id for room_id in found if room_id in rooms]


def _start(context: SlidingContext, room_id: RoomId, mark: int) -> LogPosition:
    """The position up to which the client has an extension's data of a room."""
    sent = context.connection.rooms.get(room_id)
    return context.base(room_id) if sent is not None and sent.marks & mark else LOG_START
