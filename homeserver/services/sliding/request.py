"""The parameters of a sliding sync request. None are sticky: each request has all of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.realtime.presence import PresenceState
from homeserver.services.sliding.tokens import Pos

MEMBER: Final = "m.room.member"
ANY: Final = "*"
LAZY: Final = "$LAZY"
ME: Final = "$ME"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Required:
    """`required_state`: pairs of type and state key, either may be `*`; `$LAZY`: members of the shown senders."""

    pairs: frozenset[Pair] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[Pair], reader: UserId) -> Self:
        """From the request's pairs; `$ME` is replaced by the reader."""
        return cls(frozenset((kind, reader if key == ME else key) for kind, key in pairs))

    def __or__(self, other: "Required") -> "Required":
        return self if other.pairs <= self.pairs else Required(self.pairs | other.pairs)

    @property
    def is_lazy(self) -> bool:
        return (MEMBER, LAZY) in self.pairs

    @property
    def types(self) -> frozenset[str] | None:
        """The event types to load; None for all. m.room.member only if all members are required."""
        kinds = {kind for kind, _ in self.pairs}
        if ANY in kinds:
            return None
        return frozenset(kinds if self.everybody else kinds - {MEMBER})

    @property
    def everybody(self) -> bool:
        """True if all members are required. `*` for all state excludes them if some members are named as well."""
        if (MEMBER, ANY) in self.pairs:
            return True
        return (ANY, ANY) in self.pairs and not any(kind == MEMBER for kind, _ in self.pairs)

    @property
    def people(self) -> set[UserId]:
        """The user ids whose member events are required by state key."""
        return {UserId(key) for kind, key in self.pairs if kind in (MEMBER, ANY) and key[:1] == "@"}

    def admits(self, kind: str, key: str) -> bool:
        """True if a state event with this type and key is required."""
        if (kind, key) in self.pairs or (kind, ANY) in self.pairs or (ANY, key) in self.pairs:
            return True
        return (ANY, ANY) in self.pairs and (kind != MEMBER or self.everybody)


class Config(NamedTuple):
    """Timeline limit and required state of a room."""

    limit: int
    required: Required

    def joined(self, other: "Config") -> "Config":
        """The configuration that covers both."""
        return Config(max(self.limit, other.limit), self.required | other.required)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFilters:
    """Filters of a list; None: not filtered. Room types may be None, for rooms without one. `name`: a part of the name,
    folded."""

    is_dm: bool | None = None
    is_encrypted: bool | None = None
    is_invite: bool | None = None
    room_types: Collection[str | None] | None = None
    not_room_types: Collection[str | None] = ()
    spaces: Collection[RoomId] | None = None
    tags: Collection[str] | None = None
    not_tags: Collection[str] = ()
    name: str = ""

    @property
    def asks_for_facts(self) -> bool:
        """True if a filter depends on room state."""
        return self.is_encrypted is not None or self.room_types is not None or bool(self.not_room_types)


class ListRequest(NamedTuple):
    """A list and its `ranges`, both ends inclusive; None: the whole list."""

    ranges: Sequence[tuple[int, int]] | None
    config: Config
    filters: RoomFilters


class Scope(NamedTuple):
    """An extension's parameters: enabled, and for which lists and subscribed rooms; `*` stands for all."""

    enabled: bool = False
    lists: Collection[str] = (ANY,)
    rooms: Collection[str] = (ANY,)


class ToDeviceRequest(NamedTuple):
    """Parameters of the to_device extension: messages up to `since` are acknowledged."""

    enabled: bool = False
    since: LogPosition = LOG_START
    limit: int | None = None


class ExtensionsRequest(NamedTuple):
    to_device: ToDeviceRequest = ToDeviceRequest()
    e2ee: bool = False
    account_data: Scope = Scope()
    receipts: Scope = Scope()
    typing: Scope = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingRequest:
    """A sliding sync request. `pos`: None starts a new connection. `presence`: `set_presence`."""

    pos: Pos | None = None
    conn_id: str = ""
    timeout_s: float = 0.0
    presence: PresenceState = "online"
    lists: Mapping[str, ListRequest] = field(default_factory=dict)
    subscriptions: Mapping[RoomId, Config] = field(default_factory=dict)
    extensions: ExtensionsRequest = field(default_factory=ExtensionsRequest)
