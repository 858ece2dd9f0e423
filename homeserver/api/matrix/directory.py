"""Names of rooms, and the list of published ones."""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from homeserver.api.matrix import directoryschemas as schemas
from homeserver.api.matrix.directoryschemas import AliasTarget, PublicRooms, PublicRoomsQuery, ServerQuery
from homeserver.api.matrix.roomshape import listed
from homeserver.api.matrix.schemas import Empty
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId
from homeserver.services.rooms.aliases import Aliases
from homeserver.services.rooms.directory import Directory, PublicRoomsRequest


class DirectoryCalls:
    """The calls by which rooms are found. `address`: whose request it is where nobody is logged in."""

    def __init__(
        self,
        aliases: Aliases,
        directory: Directory,
        *,
        server_name: str,
        address: Callable[[web.Request], str],
    ) -> None:
        self._aliases = aliases
        self._directory = directory
        self._server = server_name
        self._address = address

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        root = "/client/v3"
        alias, in_list = f"{root}/directory/room/{{alias}}", f"{root}/directory/list/room/{{room_id}}"
        network, public = (
            f"{root}/directory/list/appservice/{{network_id}}/{{room_id}}",
            f"{root}/publicRooms",
        )
        answer, is_shown = schemas.PublicPage, schemas.VisibilityAnswer
        return (
            Route("GET", alias, self.resolve, "The room of a name", answer=schemas.AliasAnswer, public=True),
            Route("PUT", alias, self.add, "Name a room", body=AliasTarget, answer=Empty),
            Route("DELETE", alias, self.remove, "Take a name away", answer=Empty),
            Route("GET", f"{root}/rooms/{{room_id}}/aliases", self.names, "Names", answer=schemas.Names),
            Route("GET", in_list, self.visibility, "Is it listed?", answer=is_shown, public=True),
            Route("PUT", in_list, self.publish, "List a room", body=schemas.Visibility, answer=Empty),
            Route("PUT", network, self.publish_elsewhere, "List it", body=schemas.Visibility, answer=Empty),
            Route("GET", public, self.all, "Rooms", query=PublicRoomsQuery, answer=answer, public=True),
            Route("POST", public, self.search, "Find", body=PublicRooms, query=ServerQuery, answer=answer),
        )

    async def resolve(self, call: Call[None, None]) -> schemas.AliasAnswer:
        """Anybody may ask."""
        return {"room_id": await self._aliases.resolve(call.text("alias")), "servers": [self._server]}

    async def add(self, call: Call[AliasTarget, None]) -> Empty:
        """For members of the room."""
        await self._aliases.add(call.requester, call.text("alias"), RoomId(call.body.room_id))
        return {}

    async def remove(self, call: Call[None, None]) -> Empty:
        """For whom made it, and for whom may say what the room calls itself."""
        await self._aliases.remove(call.requester, call.text("alias"))
        return {}

    async def names(self, call: Call[None, None]) -> schemas.Names:
        """Those of this server."""
        return {"aliases": [*await self._aliases.of_room(call.requester, _room(call))]}

    async def visibility(self, call: Call[None, None]) -> schemas.VisibilityAnswer:
        """Anybody may ask."""
        is_on = await self._directory.is_published(_room(call))
        return {"visibility": "public" if is_on else "private"}

    async def publish(self, call: Call[schemas.Visibility, None]) -> Empty:
        """Public, unless the body says otherwise."""
        is_on = call.body.visibility == "public"
        await self._directory.publish(call.requester, _room(call), is_on=is_on)
        return {}

    async def publish_elsewhere(self, call: Call[schemas.Visibility, None]) -> Empty:
        """For application services; a person is none."""
        network = call.text("network_id")
        await self._directory.publish_in(call.requester, network, _room(call))
        return {}

    async def all(self, call: Call[None, PublicRoomsQuery]) -> schemas.PublicPage:
        """Anybody may look."""
        query = call.query
        request = PublicRoomsRequest(limit=query.limit, since=query.since, server=query.server)
        return await self._page(request, self._address(call.request))

    async def search(self, call: Call[PublicRooms, ServerQuery]) -> schemas.PublicPage:
        """By words and types."""
        body = call.body
        request = PublicRoomsRequest(
            limit=body.limit,
            since=body.since,
            server=call.query.server,
            search=body.filter.generic_search_term or "",
            room_types=body.filter.room_types,
            network=body.third_party_instance_id or None,
            all_networks=body.include_all_networks,
        )
        return await self._page(request, call.requester.user_id)

    async def _page(self, request: PublicRoomsRequest, asker: str) -> schemas.PublicPage:
        page = await self._directory.page(request, asker=asker)
        answer: schemas.PublicPage = {
            "chunk": [listed(one) for one in page.rooms],
            "total_room_count_estimate": page.total,
        }
        if page.next is not None:
            answer["next_batch"] = page.next
        if page.previous is not None:
            answer["prev_batch"] = page.previous
        return answer


def _room(call: Call[Any, Any]) -> RoomId:
    return RoomId(call.text("room_id"))
