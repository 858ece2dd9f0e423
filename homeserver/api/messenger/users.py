"""The requester's profile, and other people."""

from collections.abc import Collection, Sequence
from typing import Protocol

from homeserver import publicids
from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import ProfileChange, UserQuery
from homeserver.api.messenger.shape import Views
from homeserver.errors import NotFound
from homeserver.http.paging import PageQuery, Paging
from homeserver.http.routes import Call, Route
from homeserver.model import Person, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.accounts.blocks import Blocks
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.userdirectory import UserDirectory


class RoomPeers(Protocol):
    """Finds users who share rooms."""

    async def companions(self, requester: Requester, user_ids: Collection[UserId]) -> Collection[UserId]:
        """Those of `user_ids` that share a room with the requester."""
        ...


class Users:
    """The handlers under `users/`, and of `auth/me`."""

    def __init__(
        self,
        *,
        profiles: Profiles,
        directory: UserDirectory,
        members: RoomPeers,
        blocks: Blocks,
        views: Views,
        paging: Paging,
    ) -> None:
        self._profiles = profiles
        self._directory = directory
        self._members = members
        self._blocks = blocks
        self._views = views
        self._paging = paging

    def routes(self) -> Sequence[Route]:
        """The routes."""
        tags, block = ("Users",), "/users/{user_id:int}/block"
        return (
            Route("GET", "/auth/me", self.me, "Get your profile", answer=schemas.User, tags=("Auth",)),
            Route("GET", "/users/me", self.me, "Get your profile", answer=schemas.User, tags=tags),
            Route(
                "PATCH",
                "/users/me",
                self.change,
                "Change your profile",
                body=ProfileChange,
                answer=schemas.User,
                tags=tags,
                errors={409: "The tag is taken."},
            ),
            Route(
                "GET",
                "/users",
                self.search,
                "Search people by name or tag",
                query=UserQuery,
                answer=list[schemas.User],
                tags=tags,
            ),
            Route(
                "GET",
                "/users/blocked",
                self.blocked,
                "List the people you have blocked, latest first",
                query=PageQuery,
                answer=list[schemas.User],
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
            Route("GET", "/users/{user_id:int}", self.get, "Get a person", answer=schemas.User, tags=tags),
        )

    async def me(self, call: Call[None, None]) -> schemas.User:
        """`GET /api/v1/auth/me`,
        `GET /api/v1/users/me`: the requester's own profile, with the e-mail address.
        """
        person = await self._profiles.own(call.requester)
        return shape.user(person, self._views.of(call.requester), shows_email=True)

    async def change(self, call: Call[ProfileChange, None]) -> schemas.User:
        """`PATCH /api/v1/users/me`: change the requester's display name, tag or avatar.

        Errors: tag_in_use, bad_tag, empty_name, name_too_long, bad_url.
        """
        body = call.body
        person = await self._profiles.update(
            call.requester, display_name=body.display_name, tag=body.tag, avatar_url=body.avatar_url
        )
        return shape.user(person, self._views.of(call.requester), shows_email=True)

    async def search(self, call: Call[None, UserQuery]) -> list[schemas.User]:
        """`GET /api/v1/users`: search people by words of their names or by tag; without a search term list
        all.
        """
        query = call.query
        people = await self._directory.page(call.requester, text=query.search, page=self._paging.page(query))
        return await self._shown(call.requester, people)

    async def get(self, call: Call[None, None]) -> schemas.User:
        """`GET /api/v1/users/{user_id}`: get a person's profile.

        Errors: not_found.
        """
        number = self._number(call)
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is None:
            raise NotFound("There is no user with this id.")
        (shown,) = await self._shown(call.requester, [person])
        return shown

    async def blocked(self, call: Call[None, PageQuery]) -> list[schemas.User]:
        """`GET /api/v1/users/blocked`: list the people that the requester has blocked.

        Nobody can see who blocked them.
        """
        people = await self._blocks.listing(call.requester, self._paging.page(call.query))
        return await self._shown(call.requester, people)

    async def block(self, call: Call[None, None]) -> None:
        """`POST /api/v1/users/{user_id}/block`: block a person: neither of the two can write to the other in
        private.

        Errors: user_not_found, own_block, too_many_blocked.
        """
        await self._blocks.block(call.requester, await self._blocks.by_number(self._number(call)))

    async def unblock(self, call: Call[None, None]) -> None:
        """`DELETE /api/v1/users/{user_id}/block`: unblock a person. Succeeds if there is no block.

        Errors: user_not_found.
        """
        await self._blocks.unblock(call.requester, await self._blocks.by_number(self._number(call)))

    def _number(self, call: Call[None, None]) -> int:
        return publicids.from_public(call.number("user_id"), call.requester.namespace)

    async def _shown(self, requester: Requester, people: Sequence[Person]) -> list[schemas.User]:
        """The users as JSON; e-mail only of the requester and of people they share a chat with."""
        others = {person.user_id for person in people} - {requester.user_id}
        known = {requester.user_id, *await self._members.companions(requester, others)}
        view = self._views.of(requester)
        return [shape.user(person, view, shows_email=person.user_id in known) for person in people]
