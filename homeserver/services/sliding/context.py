"""What one sliding sync request covers: a range of the log, and the rooms that the client asks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.sliding.connections import Connection
from homeserver.services.sliding.request import Config, SlidingRequest
from homeserver.services.sliding.room_list import RoomList
from homeserver.services.sync.changes import News
from homeserver.storage.sync import OwnRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingContext:
    """The log entries after `after` up to `until`, for a reader with this room list, over a connection in this state.

    `typing`: the rooms with typing changes. `after` is LOG_START for a new connection.
    """

    request: SlidingRequest
    reader: UserId
    session_key: str
    connection: Connection
    room_list: RoomList
    after: LogPosition
    until: LogPosition
    news: News
    typing: Collection[RoomId]
    ignored: Collection[UserId]

    @property
    def is_first(self) -> bool:
        return self.request.pos is None

    @property
    def begun(self) -> int:
        """The position of the connection's first response."""
        return self.until if self.request.pos is None else self.request.pos.begun

    @property
    def chain(self) -> str:
        """Names the chain of responses from the connection's first one on."""
        return f"{self.session_key} {self.begun} {self.request.conn_id}"

    @property
    def keys_from(self) -> LogPosition:
        """The position up to which the client was sent changed device lists."""
        return self.after if self.connection.keys_from is None else self.connection.keys_from

    def base(self, room_id: RoomId) -> LogPosition:
        """The position up to which a room was sent; LOG_START if it was not."""
        sent = self.connection.rooms.get(room_id)
        if sent is None:
            return LOG_START
        return self.after if sent.at is None else sent.at

    def has_moved(self, row: OwnRoom, base: LogPosition) -> bool:
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
