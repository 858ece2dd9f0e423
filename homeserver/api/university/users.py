"""People one can write to."""

from collections.abc import Sequence

from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import UserQuery
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.services.profiles import Profiles


class Users:
    """The call `users/chat-users/`."""

    def __init__(self, *, profiles: Profiles, views: shape.Views, paging: Paging) -> None:
        self._profiles = profiles
        self._views = views
        self._paging = paging

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        return (
            Route(
                "GET",
                "/users/chat-users",
                self.search,
                "People you can write to",
                query=UserQuery,
                answer=list[schemas.ChatUser],
                tags=("Users",),
            ),
        )

    async def search(self, call: Call[None, UserQuery]) -> list[schemas.ChatUser]:
        """People by words of their names; all of them without words."""
        query = call.query
        people = await self._profiles.search(call.requester, text=query.search, page=self._paging.page(query))
        view = self._views.of(call.requester)
        return [shape.chat_user(person, view) for person in people]
