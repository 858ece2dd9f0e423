"""People one can write to, and whom one shuts out."""

from collections.abc import Sequence

from homeserver import publicids
from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import UserQuery
from homeserver.http.paging import PageQuery, Paging
from homeserver.http.routes import Call, Route
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.userdirectory import UserDirectory


class Users:
    """The calls under `users/`."""

    def __init__(
        self, *, directory: UserDirectory, blocks: Blocks, views: shape.Views, paging: Paging
    ) -> None:
        self._directory = directory
        self._blocks = blocks
        self._views = views
        self._paging = paging

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        tags, block = ("Users",), "/users/{user_id:int}/block"
        return (
            Route(
                "GET",
                "/users/chat-users",
                self.search,
                "People you can write to",
                query=UserQuery,
                answer=list[schemas.ChatUser],
                tags=tags,
            ),
            Route(
                "GET",
                "/users/blocked",
                self.blocked,
                "People you have blocked, the latest first",
                query=PageQuery,
                answer=list[schemas.ChatUser],
                tags=tags,
            ),
            Route(
                "POST",
                block,
                self.block,
                "Block a person: neither writes to the other",
                status=204,
                tags=tags,
                errors={400: "It is you.", 413: "You have blocked too many."},
            ),
            Route("DELETE", block, self.unblock, "Take the block away", status=204, tags=tags),
        )

    async def search(self, call: Call[None, UserQuery]) -> list[schemas.ChatUser]:
        """People by words of their names; all of them without words."""
        query = call.query
        people = await self._directory.page(call.requester, text=query.search, page=self._paging.page(query))
        view = self._views.of(call.requester)
        return [shape.chat_user(person, view) for person in people]

    async def blocked(self, call: Call[None, PageQuery]) -> list[schemas.ChatUser]:
        """Whom the caller has blocked; nobody sees who blocked them."""
        people = await self._blocks.listing(call.requester, self._paging.page(call.query))
        view = self._views.of(call.requester)
        return [shape.chat_user(person, view) for person in people]

    async def block(self, call: Call[None, None]) -> None:
        """From now on neither reaches the other in private."""
        await self._blocks.block(call.requester, await self._blocks.by_number(self._number(call)))

    async def unblock(self, call: Call[None, None]) -> None:
        """Who is not blocked stays so."""
        await self._blocks.unblock(call.requester, await self._blocks.by_number(self._number(call)))

    def _number(self, call: Call[None, None]) -> int:
        return publicids.from_public(call.number("user_id"), call.requester.namespace)
