"""The deprecated event streams from before /sync; some bots still use them."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from homeserver.http.body import Query, QueryInt
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.events.history import History
from homeserver.services.events.rendering import Rendering
from homeserver.services.sync.legacy import LegacySyncs
from homeserver.services.sync.tokens import SyncToken

_SHAPE: Final = dict[str, Any]


class InitialQuery(Query):
    limit: QueryInt = Field(default=10, ge=0)
    archived: Annotated[bool, Field()] = False


class EventsQuery(Query):
    """`timeout` in milliseconds. With `room_id`: of one room; a world-readable one need not be joined. `limit` is
    checked only: an answer has all that came."""

    from_: str | None = Field(default=None, alias="from", max_length=200)
    timeout: QueryInt = Field(default=0, ge=0)
    limit: QueryInt = Field(default=10, ge=0)
    room_id: str | None = Field(default=None, max_length=255)


class LegacySyncCalls:
    """The handlers of initialSync and events."""

    def __init__(self, syncs: LegacySyncs, history: History, rendering: Rendering) -> None:
        self._syncs = syncs
        self._history = history
        self._rendering = rendering

    def routes(self) -> Sequence[Route]:
        """The routes."""
        room = "/client/v3/rooms/{room_id}/initialSync"
        return (
            Route(
                "GET",
                "/client/v3/initialSync",
                self.initial,
                "Get the state of all rooms (deprecated)",
                query=InitialQuery,
                answer=_SHAPE,
            ),
            Route(
                "GET",
                room,
                self.initial_of,
                "Get the state of a room (deprecated)",
                query=InitialQuery,
                answer=_SHAPE,
                guests=True,
            ),
            Route(
                "GET",
                "/client/v3/events",
                self.events,
                "Wait for events (deprecated)",
                query=EventsQuery,
                answer=_SHAPE,
                guests=True,
            ),
            Route(
                "GET",
                "/client/v3/events/{event_id}",
                self.event,
                "Get an event without its room (deprecated)",
                answer=_SHAPE,
            ),
        )

    async def initial(self, call: Call[None, InitialQuery]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/initialSync`: a snapshot of all of the user's rooms.

        Spec: client-server API, "Room participation".
        """
        query = call.query
        return await self._syncs.initial(call.requester, limit=query.limit, archived=query.archived)

    async def initial_of(self, call: Call[None, InitialQuery]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/rooms/{room_id}/initialSync`: a snapshot of one room.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        room_id = RoomId(call.text("room_id"))
        return await self._syncs.initial_of(call.requester, room_id, limit=call.query.limit)

    async def events(self, call: Call[None, EventsQuery]) -> dict[str, Any]:
        """`GET /_matrix/client/v3/events`: events since a token; waits for up to `timeout` milliseconds if
        there are none.

        Spec: client-server API, "Room participation".
        Errors: M_INVALID_PARAM (not a token), M_FORBIDDEN.
        """
        query, requester = call.query, call.requester
        since = None if query.from_ is None else SyncToken.parse(query.from_)
        timeout_s = query.timeout / 1000
        if query.room_id is not None:
            return await self._syncs.events_of(requester, RoomId(query.room_id), since, timeout_s=timeout_s)
        return await self._syncs.events(requester, since, timeout_s=timeout_s)

    async def event(self, call: Call[None, None]) -> Any:
        """`GET /_matrix/client/v3/events/{event_id}`: get an event by its id alone.

        Spec: client-server API, "Room participation".
        Errors: M_NOT_FOUND.
        """
        event_id = EventId(call.text("event_id"))
        viewer, found = await self._history.event_anywhere(call.requester, event_id)
        (made,) = await self._rendering.page(call.requester, viewer, [found])
        return made
