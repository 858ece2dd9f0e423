"""The parameters of a sync, and the range of the log that it covers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from homeserver.model import LogPosition
from homeserver.protocol.filters import Filter
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.realtime.presence import PresenceState
from homeserver.services.sync.changes import News
from homeserver.services.sync.tokens import SyncToken
from homeserver.storage.sync import OwnRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Parameters of a sync. `since`: None for an initial sync. `state_after`: the key under which a room's state after
    its timeline is sent instead of the state before. `presence`: `set_presence`. `is_old`: for the endpoints before
    /sync, whose events have a room_id, and which have no to-device messages."""

    since: SyncToken | None = None
    filter: Filter = field(default_factory=Filter)
    full_state: bool = False
    timeout_s: float = 0.0
    state_after: str | None = None
    presence: PresenceState = "online"
    is_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncContext:
    """The log entries of one sync: everything after `after` up to `until`, for a reader with member events in the rooms
    `own`, who is joined to those in `joined`. `chain`: names the chain of syncs from the client's first one on."""

    request: SyncRequest
    reader: UserId
    chain: str
    own: Mapping[RoomId, OwnRoom]
    joined: Collection[RoomId]
    after: LogPosition
    until: LogPosition
    news: News
    typing: Collection[RoomId]
    ignored: Collection[UserId]

    @property
    def is_first(self) -> bool:
        return self.request.since is None

    @property
    def wants_all(self) -> bool:
        """True if unchanged rooms are to be included."""
        return self.is_first or self.request.full_state

    @property
    def moves(self) -> list[OwnRoom]:
        """The rooms in which the reader's own membership was set in this range."""
        return [row for row in self.own.values() if self.moved(row)] if self.news.own else []

    def moved(self, row: OwnRoom) -> bool:
        """True if the reader's own membership of the room was set in this range."""
        return row.position > self.after
