"""The requester's profile, and other people."""

from collections.abc import Collection, Sequence
from typing import Protocol

from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import ProfileChange
from homeserver.api.messenger.shape import Views
from homeserver.errors import NotFound
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.model import Person, Requester
from homeserver.product_api.blocks import BlockCalls
from homeserver.product_api.schemas import UserQuery
from homeserver.product_api.views import number_in_path
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
        self._views = views
        self._paging = paging
        self._block_calls = BlockCalls(
            blocks=blocks, paging=paging, show=self._shown, answer=list[schemas.User]
        )

    def routes(self) -> Sequence[Route]:
        """The routes."""
        tags = ("Users",)
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
            *self._block_calls.routes(),
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
        all that the requester may look up.
        """
        query = call.query
        people = await self._directory.page(call.requester, text=query.search, page=self._paging.page(query))
        return await self._shown(call.requester, people)

    async def get(self, call: Call[None, None]) -> schemas.User:
        """`GET /api/v1/users/{user_id}`: get a person's profile.

        Errors: not_found.
        """
        number = number_in_path(call)
        person = (await self._profiles.by_numbers([number])).get(number)
        if person is None or person.user_id not in await self._profiles.visibility.visible(
            call.requester, [person]
        ):
            raise NotFound("There is no user with this id.")
        (shown,) = await self._shown(call.requester, [person])
        return shown

    async def _shown(self, requester: Requester, people: Sequence[Person]) -> list[schemas.User]:
        """The users as JSON; e-mail only of the requester and of people they share a chat with."""
        others = {person.user_id for person in people} - {requester.user_id}
        known = {requester.user_id, *await self._members.companions(requester, others)}
        view = self._views.of(requester)
        return [shape.user(person, view, shows_email=person.user_id in known) for person in people]
