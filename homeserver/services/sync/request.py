"""What a client asks of a sync, and the stretch of the log that it is about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from homeserver.protocol.filters import Filter
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.realtime.presence import PresenceState
from homeserver.services.sync.changes import News
from homeserver.services.sync.tokens import SyncToken
from homeserver.storage.sync import OwnRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """`since`: None for a first sync. `state_after`: the name under which a room's state after its timeline is wanted
    instead of that before. `presence`: how the client shows its person. `is_old`: for the calls before /sync, whose
    events name their rooms, and which know no messages to devices."""

    since: SyncToken | None = None
    filter: Filter = field(default_factory=Filter)
    full_state: bool = False
    timeout_s: float = 0.0
    state_after: str | None = None
    presence: PresenceState = "online"
    is_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncContext:
    """One look at the log: everything after `after` up to `until`, for a reader who has the rooms `own` and is in those
    that are `joined`."""

    request: SyncRequest
    reader: UserId
    own: Mapping[RoomId, OwnRoom]
    joined: Collection[RoomId]
    after: int
    until: int
    news: News
    typing: Collection[RoomId]
    ignored: Collection[UserId]

    @property
    def is_first(self) -> bool:
        return self.request.since is None

    @property
    def wants_all(self) -> bool:
        """Whether rooms are wanted in which nothing happened."""
        return self.is_first or self.request.full_state

    @property
    def moves(self) -> list[OwnRoom]:
        """Where the reader's own membership was set in this stretch."""
        return [row for row in self.own.values() if self.moved(row)] if self.news.own else []

    def moved(self, row: OwnRoom) -> bool:
        """Whether the reader's own membership was set in this stretch."""
        return row.position > self.after
