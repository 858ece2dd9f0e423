"""Deactivated users leave their rooms (client-server API, "Account deactivation").

A background job, a batch of rooms at a time, with a stored cursor: it continues after a restart. Rooms of the product
APIs keep their members, as they keep the members' messages.
"""

import logging
from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Unavailable
from homeserver.kit.in_batches import room_by_room
from homeserver.model import EntryKind
from homeserver.protocol.ids import RoomId, UserId
from homeserver.protocol.member import membership_in
from homeserver.services.rooms import member_events
from homeserver.services.rooms.product_rules import is_product_room
from homeserver.storage import members as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.consume import Effect, Progress, consume
from homeserver.timeline.heads import Head
from homeserver.timeline.live import Live
from homeserver.timeline.submission import NOTHING, Decided
from homeserver.timeline.writer import Timeline

logger = logging.getLogger(__name__)
_THERE = ("join", "invite", "knock")


class LeaveOnDeactivation:
    """Removes deactivated users from their rooms."""

    def __init__(self, *, db: Database, live: Live, timeline: Timeline) -> None:
        self._db = db
        self._live = live
        self._timeline = timeline

    async def run(self) -> None:
        """Remove deactivated users from their rooms; runs until cancelled."""
        await consume("farewells", db=self._db, progress=Progress(self._live), handle=self._handle)

    async def _handle(self, entries: Sequence[Entry]) -> Effect | None:
        closed = [one.user_id for one in entries if one.user_id is not None and _closes(one)]
        for user_id in closed:
            await self._take_out(user_id)
        return _only_the_cursor if closed else None

    async def _take_out(self, user_id: UserId) -> None:
        async with self._db.read() as conn:
            room_ids = await stored.rooms_with(conn, user_id, _THERE)
        for room_id, error in await room_by_room(room_ids, partial(self.leave, user_id)):
            if isinstance(error, Unavailable):
                raise error
            logger.warning("%s cannot leave %s: %s", user_id, room_id, error.message)

    async def leave(self, user_id: UserId, room_id: RoomId) -> None:
        """Let a user leave one room.

        Does nothing if another worker did it before. A failed write is retried from the cursor.
        """

        def decide(head: Head) -> Decided:
            if is_product_room(head) or membership_in(head.state.events, user_id) not in _THERE:
                return NOTHING
            return Decided([member_events.leave(user_id)])

        await self._timeline.decide(room_id, decide)


def _closes(entry: Entry) -> bool:
    return entry.kind is EntryKind.SESSION_ENDED and (entry.body or {}).get("reason") == "deactivated"


async def _only_the_cursor(_: AsyncConnection) -> None:
    """Write nothing: the member events are in the rooms already, only the cursor moves."""
