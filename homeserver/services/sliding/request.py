"""What a client asks of sliding sync. Nothing is remembered from one request to the next: each says everything."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

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
    """Which state is wanted: pairs of type and key, either of which may be a star; `$LAZY` members as they write."""

    pairs: frozenset[Pair] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[Pair], reader: UserId) -> Self:
        """Those that a client named; `$ME` is the reader."""
        return cls(frozenset((kind, reader if key == ME else key) for kind, key in pairs))

    def __or__(self, other: "Required") -> "Required":
        return self if other.pairs <= self.pairs else Required(self.pairs | other.pairs)

    @property
    def is_lazy(self) -> bool:
        return (MEMBER, LAZY) in self.pairs

    @property
    def types(self) -> frozenset[str] | None:
        """The types that have to be looked at; None for all. Members only if everybody is wanted."""
        kinds = {kind for kind, _ in self.pairs}
        if ANY in kinds:
            return None
        return frozenset(kinds if self.everybody else kinds - {MEMBER})

    @property
    def everybody(self) -> bool:
        """Whether all members are wanted. All state is without them, if some of them are named besides."""
        if (MEMBER, ANY) in self.pairs:
            return True
        return (ANY, ANY) in self.pairs and not any(kind == MEMBER for kind, _ in self.pairs)

    @property
    def people(self) -> set[UserId]:
        """Whose member events are wanted by name."""
        return {UserId(key) for kind, key in self.pairs if kind in (MEMBER, ANY) and key[:1] == "@"}

    def admits(self, kind: str, key: str) -> bool:
        """Whether a piece of state is wanted."""
        if (kind, key) in self.pairs or (kind, ANY) in self.pairs or (ANY, key) in self.pairs:
            return True
        return (ANY, ANY) in self.pairs and (kind != MEMBER or self.everybody)


class Config(NamedTuple):
    """What is wanted of a room: at most so many events, and which state."""

    limit: int
    required: Required

    def joined(self, other: "Config") -> "Config":
        """What contains both."""
        return Config(max(self.limit, other.limit), self.required | other.required)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFilters:
    """Which rooms a list has. None: not asked. Types may be None, for rooms without one. `name`: a part of it."""

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
        """Whether what the state says decides."""
        return self.is_encrypted is not None or self.room_types is not None or bool(self.not_room_types)


class ListRequest(NamedTuple):
    """A list, of which the windows `ranges` are looked at (both ends are in them); None: all of it."""

    ranges: Sequence[tuple[int, int]] | None
    config: Config
    filters: RoomFilters


class Scope(NamedTuple):
    """Whether an extension is wanted, and for which lists and subscribed rooms; a star is all of them."""

    enabled: bool = False
    lists: Collection[str] = (ANY,)
    rooms: Collection[str] = (ANY,)


class ToDeviceRequest(NamedTuple):
    """Messages to the device: those up to `since` have arrived."""

    enabled: bool = False
    since: int = 0
    limit: int | None = None


class ExtensionsRequest(NamedTuple):
    to_device: ToDeviceRequest = ToDeviceRequest()
    e2ee: bool = False
    account_data: Scope = Scope()
    receipts: Scope = Scope()
    typing: Scope = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingRequest:
    """`pos`: where the connection stands; None begins it anew. `presence`: how the client shows its person."""

    pos: Pos | None = None
    conn_id: str = ""
    timeout_s: float = 0.0
    presence: PresenceState = "online"
    lists: Mapping[str, ListRequest] = field(default_factory=dict)
    subscriptions: Mapping[RoomId, Config] = field(default_factory=dict)
    extensions: ExtensionsRequest = field(default_factory=ExtensionsRequest)
