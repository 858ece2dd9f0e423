"""The deprecated endpoints before /sync (client-server API, "/initialSync", "/events"), built from its results."""

import asyncio
from typing import Any

from homeserver.model import Content, LogPosition, Place, Requester, place_at
from homeserver.protocol.filters import EventFilter, Filter, RoomFilter
from homeserver.protocol.ids import RoomId
from homeserver.services.events.history import History, HistoryPage
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.visibility import ViewerVisibility
from homeserver.services.sync.long_polls import LongPolls
from homeserver.services.sync.request import SyncRequest
from homeserver.services.sync.rooms import data_event
from homeserver.services.sync.tokens import SyncToken, place_token
from homeserver.services.sync.v3 import Syncs
from homeserver.storage import accountdata as stored_data
from homeserver.storage import events as stored_events
from homeserver.storage import sync as stored
from homeserver.storage.db import Database


class LegacySyncs:
    """Answers /initialSync and /events. `most`: events per room."""

    def __init__(
        self,
        *,
        db: Database,
        syncs: Syncs,
        history: History,
        rendering: Rendering,
        waiting: LongPolls,
        most: int,
        max_wait_s: float,
    ) -> None:
        self._db = db
        self._syncs = syncs
        self._history = history
        self._rendering = rendering
        self._waiting = waiting
        self._most = most
        self._max_wait_s = max_wait_s

    async def initial(self, requester: Requester, *, limit: int, archived: bool) -> Content:
        """All rooms with their last events and their state; `archived`: left rooms too."""
        rooms = RoomFilter(timeline=EventFilter(limit=min(limit, self._most)), include_leave=archived)
        request = SyncRequest(filter=Filter(room=rooms), state_after="state", is_old=True)
        found = await self._syncs.sync(requester, request)
        sections = found.get("rooms", {})
        invites = await self._invites(requester)
        told = [
            {"room_id": room_id, "membership": "invite", "invite": invites[room_id]}
            for room_id in sections.get("invite", {})
            if room_id in invites  # else it was accepted or declined just now
        ]
        for membership in ("join", "leave"):
            for room_id, room in sections.get(membership, {}).items():
                told.append(_room(room_id, membership, room, found["next_batch"]))
        return {
            "end": found["next_batch"],
            "rooms": told,
            "presence": found.get("presence", {}).get("events", []),
            "account_data": found.get("account_data", {}).get("events", []),
        }

    async def initial_of(self, requester: Requester, room_id: RoomId, *, limit: int) -> Content:
        """One room; if it is world-readable, the requester need not be in it. Raises Forbidden("not_joined")."""
        end = self._syncs.now()
        limit = min(max(limit, 1), self._most)
        page = await self._history.page(requester, room_id, direction="b", start=None, limit=limit)
        _, state = await self._history.state(requester, room_id)
        shown = await self._rendering.page(requester, page.viewer, page.events[::-1])
        async with self._db.read() as conn:
            own = await stored.own_rooms_among(conn, requester.user_id, [room_id])
            data = await stored_data.of_rooms(conn, requester.user_id, [room_id])
        start = Place(page.events[-1].place - 1) if page.events else page.start
        membership = {"membership": own[0].membership} if own else {}
        return {
            "room_id": room_id,
            **membership,
            "messages": {"start": place_token(start), "end": str(end), "chunk": shown},
            "state": await self._rendering.state(page.viewer, state.values()),
            "account_data": [data_event(one) for one in data if not one.is_gone],
        }

    async def events(self, requester: Requester, since: SyncToken | None, *, timeout_s: float) -> Content:
        """Events after a token in all joined rooms, and invites to others."""
        start = since or self._syncs.now()
        rooms = RoomFilter(timeline=EventFilter(limit=self._most))
        request = SyncRequest(since=start, filter=Filter(room=rooms), timeout_s=timeout_s, is_old=True)
        found = await self._syncs.sync(requester, request)
        sections = found.get("rooms", {})
        rooms_told = [*sections.get("join", {}).values(), *sections.get("leave", {}).values()]
        chunk = [event for room in rooms_told for event in room["timeline"]["events"]]
        if sections.get("invite"):
            invites = await self._invites(requester)
            chunk += [invites[room_id] for room_id in sections["invite"] if room_id in invites]
        return {"start": str(start), "end": found["next_batch"], "chunk": chunk}

    async def events_of(
        self, requester: Requester, room_id: RoomId, since: SyncToken | None, *, timeout_s: float
    ) -> Content:
        """Events in one room, also for users who peek into a world-readable one. Raises Forbidden("not_joined")."""
        start = since or self._syncs.now()
        end = asyncio.get_running_loop().time() + min(timeout_s, self._max_wait_s)
        with self._waiting.waiter(requester.user_id) as waiter:
            self._waiting.watch(waiter, [room_id])
            while True:
                waiter.woken.clear()
                page = await self._page(requester, room_id, start)
                if page.events or page.end is not None or waiter.is_over:
                    break
                if not await waiter.wait_until(end):
                    break
        last = page.events[-1].place if page.events else place_at(start.position)
        place = last if page.end is None else page.end
        chunk = await self._rendering.page(requester, page.viewer, page.events)
        return {"start": str(start), "end": str(start._replace(position=LogPosition(place))), "chunk": chunk}

    async def _page(self, requester: Requester, room_id: RoomId, start: SyncToken) -> HistoryPage:
        return await self._history.page(
            requester, room_id, direction="f", start=place_at(start.position), limit=self._most
        )

    async def _invites(self, requester: Requester) -> dict[RoomId, Any]:
        """The requester's invite events, by room."""
        async with self._db.read() as conn:
            rows = [
                one for one in await stored.own_rooms(conn, requester.user_id) if one.membership == "invite"
            ]
            found = await stored_events.events_by_id(conn, [row.event_id for row in rows]) if rows else {}
        events = await self._rendering.states(
            [(ViewerVisibility(requester.user_id), [found[row.event_id].event]) for row in rows]
        )
        return {row.room_id: event for row, (event,) in zip(rows, events, strict=True)}


def _room(room_id: str, membership: str, room: Content, end: str) -> Content:
    timeline = room["timeline"]
    return {
        "room_id": room_id,
        "membership": membership,
        "messages": {"start": timeline["prev_batch"], "end": end, "chunk": timeline["events"]},
        "state": room["state"]["events"],
        "account_data": room["account_data"]["events"],
    }
