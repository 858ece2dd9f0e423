"""Request and response bodies of sliding sync (MSC4186, with the unstable names that clients use)."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.folding import fold
from homeserver.http.body import Body, Flag, Query, QueryInt
from homeserver.model import LOG_START, LogPosition
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.sliding.request import (
    Config,
    ExtensionsRequest,
    ListRequest,
    Required,
    RoomFilters,
    Scope,
    ToDeviceRequest,
)

_Key = Annotated[str, Field(max_length=255)]
_Keys = Annotated[list[_Key], Field(max_length=1000)]
_Place = Annotated[int, Field(ge=0, le=2**53 - 1)]


class SlidingQuery(Query):
    """`timeout` in milliseconds."""

    pos: str | None = Field(default=None, max_length=200)
    timeout: QueryInt = Field(default=0, ge=0)
    set_presence: Literal["offline", "online", "unavailable"] = "online"


class RoomConfig(Body):
    timeline_limit: int = Field(default=0, ge=0, le=10_000)
    required_state: list[tuple[_Key, _Key]] = Field(default_factory=list, max_length=1000)

    def config(self, reader: UserId) -> Config:
        """The service's record of this body."""
        return Config(self.timeline_limit, Required.of(self.required_state, reader))


class Filters(Body):
    is_dm: Flag | None = None
    is_encrypted: Flag | None = None
    is_invite: Flag | None = None
    room_types: Annotated[list[_Key | None], Field(max_length=100)] | None = None
    not_room_types: Annotated[list[_Key | None], Field(max_length=100)] | None = None
    spaces: Annotated[list[_Key], Field(max_length=100)] | None = None
    tags: _Keys | None = None
    not_tags: _Keys | None = None
    room_name_like: str = Field(default="", max_length=255)

    def read(self) -> RoomFilters:
        """The service's record of this body."""
        return RoomFilters(
            is_dm=self.is_dm,
            is_encrypted=self.is_encrypted,
            is_invite=self.is_invite,
            room_types=None if self.room_types is None else frozenset(self.room_types),
            not_room_types=frozenset(self.not_room_types or ()),
            spaces=None if self.spaces is None else [RoomId(space) for space in self.spaces],
            tags=None if self.tags is None else frozenset(self.tags),
            not_tags=frozenset(self.not_tags or ()),
            name=fold(self.room_name_like),
        )


class RoomList(RoomConfig):
    ranges: Annotated[list[tuple[_Place, _Place]], Field(max_length=100)] | None = None
    filters: Filters | None = None

    def read(self, reader: UserId) -> ListRequest:
        """The service's record of this body."""
        filters = Filters() if self.filters is None else self.filters
        return ListRequest(self.ranges, self.config(reader), filters.read())


class Extension(Body):
    enabled: Flag | None = None
    lists: _Keys | None = None
    rooms: _Keys | None = None

    def scope(self) -> Scope:
        """The service's record of this body."""
        whole = Scope()
        lists = whole.lists if self.lists is None else self.lists
        return Scope(bool(self.enabled), lists, whole.rooms if self.rooms is None else self.rooms)


class ToDevice(Body):
    enabled: Flag | None = None
    since: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Field(ge=0, le=10_000)] | None = None

    def read(self) -> ToDeviceRequest:
        """The service's record of this body."""
        return ToDeviceRequest(bool(self.enabled), LogPosition(int(self.since or LOG_START)), self.limit)


class ExtensionBodies(Body):
    to_device: ToDevice = Field(default_factory=ToDevice)
    e2ee: Extension = Field(default_factory=Extension)
    account_data: Extension = Field(default_factory=Extension)
    receipts: Extension = Field(default_factory=Extension)
    typing: Extension = Field(default_factory=Extension)

    def read(self) -> ExtensionsRequest:
        """The service's record of this body."""
        return ExtensionsRequest(
            to_device=self.to_device.read(),
            e2ee=bool(self.e2ee.enabled),
            account_data=self.account_data.scope(),
            receipts=self.receipts.scope(),
            typing=self.typing.scope(),
        )


class SlidingBody(Body):
    """Unknown keys are ignored; the sticky parameters of MSC3575 do not exist in MSC4186."""

    conn_id: str = Field(default="", max_length=255)
    lists: dict[_Key, RoomList] = Field(default_factory=dict, max_length=100)
    room_subscriptions: dict[_Key, RoomConfig] = Field(default_factory=dict, max_length=1000)
    extensions: ExtensionBodies = Field(default_factory=ExtensionBodies)
    txn_id: str | None = Field(default=None, max_length=255)


class SlidingAnswer(TypedDict):
    pos: str
    lists: dict[str, dict[str, int]]
    rooms: dict[str, dict[str, Any]]
    extensions: dict[str, Any]
    txn_id: NotRequired[str]
