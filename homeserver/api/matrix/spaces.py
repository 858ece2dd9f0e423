"""Room summaries, space hierarchies and mutual rooms."""

import re
from collections.abc import Sequence
from typing import Final

from homeserver.api.matrix import directoryschemas as schemas
from homeserver.api.matrix.directoryschemas import HierarchyQuery, MutualQuery
from homeserver.api.matrix.roomshape import hierarchy_room, summarised
from homeserver.api.matrix.targets import room_called
from homeserver.errors import Invalid
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId, UserId, is_user_id
from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.membership import Membership
from homeserver.services.rooms.spaces import HierarchyRequest, Spaces

_MUTUAL_TOKEN: Final = re.compile(r"m([0-9]{1,18})")
_MUTUAL_PAGE: Final = 100


class SpaceCalls:
    """The handlers for summaries, hierarchies and mutual rooms."""

    def __init__(self, spaces: Spaces, aliases: Aliases, membership: Membership) -> None:
        self._spaces = spaces
        self._aliases = aliases
        self._membership = membership

    def routes(self) -> Sequence[Route]:
        """The routes, some of them also at their unstable paths."""
        v1, nheko = "/client/v1", "/client/unstable/im.nheko.summary"
        msc2666 = "/client/unstable/uk.half-shot.msc2666/user/mutual_rooms"
        tree, tree_query = f"{v1}/rooms/{{room_id}}/hierarchy", HierarchyQuery
        return (
            *(
                Route(
                    "GET",
                    f"{path}/{{room}}",
                    self.summary,
                    "Get a room's summary",
                    answer=schemas.RoomSummary,
                )
                for path in (f"{v1}/room_summary", f"{nheko}/room_summary", f"{nheko}/summary")
            ),
            Route(
                "GET",
                tree,
                self.hierarchy,
                "Get a space's hierarchy",
                query=tree_query,
                answer=schemas.Hierarchy,
            ),
            *(
                Route(
                    "GET",
                    path,
                    self.mutual_rooms,
                    "List rooms shared with another user",
                    query=MutualQuery,
                    answer=schemas.MutualRooms,
                )
                for path in (f"{v1}/mutual_rooms", msc2666)
            ),
        )

    async def summary(self, call: Call[None, None]) -> schemas.RoomSummary:
        """`GET /_matrix/client/v1/room_summary/{room}`,
        `GET /_matrix/client/unstable/im.nheko.summary/room_summary/{room}`,
        `GET /_matrix/client/unstable/im.nheko.summary/summary/{room}`: what a user who is not in the room may
        see of it, and the user's own membership.

        Spec: client-server API, "Room discovery".
        Errors: M_NOT_FOUND (also for rooms that the user may not see), M_INVALID_PARAM.
        """
        room_id = await room_called(self._aliases, call.text("room"))
        room, membership = await self._spaces.summary(call.requester, room_id)
        return {**summarised(room), "membership": membership}

    async def hierarchy(self, call: Call[None, HierarchyQuery]) -> schemas.Hierarchy:
        """`GET /_matrix/client/v1/rooms/{room_id}/hierarchy`: the rooms of a space and its subspaces, depth
        first, a page at a time.

        Spec: client-server API, "Spaces".
        Errors: M_FORBIDDEN (not a room that the user may see), M_INVALID_PARAM (token).
        """
        query = call.query
        request = HierarchyRequest(query.limit, query.max_depth, query.suggested_only, query.from_)
        found, following = await self._spaces.tree(call.requester, RoomId(call.text("room_id")), request)
        answer: schemas.Hierarchy = {"rooms": [hierarchy_room(one) for one in found]}
        if following is not None:
            answer["next_batch"] = following
        return answer

    async def mutual_rooms(self, call: Call[None, MutualQuery]) -> schemas.MutualRooms:
        """`GET /_matrix/client/v1/mutual_rooms`,
        `GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms`: rooms that both users are
        joined to, oldest first.

        Spec: client-server API, "Mutual Rooms".
        Errors: M_INVALID_PARAM (malformed user ID, the user's own ID, or token).
        """
        query = call.query
        if not is_user_id(query.user_id):
            raise Invalid("not a user ID", code="bad_user_id")
        start = _MUTUAL_TOKEN.fullmatch(query.from_ or "m0")
        if start is None:
            raise Invalid("not a token of this list", code="bad_token")
        found, count = await self._membership.mutual_rooms(
            call.requester, UserId(query.user_id), after=int(start[1]), limit=_MUTUAL_PAGE + 1
        )
        page = found[:_MUTUAL_PAGE]
        answer: schemas.MutualRooms = {"joined": [one.room_id for one in page], "count": count}
        if len(found) > _MUTUAL_PAGE:
            answer["next_batch"] = f"m{page[-1].position}"
        return answer
