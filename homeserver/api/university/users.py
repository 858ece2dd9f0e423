"""Searching people, and blocks."""

from collections.abc import Sequence

from homeserver import publicids
from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import UserQuery
from homeserver.http.paging import PageQuery, Paging
from homeserver.http.routes import Call, Route
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.userdirectory import UserDirectory


class Users:
    """The handlers under `users/`."""

    def __init__(
        self, *, directory: UserDirectory, blocks: Blocks, views: shape.Views, paging: Paging
    ) -> None:
        self._directory = directory
        self._blocks = blocks
        self._views = views
        self._paging = paging

    def routes(self) -> Sequence[Route]:
        """The routes."""
        tags, block = ("Users",), "/users/{user_id:int}/block"
        return (
            Route(
                "GET",
                "/users/chat-users",
                self.search,
                "Search people you can write to",
                query=UserQuery,
                answer=list[schemas.ChatUser],
                tags=tags,
            ),
            Route(
                "GET",
                "/users/blocked",
                self.blocked,
                "List the people you have blocked, latest first",
                query=PageQuery,
                answer=list[schemas.ChatUser],
                tags=tags,
            ),
            Route(
                "POST",
                block,
                self.block,
                "Block a person",
                status=204,
                tags=tags,
                errors={400: "You cannot block yourself.", 413: "You have blocked too many people."},
            ),
            Route("DELETE", block, self.unblock, "Unblock a person", status=204, tags=tags),
        )

    async def search(self, call: Call[None, UserQuery]) -> list[schemas.ChatUser]:
        """`GET /api/unet-chat/users/chat-users`: search people by words of their names; without a search term
        list all.
        """
        query = call.query
        people = await self._directory.page(call.requester, text=query.search, page=self._paging.page(query))
        view = self._views.of(call.requester)
        return [shape.chat_user(person, view) for person in people]

    async def blocked(self, call: Call[None, PageQuery]) -> list[schemas.ChatUser]:
        """`GET /api/unet-chat/users/blocked`: list the people that the requester has blocked.

        Nobody can see who blocked them.
        """
        people = await self._blocks.listing(call.requester, self._paging.page(call.query))
        view = self._views.of(call.requester)
        return [shape.chat_user(person, view) for person in people]

    async def block(self, call: Call[None, None]) -> None:
        """`POST /api/unet-chat/users/{user_id}/block`: block a person: neither of the two can write to the
        other in private.

        Errors: user_not_found, own_block, too_many_blocked.
        """
        await self._blocks.block(call.requester, await self._blocks.by_number(self._number(call)))

    async def unblock(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/users/{user_id}/block`: unblock a person. Succeeds if there is no block.

        Errors: user_not_found.
        """
        await self._blocks.unblock(call.requester, await self._blocks.by_number(self._number(call)))

    def _number(self, call: Call[None, None]) -> int:
        return publicids.from_public(call.number("user_id"), call.requester.namespace)
