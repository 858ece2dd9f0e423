"""Blocking people: the same calls in each API, which shows people in its own way."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from homeserver.http.paging import PageQuery, Paging
from homeserver.http.routes import Call, Route
from homeserver.model import Person, Requester
from homeserver.product_api.views import number_in_path
from homeserver.services.accounts.blocks import Blocks

P = TypeVar("P")
_TAGS = ("Users",)
_BLOCK = "/users/{user_id:int}/block"


class BlockCalls(Generic[P]):
    """The handlers of blocks. `show`: people as JSON; `answer`: its type."""

    def __init__(
        self,
        *,
        blocks: Blocks,
        paging: Paging,
        show: Callable[[Requester, Sequence[Person]], Awaitable[list[P]]],
        answer: Any,
    ) -> None:
        self._blocks = blocks
        self._paging = paging
        self._show = show
        self._answer = answer

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "GET",
                "/users/blocked",
                self.blocked,
                "List the people you have blocked, latest first",
                query=PageQuery,
                answer=self._answer,
                tags=_TAGS,
            ),
            Route(
                "POST",
                _BLOCK,
                self.block,
                "Block a person",
                status=204,
                tags=_TAGS,
                errors={400: "You cannot block yourself.", 413: "You have blocked too many people."},
            ),
            Route("DELETE", _BLOCK, self.unblock, "Unblock a person", status=204, tags=_TAGS),
        )

    async def blocked(self, call: Call[None, PageQuery]) -> list[P]:
        """`GET /api/unet-chat/users/blocked`,
        `GET /api/v1/users/blocked`: list the people that the requester has blocked.

        Nobody can see who blocked them.
        """
        people = await self._blocks.listing(call.requester, self._paging.page(call.query))
        return await self._show(call.requester, people)

    async def block(self, call: Call[None, None]) -> None:
        """`POST /api/unet-chat/users/{user_id}/block`,
        `POST /api/v1/users/{user_id}/block`: block a person: neither of the two can write to the other in
        private.

        Errors: user_not_found, own_block, too_many_blocked.
        """
        await self._blocks.block(call.requester, await self._blocks.by_number(number_in_path(call)))

    async def unblock(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/users/{user_id}/block`,
        `DELETE /api/v1/users/{user_id}/block`: unblock a person. Succeeds if there is no block.

        Errors: user_not_found.
        """
        await self._blocks.unblock(call.requester, await self._blocks.by_number(number_in_path(call)))
