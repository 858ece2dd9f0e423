"""Request and response bodies of the handlers that read rooms. Events are ready JSON."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.http.body import Query, QueryInt

Flag = Annotated[bool, Field()]
_TOKEN = Field(default=None, max_length=200)


class MessagesQuery(Query):
    dir: Literal["b", "f"]
    from_: str | None = Field(default=None, max_length=200, alias="from")
    to: str | None = _TOKEN
    limit: QueryInt = Field(default=10, ge=0)
    filter: str | None = Field(default=None, max_length=20_000)


class ContextQuery(Query):
    limit: QueryInt = Field(default=10, ge=0)
    filter: str | None = Field(default=None, max_length=20_000)


class StateQuery(Query):
    format: Literal["content", "event"] = "content"


class MembersQuery(Query):
    at: str | None = _TOKEN
    membership: Literal["join", "invite", "knock", "leave", "ban"] | None = None
    not_membership: Literal["join", "invite", "knock", "leave", "ban"] | None = None


class RelationsQuery(Query):
    dir: Literal["b", "f"] = "b"
    from_: str | None = Field(default=None, max_length=200, alias="from")
    to: str | None = _TOKEN
    limit: QueryInt = Field(default=10, ge=1)
    recurse: Flag = False


class ThreadsQuery(Query):
    include: Literal["all", "participated"] = "all"
    from_: str | None = Field(default=None, max_length=200, alias="from")
    limit: QueryInt = Field(default=10, ge=1)


class TimeQuery(Query):
    ts: QueryInt = Field(ge=0)
    dir: Literal["b", "f"]


class Messages(TypedDict):
    chunk: list[Any]
    start: str
    end: NotRequired[str]
    state: NotRequired[list[Any]]


class Context(TypedDict):
    event: Any
    events_before: list[Any]
    events_after: list[Any]
    state: list[Any]
    start: str
    end: str


class Members(TypedDict):
    chunk: list[Any]


class JoinedMember(TypedDict):
    display_name: NotRequired[str]
    avatar_url: NotRequired[str]


class JoinedMembers(TypedDict):
    joined: dict[str, JoinedMember]


class Related(TypedDict):
    chunk: list[Any]
    next_batch: NotRequired[str]
    prev_batch: NotRequired[str]
    recursion_depth: NotRequired[int]


class Threads(TypedDict):
    chunk: list[Any]
    next_batch: NotRequired[str]


class TimestampToEvent(TypedDict):
    event_id: str
    origin_server_ts: int
