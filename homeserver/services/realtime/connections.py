"""Live connections of users to rooms, in memory only. The presence of the Matrix API is in `presence`."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from homeserver.model import Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.events.access import Access
from homeserver.services.realtime.feed import Feed
from homeserver.services.realtime.records import PresenceChanged


class LiveConnections:
    """Counts a user's live connections to a room, and announces when the first opens and the last closes.

    In a room of two users with a block between them, a connection is not counted and sees no other user (see
    `services/accounts/blocks.py`).
    """

    def __init__(self, feed: Feed, access: Access, blocks: Blocks) -> None:
        self._feed = feed
        self._access = access
        self._blocks = blocks
        self._rooms: dict[RoomId, Counter[tuple[UserId, int]]] = {}

    @asynccontextmanager
    async def visit(self, requester: Requester, room_id: RoomId) -> AsyncIterator[Sequence[int]]:
        """Hold a connection to a room for the duration of the context. Yields the numbers of the users connected now,
        the requester's included.

        Raises NotFound for a room that the requester has not joined.
        """
        head = (await self._access.room(requester, room_id)).head
        if await self._blocks.is_silent(requester, head):
            yield [requester.number]
            return
        self.enter(requester, room_id)
        try:
            yield self.online(room_id)
        finally:
            self.leave(requester, room_id)

    async def hidden_rooms(self, requester: Requester) -> set[RoomId]:
        """The rooms in which a connection must not be counted, for requesters who connect to many rooms at once."""
        return await self._blocks.silent_rooms(requester)

    def enter(self, requester: Requester, room_id: RoomId) -> None:
        """Count an opened connection; `leave` must follow."""
        here = self._rooms.setdefault(room_id, Counter())
        who = (requester.user_id, requester.number)
        here[who] += 1
        if here[who] == 1:
            self._feed.announce(PresenceChanged(room_id, *who, is_online=True))

    def leave(self, requester: Requester, room_id: RoomId) -> None:
        """Count a closed connection."""
        here, who = self._rooms[room_id], (requester.user_id, requester.number)
        here[who] -= 1
        if here[who] == 0:
            del here[who]
            if not here:
                del self._rooms[room_id]
            self._feed.announce(PresenceChanged(room_id, *who, is_online=False))

    def online(self, room_id: RoomId) -> list[int]:
        """The numbers of the users who are connected to a room."""
        return [number for _, number in self._rooms.get(room_id, ())]

    def is_online(self, room_id: RoomId, user_id: UserId, number: int) -> bool:
        """True if this user is connected to the room on this server process."""
        return (user_id, number) in self._rooms.get(room_id, ())
