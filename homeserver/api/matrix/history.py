"""Reading rooms: messages, events, state, members, threads and relations."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from homeserver.api.matrix import historyschemas as schemas
from homeserver.api.matrix.filters import event_filter
from homeserver.api.matrix.historyschemas import (
    ContextQuery,
    MembersQuery,
    MessagesQuery,
    RelationsQuery,
    StateQuery,
    ThreadsQuery,
    TimeQuery,
)
from homeserver.api.matrix.tokens import place_of, token_of
from homeserver.errors import NotFound
from homeserver.http.routes import Call, Route
from homeserver.protocol.event import Event
from homeserver.protocol.filters import EventFilter
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.events.history import MAX_DEPTH, History, HistoryPage, RelationsRequest, members_in
from homeserver.services.events.rendering import Rendering

AnyCall = Call[None, Any]
_ROOM: Final = "/client/v3/rooms/{room_id}"
_ROOM_V1: Final = "/client/v1/rooms/{room_id}"


class HistoryCalls:
    """The handlers that read events. `max_page`: most events in one answer."""

    def __init__(self, history: History, rendering: Rendering, *, max_page: int) -> None:
        self._history = history
        self._rendering = rendering
        self._max_page = max_page

    def routes(self) -> Sequence[Route]:
        """The routes."""
        related, related_query = f"{_ROOM_V1}/relations/{{event_id}}", (schemas.Related, RelationsQuery)
        piece, piece_query = f"{_ROOM}/state/{{type}}", (dict[str, Any], StateQuery)
        messages, around = (schemas.Messages, MessagesQuery), (schemas.Context, ContextQuery)
        everybody = partial(_get, guests=True)
        return (
            everybody(f"{_ROOM}/messages", self.messages, "Get a page of messages", *messages),
            everybody(f"{_ROOM}/event/{{event_id}}", self.event, "Get an event", dict[str, Any]),
            everybody(
                f"{_ROOM}/context/{{event_id}}", self.context, "Get the events around an event", *around
            ),
            everybody(f"{_ROOM}/state", self.state, "Get a room's state", list[Any]),
            everybody(f"{piece}/{{state_key}}", self.state_event, "Get a state event", *piece_query),
            everybody(piece, self.state_event, "Get a state event with an empty state key", *piece_query),
            everybody(
                f"{_ROOM}/members", self.members, "Get a room's member events", schemas.Members, MembersQuery
            ),
            _get(
                f"{_ROOM}/joined_members", self.joined, "List a room's joined members", schemas.JoinedMembers
            ),
            _get(
                f"{_ROOM_V1}/timestamp_to_event",
                self.at_time,
                "Find the event closest to a timestamp",
                schemas.TimestampToEvent,
                TimeQuery,
            ),
            _get(f"{_ROOM_V1}/threads", self.threads, "List a room's threads", schemas.Threads, ThreadsQuery),
            _get(
                f"{related}/{{rel_type}}/{{event_type}}",
                self.related,
                "List the events related to an event",
                *related_query,
            ),
            _get(
                f"{related}/{{rel_type}}", self.related, "List the events related to an event", *related_query
            ),
            _get(related, self.related, "List the events related to an event", *related_query),
        )

    async def messages(self, call: Call[None, MessagesQuery]) -> schemas.Messages:
        """`GET /_matrix/client/v3/rooms/{room_id}/messages`: a page of the room's events before or after a
        token.

        With lazy loading, `state` holds the member events of the senders.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (token), M_BAD_JSON (filter).
        """
        query = call.query
        wanted = event_filter(query.filter)
        page = await self._history.page(
            call.requester,
            _room(call),
            direction=query.dir,
            start=place_of(query.from_),
            until=place_of(query.to),
            limit=min(query.limit, self._max_page),
        )
        passing = [one for one in page.events if wanted.passes(one.event)]
        shown = await self._history.having_related(passing, wanted)
        answer: schemas.Messages = {
            "chunk": [*await self._rendering.page(call.requester, page.viewer, shown)],
            "start": token_of(page.start),
        }
        if page.end is not None:
            answer["end"] = token_of(page.end)
        if wanted.lazy_load_members and shown:
            place = max(one.place for one in shown)
            _, state = await self._history.state_at(call.requester, _room(call), place)
            senders = {one.event.sender for one in shown}
            members = [one for user_id, one in members_in(state).items() if user_id in senders]
            answer["state"] = [*await self._rendering.state(page.viewer, members)]
        return answer

    async def event(self, call: Call[None, None]) -> Any:
        """`GET /_matrix/client/v3/rooms/{room_id}/event/{event_id}`: get an event of a room.

        Spec: client-server API, "Room participation".
        Errors: M_NOT_FOUND (also for events that the user may not see).
        """
        viewer, found = await self._history.event(call.requester, _room(call), _event(call))
        (made,) = await self._rendering.page(call.requester, viewer, [found])
        return made

    async def context(self, call: Call[None, ContextQuery]) -> schemas.Context:
        """`GET /_matrix/client/v3/rooms/{room_id}/context/{event_id}`: get an event and the events before and
        after it.

        `limit` counts both sides together.

        Spec: client-server API, "Room participation".
        Errors: M_NOT_FOUND, M_BAD_JSON (filter).
        """
        wanted = event_filter(call.query.filter)
        limit = min(call.query.limit, self._max_page)
        found = await self._history.around(call.requester, _room(call), _event(call), limit=limit)
        render, who, viewer = self._rendering.page, call.requester, found.viewer
        before = [one for one in found.before if wanted.passes(one.event)]
        after = [one for one in found.after if wanted.passes(one.event)]
        state = [event for event in found.state.values() if _is_wanted(event, wanted)]
        if wanted.lazy_load_members:
            senders = {one.event.sender for one in (found.event, *before, *after)}
            state = [one for one in state if one.type != "m.room.member" or one.state_key in senders]
        (event,) = await render(who, viewer, [found.event])
        return {
            "event": event,
            "events_before": [*await render(who, viewer, before)],
            "events_after": [*await render(who, viewer, after)],
            "state": [*await self._rendering.state(viewer, state)],
            "start": token_of(found.start),
            "end": token_of(found.end),
        }

    async def state(self, call: Call[None, None]) -> list[Any]:
        """`GET /_matrix/client/v3/rooms/{room_id}/state`: get all state events.

        For users who have left, as it was then.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        viewer, found = await self._history.state(call.requester, _room(call))
        return [*await self._rendering.state(viewer, found.values())]

    async def state_event(self, call: Call[None, StateQuery]) -> Any:
        """`GET /_matrix/client/v3/rooms/{room_id}/state/{type}/{state_key}`,
        `GET /_matrix/client/v3/rooms/{room_id}/state/{type}`: get the content of a state event, or with
        `format=event` the whole event.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        key = call.text("type"), call.path.get("state_key", "")
        viewer, state = await self._history.state(call.requester, _room(call))
        found = state.get(key)
        if found is None:
            raise NotFound("no such state event", code="state_not_found")
        if call.query.format == "event":
            return (await self._rendering.state(viewer, [found]))[0]
        return found.content

    async def members(self, call: Call[None, MembersQuery]) -> schemas.Members:
        """`GET /_matrix/client/v3/rooms/{room_id}/members`: get the member events, as they are now or as they
        were `at` a token.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (token).
        """
        query, place = call.query, place_of(call.query.at)
        if place is None:
            viewer, state = await self._history.state(call.requester, _room(call))
        else:
            viewer, state = await self._history.state_at(call.requester, _room(call), place)
        found = [event for event in members_in(state).values() if _matches(event, query)]
        return {"chunk": [*await self._rendering.state(viewer, found)]}

    async def joined(self, call: Call[None, None]) -> schemas.JoinedMembers:
        """`GET /_matrix/client/v3/rooms/{room_id}/joined_members`: list the joined members with their display
        names and avatars.

        For joined members only.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        state = await self._history.now_joined(call.requester, _room(call))
        return {
            "joined": {
                user_id: _profile(event.content)
                for user_id, event in members_in(state).items()
                if event.membership == "join"
            }
        }

    async def at_time(self, call: Call[None, TimeQuery]) -> schemas.TimestampToEvent:
        """`GET /_matrix/client/v1/rooms/{room_id}/timestamp_to_event`: find the first event after, or the
        last event before, a timestamp.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        query = call.query
        found = await self._history.near(call.requester, _room(call), at_ms=query.ts, direction=query.dir)
        return {"event_id": found.event.event_id, "origin_server_ts": found.event.origin_server_ts}

    async def threads(self, call: Call[None, ThreadsQuery]) -> schemas.Threads:
        """`GET /_matrix/client/v1/rooms/{room_id}/threads`: a page of the thread roots, most recently active
        first.

        Spec: client-server API, "Threads".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (token).
        """
        query = call.query
        page = await self._history.threads(
            call.requester,
            _room(call),
            own_only=query.include == "participated",
            start=place_of(query.from_),
            limit=min(query.limit, self._max_page),
        )
        answer: schemas.Threads = {"chunk": await self._chunk(call, page)}
        if page.end is not None:
            answer["next_batch"] = token_of(page.end)
        return answer

    async def related(self, call: Call[None, RelationsQuery]) -> schemas.Related:
        """`GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}/{rel_type}/{event_type}`,
        `GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}/{rel_type}`,
        `GET /_matrix/client/v1/rooms/{room_id}/relations/{event_id}`: a page of the events that relate to an
        event, of all types or of one.

        Spec: client-server API, "Event relationships".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM (token).
        """
        query = call.query
        request = RelationsRequest(
            rel_type=call.path.get("rel_type"),
            event_type=call.path.get("event_type"),
            forward=query.dir == "f",
            start=place_of(query.from_),
            until=place_of(query.to),
            recurse=query.recurse,
            limit=min(query.limit, self._max_page),
        )
        page = await self._history.related(call.requester, _room(call), _event(call), request)
        answer: schemas.Related = {"chunk": await self._chunk(call, page)}
        if page.end is not None:
            answer["next_batch"] = token_of(page.end)
        if query.from_ is not None:
            answer["prev_batch"] = query.from_
        if query.recurse:
            answer["recursion_depth"] = MAX_DEPTH
        return answer

    async def _chunk(self, call: AnyCall, page: HistoryPage) -> list[Any]:
        return [*await self._rendering.page(call.requester, page.viewer, page.events)]


def _get(
    path: str, handler: Any, summary: str, answer: Any, query: Any = None, *, guests: bool = False
) -> Route:
    return Route("GET", path, handler, summary, query=query, answer=answer, guests=guests)


def _room(call: AnyCall) -> RoomId:
    return RoomId(call.text("room_id"))


def _event(call: AnyCall) -> EventId:
    return EventId(call.text("event_id"))


def _is_wanted(event: Event, wanted: EventFilter) -> bool:
    return wanted.passes(event)


def _matches(member: Event, query: MembersQuery) -> bool:
    """Whether a member event matches the query; of two conditions one suffices, as the specification says."""
    if query.membership is None or query.not_membership is None:
        return query.membership in (None, member.membership) and query.not_membership != member.membership
    return query.membership == member.membership or query.not_membership != member.membership


def _profile(content: Mapping[str, Any]) -> schemas.JoinedMember:
    answer: schemas.JoinedMember = {}
    if isinstance(name := content.get("displayname"), str):
        answer["display_name"] = name
    if isinstance(picture := content.get("avatar_url"), str):
        answer["avatar_url"] = picture
    return answer
