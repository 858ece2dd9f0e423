"""Who has a live connection to which room: kept in memory only."""

from collections import Counter

from homeserver.model import Requester
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.feed import Feed, PresenceChanged


class Presence:
    """Counts a person's live connections to a room, and tells the watchers when the first opens or the last closes."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._rooms: dict[RoomId, Counter[tuple[UserId, int]]] = {}

    def enter(self, requester: Requester, room_id: RoomId) -> None:
        """A live connection opened; `leave` must follow."""
        here = self._rooms.setdefault(room_id, Counter())
        who = (requester.user_id, requester.number)
        here[who] += 1
        if here[who] == 1:
            self._feed.announce(PresenceChanged(room_id, *who, is_online=True))

    def leave(self, requester: Requester, room_id: RoomId) -> None:
        """A live connection closed."""
        here, who = self._rooms[room_id], (requester.user_id, requester.number)
        here[who] -= 1
        if here[who] == 0:
            del here[who]
            if not here:
                del self._rooms[room_id]
            self._feed.announce(PresenceChanged(room_id, *who, is_online=False))

    def online(self, room_id: RoomId) -> list[int]:
        """The numbers of those who are connected to a room."""
        return [number for _, number in self._rooms.get(room_id, ())]
