"""Room aliases, and the directory of published rooms."""

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
    """The handlers for aliases and the directory. `address`: the client's address, for limits without a user."""

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
        """The routes."""
        return (*self._alias_routes(), *self._visibility_routes(), *self._list_routes())

    def _alias_routes(self) -> Sequence[Route]:
        alias = "/client/v3/directory/room/{alias}"
        return (
            Route(
                "GET", alias, self.resolve, "Resolve a room alias", answer=schemas.AliasAnswer, public=True
            ),
            Route("PUT", alias, self.add, "Create a room alias", body=AliasTarget, answer=Empty),
            Route("DELETE", alias, self.remove, "Delete a room alias", answer=Empty),
            Route(
                "GET",
                "/client/v3/rooms/{room_id}/aliases",
                self.aliases,
                "List a room's aliases",
                answer=schemas.Aliases,
            ),
        )

    def _visibility_routes(self) -> Sequence[Route]:
        root = "/client/v3/directory/list"
        in_list, network = f"{root}/room/{{room_id}}", f"{root}/appservice/{{network_id}}/{{room_id}}"
        return (
            Route(
                "GET",
                in_list,
                self.visibility,
                "Get a room's visibility in the directory",
                answer=schemas.VisibilityAnswer,
                public=True,
            ),
            Route(
                "PUT",
                in_list,
                self.publish,
                "Set a room's visibility in the directory",
                body=schemas.Visibility,
                answer=Empty,
            ),
            Route(
                "PUT",
                network,
                self.publish_in_network,
                "Set a room's visibility in a network's directory",
                body=schemas.Visibility,
                answer=Empty,
            ),
        )

    def _list_routes(self) -> Sequence[Route]:
        public, answer = "/client/v3/publicRooms", schemas.PublicRoomsPage
        return (
            Route(
                "GET",
                public,
                self.page,
                "List the published rooms",
                query=PublicRoomsQuery,
                answer=answer,
                public=True,
            ),
            Route(
                "POST",
                public,
                self.search,
                "Search the published rooms",
                body=PublicRooms,
                query=ServerQuery,
                answer=answer,
            ),
        )

    async def resolve(self, call: Call[None, None]) -> schemas.AliasAnswer:
        """`GET /_matrix/client/v3/directory/room/{alias}`: the room ID of an alias.

        Spec: client-server API, "Room directory".
        Errors: M_NOT_FOUND, M_INVALID_PARAM (malformed alias).
        """
        return {"room_id": await self._aliases.resolve(call.text("alias")), "servers": [self._server]}

    async def add(self, call: Call[AliasTarget, None]) -> Empty:
        """`PUT /_matrix/client/v3/directory/room/{alias}`: create an alias. For members of the room.

        Spec: client-server API, "Room directory".
        Errors: M_FORBIDDEN, M_UNKNOWN (409: the alias is taken), M_INVALID_PARAM, M_TOO_LARGE (the room has
          too many).
        """
        await self._aliases.add(call.requester, call.text("alias"), RoomId(call.body.room_id))
        return {}

    async def remove(self, call: Call[None, None]) -> Empty:
        """`DELETE /_matrix/client/v3/directory/room/{alias}`: delete an alias.

        For its creator and for members who may set the room's canonical alias.

        Spec: client-server API, "Room directory".
        Errors: M_FORBIDDEN, M_NOT_FOUND, M_INVALID_PARAM.
        """
        await self._aliases.remove(call.requester, call.text("alias"))
        return {}

    async def aliases(self, call: Call[None, None]) -> schemas.Aliases:
        """`GET /_matrix/client/v3/rooms/{room_id}/aliases`: list the room's aliases on this server.

        Spec: client-server API, "Room directory".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        return {"aliases": [*await self._aliases.of_room(call.requester, _room(call))]}

    async def visibility(self, call: Call[None, None]) -> schemas.VisibilityAnswer:
        """`GET /_matrix/client/v3/directory/list/room/{room_id}`: whether a room is published in the
        directory.

        Spec: client-server API, "Room discovery".
        Errors: M_NOT_FOUND.
        """
        is_on = await self._directory.is_published(_room(call))
        return {"visibility": "public" if is_on else "private"}

    async def publish(self, call: Call[schemas.Visibility, None]) -> Empty:
        """`PUT /_matrix/client/v3/directory/list/room/{room_id}`: publish a room in the directory, or take it
        off.

        `public` is the default.

        Spec: client-server API, "Room discovery".
        Errors: M_FORBIDDEN, M_NOT_FOUND.
        """
        is_on = call.body.visibility == "public"
        await self._directory.publish(call.requester, _room(call), is_on=is_on)
        return {}

    async def publish_in_network(self, call: Call[schemas.Visibility, None]) -> Empty:
        """`PUT /_matrix/client/v3/directory/list/appservice/{network_id}/{room_id}`: publish a room in the
        directory of an application service's network.

        Not for users.

        Spec: client-server API, "Application service room directory management".
        Errors: M_FORBIDDEN.
        """
        network = call.text("network_id")
        await self._directory.publish_in(call.requester, network, _room(call))
        return {}

    async def page(self, call: Call[None, PublicRoomsQuery]) -> schemas.PublicRoomsPage:
        """`GET /_matrix/client/v3/publicRooms`: a page of the directory, largest rooms first.

        Spec: client-server API, "Room discovery".
        Errors: M_INVALID_PARAM (not a token of this list).
        """
        query = call.query
        request = PublicRoomsRequest(limit=query.limit, since=query.since, server=query.server)
        return await self._page(request, self._address(call.request))

    async def search(self, call: Call[PublicRooms, ServerQuery]) -> schemas.PublicRoomsPage:
        """`POST /_matrix/client/v3/publicRooms`: a page of the published rooms that match a search term and
        room types.

        Spec: client-server API, "Room discovery".
        Errors: M_INVALID_PARAM (not a token of this list).
        """
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

    async def _page(self, request: PublicRoomsRequest, asker: str) -> schemas.PublicRoomsPage:
        page = await self._directory.page(request, asker=asker)
        answer: schemas.PublicRoomsPage = {
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
