"""Request and response bodies of aliases, the room directory, spaces and upgrades."""

from typing import Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.http.body import Body, Flag, Query, QueryInt


class AliasTarget(Body):
    room_id: str = Field(max_length=255)


class Visibility(Body):
    visibility: Literal["public", "private"] = "public"


class ServerQuery(Query):
    server: str | None = Field(default=None, max_length=255)


class PublicRoomsQuery(ServerQuery):
    limit: QueryInt | None = None
    since: str | None = Field(default=None, max_length=100)


class RoomFilter(Body):
    generic_search_term: str | None = Field(default=None, max_length=1000)
    room_types: list[str | None] | None = Field(default=None, max_length=100)


class PublicRooms(Body):
    """The body of POST publicRooms."""

    limit: int | None = None
    since: str | None = Field(default=None, max_length=100)
    filter: RoomFilter = RoomFilter()
    include_all_networks: Flag = False
    third_party_instance_id: str | None = Field(default=None, max_length=255)


class HierarchyQuery(Query):
    suggested_only: bool = False
    limit: QueryInt | None = Field(default=None, ge=1)
    max_depth: QueryInt | None = Field(default=None, ge=0)
    from_: str | None = Field(default=None, alias="from", max_length=100)


class MutualQuery(Query):
    user_id: str = Field(max_length=255)
    from_: str | None = Field(default=None, alias="from", max_length=100)


class Upgrade(Body):
    new_version: str = Field(max_length=32)
    additional_creators: list[str] = Field(default_factory=list, max_length=1000)


class AliasAnswer(TypedDict):
    room_id: str
    servers: list[str]


class Aliases(TypedDict):
    aliases: list[str]


class VisibilityAnswer(TypedDict):
    visibility: Literal["public", "private"]


class PublicRoom(TypedDict):
    room_id: str
    num_joined_members: int
    world_readable: bool
    guest_can_join: bool
    join_rule: str
    name: NotRequired[str]
    topic: NotRequired[str]
    canonical_alias: NotRequired[str]
    avatar_url: NotRequired[str]
    room_type: NotRequired[str]


class PublicRoomsPage(TypedDict):
    chunk: list[PublicRoom]
    total_room_count_estimate: int
    next_batch: NotRequired[str]
    prev_batch: NotRequired[str]


class RoomSummary(PublicRoom):
    room_version: str
    allowed_room_ids: NotRequired[list[str]]
    encryption: NotRequired[str]
    membership: NotRequired[str]


class HierarchyRoom(RoomSummary):
    children_state: list[dict[str, Any]]


class Hierarchy(TypedDict):
    rooms: list[HierarchyRoom]
    next_batch: NotRequired[str]


class MutualRooms(TypedDict):
    joined: list[str]
    count: int
    next_batch: NotRequired[str]


class UpgradedRoom(TypedDict):
    replacement_room: str
