"""Searching people; blocks are of `homeserver/product_api/blocks.py`."""

from collections.abc import Sequence

from homeserver.api.university import schemas, shape
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.model import Person, Requester
from homeserver.product_api.blocks import BlockCalls
from homeserver.product_api.schemas import UserQuery
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.userdirectory import UserDirectory


class Users:
    """The handlers under `users/`."""

    def __init__(
        self, *, directory: UserDirectory, blocks: Blocks, views: shape.Views, paging: Paging
    ) -> None:
        self._directory = directory
        self._views = views
        self._paging = paging
        self._block_calls = BlockCalls(
            blocks=blocks, paging=paging, show=self._shown, answer=list[schemas.ChatUser]
        )

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "GET",
                "/users/chat-users",
                self.search,
                "Search people you can write to",
                query=UserQuery,
                answer=list[schemas.ChatUser],
                tags=("Users",),
            ),
            *self._block_calls.routes(),
        )

    async def search(self, call: Call[None, UserQuery]) -> list[schemas.ChatUser]:
        """`GET /api/unet-chat/users/chat-users`: search people by words of their names; without a search term
        list all that the requester may look up.
        """
        query = call.query
        people = await self._directory.page(call.requester, text=query.search, page=self._paging.page(query))
        return await self._shown(call.requester, people)

    async def _shown(self, requester: Requester, people: Sequence[Person]) -> list[schemas.ChatUser]:
        view = self._views.of(requester)
        return [shape.chat_user(person, view) for person in people]
