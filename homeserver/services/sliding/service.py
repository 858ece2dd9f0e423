"""Sliding sync: the changes in the rooms that a client asks for, waiting for the first if there are none."""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from homeserver.model import LOG_START, Content, Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.sliding.connections import DATA, RECEIPTS, Connection, Connections, Sent
from homeserver.services.sliding.context import SlidingContext, View
from homeserver.services.sliding.extensions import Extended, Extensions
from homeserver.services.sliding.lists import Lists, is_listed
from homeserver.services.sliding.request import SlidingRequest
from homeserver.services.sliding.room_list import RoomLists
from homeserver.services.sliding.rooms import SlidingRooms, Told, is_gone
from homeserver.services.sliding.tokens import Pos
from homeserver.services.sync.changes import News, NewsDesk
from homeserver.services.sync.long_polls import LongPolls, Waiter
from homeserver.services.sync.v3 import Sources


class Sections(NamedTuple):
    """The builders of a response's sections."""

    lists: Lists
    rooms: SlidingRooms
    extensions: Extensions


@dataclass(frozen=True, slots=True)
class _Seen:
    """A response before it is rendered. `typing`: the counter of typing changes at that time."""

    context: SlidingContext
    view: View
    told: Told
    extended: Extended
    typing: int

    @property
    def has_news(self) -> bool:
        return bool(self.told.bodies) or self.extended.has_news or bool(self.dropped)

    @property
    def dropped(self) -> list[RoomId]:
        """The rooms that were sent to the client and are in no list any more: the reader forgot them."""
        rows = self.context.room_list.rows
        known = [room_id for room_id in self.context.connection.rooms if room_id in rows]
        return [one for one in known if rows[one].forgotten and not is_listed(self.context, rows[one])]


class SlidingSyncs:
    """Answers sliding sync. A connection continues on every worker; typing is known within one process only."""

    def __init__(
        self,
        *,
        news: NewsDesk,
        waiting: LongPolls,
        connections: Connections,
        room_lists: RoomLists,
        sections: Sections,
        sources: Sources,
        max_wait_s: float,
    ) -> None:
        self._waiting = waiting
        self._connections = connections
        self._room_lists = room_lists
        self._news = news
        self._lists, self._rooms, self._extensions = sections
        self._sources = sources
        self._max_wait_s = max_wait_s

    async def sync(self, requester: Requester, request: SlidingRequest) -> Content:
        """The response body, JSON with pre-rendered parts. Without changes until the timeout: the same `pos` again.

        Raises Invalid("unknown_pos").
        """
        end = asyncio.get_running_loop().time() + min(request.timeout_s, self._max_wait_s)
        connection = await self._connections.at(requester, request.conn_id, request.pos)
        self._sources.presence.touch(requester, request.presence)
        pos = request.pos
        with self._waiting.waiter(requester.user_id, hears_presence=False) as waiter:
            seen = await self._changes(requester, request, connection, waiter)
            while not seen.has_news and pos is not None and not waiter.is_over:
                if not await waiter.wait_until(end):
                    break
                seen = await self._changes(requester, request, connection, waiter)
        if pos is None or seen.has_news:
            serial = await self._connections.keep(requester, request.conn_id, connection, _after(seen))
            keys = 0 if pos is None else pos.keys
            pos = Pos(seen.context.until, seen.typing, serial, keys, seen.context.begun)
        told_keys = await self._extensions.add_key_counts(requester, seen.extended.answer)
        if told_keys is not None:
            pos = pos._replace(keys=told_keys)
        return {
            "pos": str(pos),
            "lists": {name: {"count": count} for name, count in seen.view.counts.items()},
            "rooms": seen.told.bodies,
            "extensions": seen.extended.answer,
        }

    async def _changes(
        self, requester: Requester, request: SlidingRequest, connection: Connection, waiter: Waiter
    ) -> _Seen:
        waiter.woken.clear()  # later entries are either read below, or wake it again
        await self._news.ready()
        room_list = await self._room_lists.of(requester.user_id)
        after = LOG_START if request.pos is None else request.pos.position
        came = [row for row in room_list.rows.values() if row.membership == "join" and row.position > after]
        if await self._sources.direct.note(requester, came):
            room_list = await self._room_lists.of(requester.user_id)
        joined = room_list.joined
        self._waiting.watch(waiter, joined)
        # A member event that was read is committed, and with it everything before it in the log.
        until = max(room_list.seen, after, *(row.position for row in room_list.rows.values()))
        await self._news.ready()  # again, for what was announced since the first time
        news = News(data=True)
        if request.pos is not None:
            news = await self._news.since(requester.user_id, joined, after=after, until=until)
        typing = self._sources.typing.serial
        typed = typing if request.pos is None else request.pos.typing
        context = SlidingContext(
            request=request,
            reader=requester.user_id,
            session_key=requester.session_key,
            connection=connection,
            room_list=room_list,
            after=after,
            until=until,
            news=news,
            typing=self._sources.typing.changed_after(typed if typed <= typing else 0),
            ignored=await self._sources.data.ignored_by(requester.user_id),
        )
        view = await self._lists.view(context)
        told = await self._rooms.of(requester, context, view)
        extended = await self._extensions.of(requester, context, view, told)
        return _Seen(context, view, told, extended, typing)


def _after(seen: _Seen) -> Connection:
    """The connection state after this response."""
    context, extended, request = seen.context, seen.extended, seen.context.request.extensions
    rooms: dict[RoomId, Sent] = {}
    dropped = frozenset(seen.dropped)
    for room_id, sent in context.connection.rooms.items():
        row = context.room_list.rows.get(room_id)
        if row is None or room_id in seen.told.sent or room_id in dropped:
            continue
        if sent.at is None and (room_id in extended.changed or context.has_moved(row, context.after)):
            rooms[room_id] = sent._replace(at=context.after)
        else:
            rooms[room_id] = sent
    for room_id, sent in seen.told.sent.items():
        if not is_gone(context, context.room_list.rows[room_id]):
            rooms[room_id] = sent._replace(marks=_marks(seen, room_id, sent.marks))
    keys_from = None if request.e2ee or context.is_first else context.keys_from
    has_data = request.account_data.enabled or (context.connection.has_data and not context.news.data)
    return Connection(context.connection.serial, rooms, has_data, keys_from)


def _marks(seen: _Seen, room_id: RoomId, marks: int) -> int:
    """The marks of a room after this response. A mark is cleared if the data changed while it was not asked for."""
    before = seen.context.connection.rooms.get(room_id)
    lacks = before is None or before.at is not None or room_id in seen.extended.changed
    for mark, rooms in ((DATA, seen.extended.data_of), (RECEIPTS, seen.extended.receipts_of)):
        if room_id in rooms:
            marks |= mark
        elif lacks:
            marks &= ~mark
    return marks
