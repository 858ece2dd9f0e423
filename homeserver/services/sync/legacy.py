"""The deprecated endpoints before /sync (client-server API, "/initialSync", "/events"), built from its results.

Their events have a `user_id`, which is the sender: clients of their time know no other name.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

import orjson
from orjson import Fragment

from homeserver.model import Content, LogPosition, Place, Requester, place_at
from homeserver.protocol.filters import EventFilter, Filter, RoomFilter
from homeserver.protocol.ids import RoomId
from homeserver.services.events.history import History, HistoryPage
from homeserver.services.events.rendering import Rendering
from homeserver.services.events.visibility import ViewerVisibility
from homeserver.services.realtime.presence import Presence
from homeserver.services.sync.long_polls import LongPolls
from homeserver.services.sync.request import SyncRequest
from homeserver.services.sync.rooms import data_event, receipts_by_room, receipts_event
from homeserver.services.sync.tokens import SyncToken, place_token
from homeserver.services.sync.v3 import Syncs
from homeserver.settings.models import MatrixSettings
from homeserver.storage import accountdata as stored_data
from homeserver.storage import events as stored_events
from homeserver.storage import members as stored_members
from homeserver.storage import receipts as stored_receipts
from homeserver.storage import summaries
from homeserver.storage import sync as stored
from homeserver.storage.db import Database

_MOST_PEOPLE: Final = 500  # members of a room whose presence is told
_MOST_RECEIPTS: Final = 2000  # receipts of a room, the latest ones


class LegacySyncs:
    """Answers /initialSync and /events."""

    def __init__(
        self,
        *,
        db: Database,
        syncs: Syncs,
        history: History,
        rendering: Rendering,
        presence: Presence,
        waiting: LongPolls,
        settings: MatrixSettings,
    ) -> None:
        self._db = db
        self._syncs = syncs
        self._history = history
        self._rendering = rendering
        self._presence = presence
        self._waiting = waiting
        self._most = settings.max_sync_timeline
        self._max_wait_s = settings.max_sync_wait_s

    async def initial(self, requester: Requester, *, limit: int, archived: bool) -> Content:
        """All rooms with their last events and their state; `archived`: left rooms too."""
        rooms = RoomFilter(timeline=EventFilter(limit=min(limit, self._most)), include_leave=archived)
        request = SyncRequest(filter=Filter(room=rooms), state_after="state", is_old=True)
        found = await self._syncs.sync(requester, request)
        sections = found.get("rooms", {})
        invites = await self._invites(requester)
        told = [
            {
                "room_id": room_id,
                "membership": "invite",
                "inviter": invites[room_id]["sender"],
                "invite": invites[room_id],
            }
            for room_id in sections.get("invite", {})
            if room_id in invites  # else it was accepted or declined just now
        ]
        for membership in ("join", "leave"):
            for room_id, room in sections.get(membership, {}).items():
                told.append(_room(room_id, membership, room, found["next_batch"]))
        visibilities = await self._directory_visibilities([room["room_id"] for room in told])
        return {
            "end": found["next_batch"],
            "rooms": [{**room, "visibility": visibilities[room["room_id"]]} for room in told],
            "presence": _presence(found.get("presence", {}).get("events", [])),
            "receipts": [
                {**event, "room_id": room_id}
                for room_id, room in sections.get("join", {}).items()
                for event in room["ephemeral"]["events"]
                if event["type"] == "m.receipt"
            ],
            "account_data": found.get("account_data", {}).get("events", []),
        }

    async def initial_of(self, requester: Requester, room_id: RoomId, *, limit: int) -> Content:
        """One room; if it is world-readable, the requester need not be in it. Raises Forbidden("not_joined")."""
        end = self._syncs.now()
        limit = min(limit, self._most)
        page = await self._history.page(requester, room_id, direction="b", start=None, limit=limit)
        _, state = await self._history.state(requester, room_id)
        shown = await self._rendering.page(requester, page.viewer, page.events[::-1])
        async with self._db.read() as conn:
            own = await stored.own_rooms_among(conn, requester.user_id, [room_id])
            data = await stored_data.of_rooms(conn, requester.user_id, [room_id])
        start = Place(page.events[-1].place - 1) if page.events else page.start
        membership = {"membership": own[0].membership} if own else {}
        visibilities = await self._directory_visibilities([room_id])
        return {
            "room_id": room_id,
            **membership,
            "visibility": visibilities[room_id],
            "messages": {"start": place_token(start), "end": str(end), "chunk": _old(shown)},
            "state": _old(await self._rendering.state(page.viewer, state.values())),
            "account_data": [data_event(one) for one in data if not one.is_gone],
            **await self._people(requester, room_id, is_joined=membership == {"membership": "join"}),
        }

    async def events(
        self,
        requester: Requester,
        since: SyncToken | None,
        *,
        timeout_s: float,
        only: RoomId | None = None,
    ) -> Content:
        """What came after a token: events, receipts, typing and account data of joined rooms, invites to others,
        presence, and account data of no room.

        `only`: of this room alone.
        """
        start = since or self._syncs.now()
        rooms = RoomFilter(
            timeline=EventFilter(limit=self._most), rooms=None if only is None else frozenset({only})
        )
        request = SyncRequest(since=start, filter=Filter(room=rooms), timeout_s=timeout_s, is_old=True)
        found = await self._syncs.sync(requester, request)
        sections = found.get("rooms", {})
        chunk = [
            event
            for room_id, room in [*sections.get("join", {}).items(), *sections.get("leave", {}).items()]
            for event in _events_in(room_id, room)
        ]
        if sections.get("invite"):
            invites = await self._invites(requester)
            chunk += [invites[room_id] for room_id in sections["invite"] if room_id in invites]
        chunk += _presence(found.get("presence", {}).get("events", []))
        chunk += found.get("account_data", {}).get("events", [])
        return {"start": str(start), "end": found["next_batch"], "chunk": chunk}

    async def events_of(
        self, requester: Requester, room_id: RoomId, since: SyncToken | None, *, timeout_s: float
    ) -> Content:
        """The same of one room. Who peeks into a world-readable one gets its events. Raises Forbidden("not_joined")."""
        async with self._db.read() as conn:
            own = await stored.own_rooms_among(conn, requester.user_id, [room_id])
        if own and own[0].membership == "join":
            return await self.events(requester, since, timeout_s=timeout_s, only=room_id)
        start = since or self._syncs.now()
        end = asyncio.get_running_loop().time() + min(timeout_s, self._max_wait_s)
        with self._waiting.waiter(requester.user_id, hears_presence=False) as waiter:
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
        chunk = _old(await self._rendering.page(requester, page.viewer, page.events))
        return {"start": str(start), "end": str(start._replace(position=LogPosition(place))), "chunk": chunk}

    async def _people(self, requester: Requester, room_id: RoomId, *, is_joined: bool) -> Content:
        """The presence of a room's members and their receipts, for a member of it."""
        if not is_joined:
            return {"presence": [], "receipts": []}
        reader = requester.user_id
        async with self._db.read() as conn:
            members = await stored_members.first_members_of(conn, [room_id], _MOST_PEOPLE)
            receipts = await stored_receipts.shown_to(conn, reader, [room_id], _MOST_RECEIPTS)
        told = await self._presence.of_near(reader, [one.user_id for one in members[room_id]])
        by_room = receipts_by_room(receipts)
        return {
            "presence": _presence(told),
            "receipts": [{**receipts_event(found), "room_id": room_id} for found in by_room.values()],
        }

    async def _directory_visibilities(self, room_ids: Collection[RoomId]) -> dict[RoomId, str]:
        """Whether each room is in the room directory: "public" or "private"."""
        async with self._db.read() as conn:
            found = await summaries.summaries(conn, room_ids) if room_ids else {}
        return {
            room_id: "public" if room_id in found and found[room_id].published else "private"
            for room_id in room_ids
        }

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
        return {row.room_id: _old(event)[0] for row, event in zip(rows, events, strict=True)}


def _old(events: Sequence[Fragment]) -> list[Content]:
    """Events with the sender as `user_id` too."""
    found: list[Content] = orjson.loads(orjson.dumps(events))
    return [{**event, "user_id": event["sender"]} for event in found]


def _presence(events: Sequence[Content]) -> list[Content]:
    """m.presence events with the user's id in the content too."""
    return [{**one, "content": {"user_id": one["sender"], **one["content"]}} for one in events]


def _events_in(room_id: str, room: Content) -> list[Content]:
    """The events of a room of a sync, each with the room's id."""
    beside = [*room.get("ephemeral", {}).get("events", ()), *room["account_data"]["events"]]
    return [*_old(room["timeline"]["events"]), *({**event, "room_id": room_id} for event in beside)]


def _room(room_id: str, membership: str, room: Content, end: str) -> Content:
    timeline = room["timeline"]
    return {
        "room_id": room_id,
        "membership": membership,
        "messages": {"start": timeline["prev_batch"], "end": end, "chunk": _old(timeline["events"])},
        "state": _old(room["state"]["events"]),
        "account_data": room["account_data"]["events"],
    }
