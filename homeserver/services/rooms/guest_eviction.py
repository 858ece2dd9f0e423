"""Guests leave rooms that no longer allow guests (client-server API, "Guest Access").

A background job with a stored cursor: it continues after a restart. A guest who joins at the moment at which guest
access is revoked is found by the join event.
"""

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Unavailable
from homeserver.kit.in_batches import room_by_room
from homeserver.protocol.event import Event
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.accounts.identifiers import GUEST
from homeserver.services.rooms.guestaccess import GUEST_ACCESS, takes_guests
from homeserver.services.rooms.leave_on_deactivation import LeaveOnDeactivation
from homeserver.storage import events as stored_events
from homeserver.storage import guestaccounts as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.consume import Effect, Progress, consume
from homeserver.timeline.live import Live

logger = logging.getLogger(__name__)
_BEGINS: Final = f"@{GUEST}"


class GuestEviction:
    """Removes guests from rooms whose guest access was revoked."""

    def __init__(self, *, db: Database, live: Live, leave_on_deactivation: LeaveOnDeactivation) -> None:
        self._db = db
        self._live = live
        self._farewells = leave_on_deactivation

    async def run(self) -> None:
        """Remove guests from such rooms; runs until cancelled."""
        await consume("guest exits", db=self._db, progress=Progress(self._live), handle=self._handle)

    async def _handle(self, entries: Sequence[Entry]) -> Effect | None:
        events = [one.event.event for one in entries if one.event is not None]
        room_ids = {one.room_id for one in events if _may_have_unwanted(one)}
        redacted = {one.redacts for one in events if one.redacts is not None}
        if not room_ids and not redacted:
            return None
        unwanted = await self._unwanted(room_ids, redacted)
        for (user_id, room_id), error in await room_by_room(unwanted, self._take_out):
            if isinstance(error, Unavailable):
                raise error
            logger.warning("the guest %s cannot leave %s: %s", user_id, room_id, error.message)
        return _only_the_cursor if unwanted else None

    async def _unwanted(
        self, room_ids: set[RoomId], redacted: set[EventId]
    ) -> Sequence[tuple[UserId, RoomId]]:
        """The guests to remove, with their rooms; also of rooms whose m.room.guest_access was redacted."""
        async with self._db.read() as conn:
            if redacted:
                targets = (await stored_events.events_by_id(conn, redacted)).values()
                room_ids = room_ids | {one.event.room_id for one in targets if _is_guest_access(one.event)}
            return await stored.unwanted_guests(conn, room_ids) if room_ids else ()

    async def _take_out(self, member: tuple[UserId, RoomId]) -> None:
        await self._farewells.leave(*member)


def _may_have_unwanted(event: Event) -> bool:
    """True if the room may have guests that it does not allow after this event."""
    if _is_guest_access(event):
        return not takes_guests(event)
    return event.type == "m.room.member" and event.membership == "join" and event.sender.startswith(_BEGINS)


def _is_guest_access(event: Event) -> bool:
    return event.is_state and event.key == GUEST_ACCESS


async def _only_the_cursor(_: AsyncConnection) -> None:
    """Write nothing: the member events are in the rooms already, only the cursor moves."""
