"""The rooms of each syncing user, cached, as every sync starts from them."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple, Self

from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.storage import sync as stored
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.storage.sync import OwnRoom

_NAME = ("m.room.name", "")


class MembershipPosition(NamedTuple):
    """Rooms in which a user has a member event, and those joined. `newest`: the position of the last such event."""

    rooms: Mapping[RoomId, OwnRoom]
    joined: frozenset[RoomId]
    newest: LogPosition

    @classmethod
    def of(cls, rooms: Mapping[RoomId, OwnRoom]) -> Self:
        joined = frozenset(room_id for room_id, row in rooms.items() if row.membership == "join")
        return cls(rooms, joined, max((row.position for row in rooms.values()), default=LOG_START))

    def came_after(self, position: LogPosition) -> list[OwnRoom]:
        """The joined rooms whose member event of the user is after a position."""
        if self.newest <= position:
            return []
        return [self.rooms[room_id] for room_id in self.joined if self.rooms[room_id].position > position]


class OwnRooms:
    """Caches them. `note` must be given every new entry of the log; `most`: cached rows of all users together."""

    def __init__(self, db: Database, most: int) -> None:
        self._db = db
        self._most = most
        self._kept: OrderedDict[UserId, MembershipPosition] = OrderedDict()
        self._rows = 0
        self._age = 0

    async def of(self, user_id: UserId, *, anew: bool = False) -> MembershipPosition:
        """Every room in which a user has a member event, at least as new as what the log announced.

        `anew`: read from the database; the cache may not know that a room was forgotten.
        """
        found = self._kept.get(user_id)
        if found is not None and not anew:
            self._kept.move_to_end(user_id)
            return found
        age = self._age
        async with self._db.read() as conn:
            rows = await stored.own_rooms(conn, user_id)
        found = MembershipPosition.of({row.room_id: row for row in rows})
        if age == self._age:
            self._keep(user_id, found)
        return found

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop cached rooms of users whose membership changed, or whose room was renamed."""
        for user_id in entry.moved:
            self._age += 1  # what is being read now may have been read before
            self._drop(user_id)
        if _NAME in entry.changed:
            self._age += 1
            for user_id in [one for one, kept in self._kept.items() if entry.room_id in kept.rooms]:
                self._drop(user_id)

    def _keep(self, user_id: UserId, status: MembershipPosition) -> None:
        self._drop(user_id)
        self._kept[user_id] = status
        self._rows += len(status.rooms)
        while self._rows > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, user_id: UserId) -> None:
        gone = self._kept.pop(user_id, None)
        if gone is not None:
            self._rows -= len(gone.rooms)
