"""Searching messages."""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.api.matrix.filters import event_filter_of
from homeserver.api.matrix.tokens import token_of
from homeserver.errors import Invalid
from homeserver.http.body import Body, Flag, Query
from homeserver.http.routes import Call, Route
from homeserver.model import LogPosition
from homeserver.protocol.event import Event
from homeserver.services.events.rendering import Rendering
from homeserver.services.search.messages import (
    ContextRequest,
    Found,
    Group,
    Hit,
    MessageSearch,
    SearchPlace,
    SearchRequest,
)

_NEXT: Final = re.compile(r"([0-9]{1,19})\.([0-9]{1,9})(?:\.(room_id|sender)\.(.+))?")
_KEYS: Final = ("content.body", "content.name", "content.topic")


class EventContext(Body):
    before_limit: int = Field(default=5, ge=0, le=2**53 - 1)
    after_limit: int = Field(default=5, ge=0, le=2**53 - 1)
    include_profile: Flag = False


class GroupKey(Body):
    key: Literal["room_id", "sender"]


class Groupings(Body):
    group_by: list[GroupKey] = Field(default=[], max_length=10)


class RoomEvents(Body):
    search_term: str = Field(max_length=2000)
    keys: list[Literal["content.body", "content.name", "content.topic"]] = Field(
        default=[*_KEYS], max_length=10
    )
    filter: dict[str, Any] = Field(default={})
    order_by: Literal["recent", "rank"] = "rank"
    event_context: EventContext | None = None
    include_state: Flag = False
    groupings: Groupings = Groupings()


class Categories(Body):
    room_events: RoomEvents | None = None


class Search(Body):
    search_categories: Categories


class SearchQuery(Query):
    next_batch: str | None = Field(default=None, max_length=1000)


class Results(TypedDict):
    """The results of one category."""

    count: int
    highlights: list[str]
    results: list[Any]
    next_batch: NotRequired[str]
    state: NotRequired[dict[str, Any]]
    groups: NotRequired[dict[str, Any]]


class FoundCategories(TypedDict):
    room_events: NotRequired[Results]


class SearchAnswer(TypedDict):
    search_categories: FoundCategories


class SearchCalls:
    """The handler of search. `max_around`: most events of context before and after a result."""

    def __init__(self, search: MessageSearch, rendering: Rendering, *, max_around: int) -> None:
        self._search = search
        self._rendering = rendering
        self._max_around = max_around

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "POST",
                "/client/v3/search",
                self.search,
                "Search messages",
                body=Search,
                query=SearchQuery,
                answer=SearchAnswer,
            ),
        )

    async def search(self, call: Call[Search, SearchQuery]) -> SearchAnswer:
        """`POST /_matrix/client/v3/search`: search the messages of the rooms that the user is or was in.

        Spec: client-server API, "Search".
        Errors: M_INVALID_PARAM (not a token), M_BAD_JSON.
        """
        asked = call.body.search_categories.room_events
        if asked is None:
            return {"search_categories": {}}
        request = SearchRequest(
            term=asked.search_term,
            keys=asked.keys,
            filter=event_filter_of(asked.filter),
            by_rank=asked.order_by == "rank",
            surround=self._surround(asked.event_context),
            with_state=asked.include_state,
            groups=[one.key for one in asked.groupings.group_by],
            place=_place(call.query.next_batch),
        )
        found = await self._search.search(call.requester, request)
        return {"search_categories": {"room_events": await self._results(call, found)}}

    def _surround(self, wanted: EventContext | None) -> ContextRequest | None:
        if wanted is None:
            return None
        before, after = (min(one, self._max_around) for one in (wanted.before_limit, wanted.after_limit))
        return ContextRequest(before, after, wanted.include_profile)

    async def _results(self, call: Call[Search, SearchQuery], found: Found) -> Results:
        pages = [(hit.viewer, [hit.event, *hit.before, *hit.after]) for hit in found.hits]
        made = await self._rendering.pages(call.requester, pages)
        answer: Results = {
            "count": found.count,
            "highlights": [*found.words],
            "results": [_result(hit, events) for hit, events in zip(found.hits, made, strict=True)],
        }
        if found.next is not None:
            answer["next_batch"] = _token(found.next)
        if found.states is not None:
            outlooks = {hit.event.event.room_id: hit.viewer for hit in found.hits}
            states = await self._rendering.states(
                [(outlooks[room_id], state.values()) for room_id, state in found.states.items()]
            )
            answer["state"] = dict(zip(found.states, states, strict=True))
        if found.groups:
            answer["groups"] = {
                key: {value: _group(group, order) for order, (value, group) in enumerate(groups.items(), 1)}
                for key, groups in found.groups.items()
            }
        return answer


def _result(hit: Hit, events: Sequence[Any]) -> dict[str, Any]:
    """`events`: the result itself, then what is before it, then what is after it."""
    result: dict[str, Any] = {"rank": hit.rank, "result": events[0]}
    if hit.start is not None and hit.end is not None:
        middle = 1 + len(hit.before)
        result["context"] = {
            "start": token_of(hit.start),
            "end": token_of(hit.end),
            "events_before": [*events[1:middle]],
            "events_after": [*events[middle:]],
        }
        if hit.members is not None:
            profiles = {user_id: _profile(member) for user_id, member in hit.members.items()}
            result["context"]["profile_info"] = profiles
    return result


def _profile(member: Event) -> dict[str, str]:
    """The profile in a member event."""
    names = ("displayname", "avatar_url")
    return {name: text for name in names if isinstance(text := member.content.get(name), str)}


def _group(group: Group, order: int) -> dict[str, Any]:
    more = {} if group.next is None else {"next_batch": _token(group.next)}
    return {"order": order, "results": [*group.event_ids], **more}


def _token(place: SearchPlace) -> str:
    token = f"{place.until}.{place.given}"
    return f"{token}.{place.key}.{place.value}" if place.key else token


def _place(token: str | None) -> SearchPlace:
    if token is None:
        return SearchPlace()
    found = _NEXT.fullmatch(token)
    if found is None or int(found[1]) >= 2**63:
        raise Invalid("not a valid token", code="bad_token")
    return SearchPlace(LogPosition(int(found[1])), int(found[2]), found[3] or "", found[4] or "")
