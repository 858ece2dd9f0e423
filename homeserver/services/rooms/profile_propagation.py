"""Propagates changed display names and avatars to the users' m.room.member events.

A background job, user by user and a batch of rooms at a time. A user whose profile changes again while waiting is
written once. What a restart interrupts is corrected by the user's next change.
"""

import asyncio
import logging
from functools import partial

from homeserver.kit.in_batches import room_by_room
from homeserver.model import Person
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.rooms import member_events
from homeserver.storage import members as stored
from homeserver.storage.db import Database
from homeserver.timeline.heads import Head
from homeserver.timeline.submission import NOTHING, Decided
from homeserver.timeline.writer import Timeline

logger = logging.getLogger(__name__)


class MemberProfiles:
    """Queue of users whose profile changed; at most `most` wait."""

    def __init__(self, *, db: Database, timeline: Timeline, profiles: Profiles, most: int) -> None:
        self._db = db
        self._timeline = timeline
        self._profiles = profiles
        self._most = most
        self._waiting: dict[UserId, None] = {}
        self._wake = asyncio.Event()

    def changed(self, user_id: UserId) -> None:
        """Queue the user: their new profile is written to their rooms soon."""
        if len(self._waiting) < self._most:
            self._waiting[user_id] = None
            self._wake.set()
        else:
            logger.warning("too many profiles change at once: the rooms of %s are not told", user_id)

    async def run(self) -> None:
        """Write queued profiles; runs until cancelled."""
        while True:
            await self._wake.wait()
            while self._waiting:
                user_id = next(iter(self._waiting))
                del self._waiting[user_id]
                await self._write(user_id)
            self._wake.clear()

    async def _write(self, user_id: UserId) -> None:
        person = (await self._profiles.people([user_id])).get(user_id)
        async with self._db.read() as conn:
            room_ids = await stored.joined_rooms(conn, user_id)
        if person is None:
            return
        for room_id, error in await room_by_room(room_ids, partial(self._write_one, person)):
            logger.info("%s keeps the old profile of %s: %s", room_id, user_id, error.message)

    async def _write_one(self, person: Person, room_id: RoomId) -> None:
        """Update the member event of one room, unless the user has left or the event is up to date."""
        draft = member_events.join(person)

        def decide(head: Head) -> Decided:
            current = head.state.events.get(("m.room.member", person.user_id))
            if current is None or current.membership != "join":
                return NOTHING
            told = all(
                current.content.get(key) == draft.content.get(key) for key in ("displayname", "avatar_url")
            )
            return NOTHING if told else Decided([draft])

        await self._timeline.decide(room_id, decide)
