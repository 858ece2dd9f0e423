"""What one sliding sync request covers: a range of the log, and the rooms that the client asks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.sliding.connections import Connection
from homeserver.services.sliding.request import Config, SlidingRequest
from homeserver.services.sliding.room_list import RoomList
from homeserver.services.sync.changes import News
from homeserver.storage.sync import OwnRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingContext:
    """The log entries after `after` up to `until`, for a reader with this room list, over a connection in this state.

    `typing`: the rooms with typing changes. `after` is 0 for a new connection.
    """

    request: SlidingRequest
    reader: UserId
    connection: Connection
    room_list: RoomList
    after: int
    until: int
    news: News
    typing: Collection[RoomId]
    ignored: Collection[UserId]

    @property
    def is_first(self) -> bool:
        return self.request.pos is None

    def base(self, room_id: RoomId) -> int:
        """The position up to which a room was sent; 0 if it was not."""
        sent = self.connection.rooms.get(room_id)
        return 0 if sent is None else sent.at or self.after

    def has_moved(self, row: OwnRoom, base: int) -> bool:
        """True if a room, or the reader's membership of it, changed after a position."""
        return row.position > base or (row.membership == "join" and row.head_position > base)


@dataclass(frozen=True, slots=True)
class RequestedRoom:
    """A room that the client asks for: its configuration, and the lists whose windows it is in."""

    row: OwnRoom
    config: Config
    lists: Sequence[str]


@dataclass(frozen=True, slots=True)
class View:
    """The rooms that the client asks for. `counts`: rooms of each list. `windows`: those within each list's ranges."""

    counts: Mapping[str, int]
    windows: Mapping[str, Sequence[RoomId]]
    wanted: Mapping[RoomId, RequestedRoom]
