"""One look at the log for one request of sliding sync."""

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
    """Everything after `after` up to `until`, for a reader with this roster, over a connection that was told so much.

    `typing`: the rooms where somebody began or stopped. `after` is 0 for a connection that begins.
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
        """Up to where a room was told; 0 for one that was not."""
        sent = self.connection.rooms.get(room_id)
        return 0 if sent is None else sent.at or self.after

    def has_moved(self, row: OwnRoom, base: int) -> bool:
        """Whether something happened in a room after a place, or to the reader's being in it."""
        return row.position > base or (row.membership == "join" and row.head_position > base)


@dataclass(frozen=True, slots=True)
class RequestedRoom:
    """A room that the client looks at: how, and by which lists."""

    row: OwnRoom
    config: Config
    lists: Sequence[str]


@dataclass(frozen=True, slots=True)
class View:
    """What the client looks at. `counts`: how many rooms each list has. `windows`: those of each that are seen."""

    counts: Mapping[str, int]
    windows: Mapping[str, Sequence[RoomId]]
    wanted: Mapping[RoomId, RequestedRoom]
