"""The user directory."""

from collections.abc import Sequence
from typing import NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from homeserver.http.body import Body
from homeserver.http.routes import Call, Route
from homeserver.model import Person
from homeserver.services.accounts.userdirectory import UserDirectory


class UserSearch(Body):
    search_term: str = Field(max_length=1000)
    limit: int = Field(default=10, ge=0, le=2**53 - 1)


class FoundUser(TypedDict):
    user_id: str
    display_name: NotRequired[str]
    avatar_url: NotRequired[str]


class UserSearchResults(TypedDict):
    results: list[FoundUser]
    limited: bool


class UserDirectoryCalls:
    """The handler of the user directory."""

    def __init__(self, directory: UserDirectory) -> None:
        self._directory = directory

    def routes(self) -> Sequence[Route]:
        """The route."""
        path = "/client/v3/user_directory/search"
        return (
            Route(
                "POST",
                path,
                self.search,
                "Search the user directory",
                body=UserSearch,
                answer=UserSearchResults,
            ),
        )

    async def search(self, call: Call[UserSearch, None]) -> UserSearchResults:
        """`POST /_matrix/client/v3/user_directory/search`: search users by words of their display names or by
        user id.

        Spec: client-server API, "User directory".
        """
        found = await self._directory.search(call.requester, call.body.search_term, call.body.limit)
        return {"results": [_person(one) for one in found.people], "limited": found.limited}


def _person(person: Person) -> FoundUser:
    shown: FoundUser = {"user_id": person.user_id}
    if person.display_name:
        shown["display_name"] = person.display_name
    if person.avatar_url:
        shown["avatar_url"] = person.avatar_url
    return shown
