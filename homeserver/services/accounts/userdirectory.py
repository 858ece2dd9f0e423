"""Search for users by name (client-server API, "User Directory"), in the views of two kinds of API.

The product APIs page through all users of this server that are visible to the requester (`uservisibility.py`). Matrix
clients find users by id too, but only users who share a room with the requester, or are in a public or world-readable
room; where the settings say so, all that are visible. Names that users have in a single room only are not searched, as
only its members know them.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from homeserver.kit.names import search_words
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Page, Person, Requester
from homeserver.services.accounts.uservisibility import UserVisibility
from homeserver.storage import userdirectory as stored
from homeserver.storage.db import Database

_MAX_FOUND: Final = 50


class PeopleFound(NamedTuple):
    """The users found. `limited`: there are more."""

    people: Sequence[Person]
    limited: bool


class UserDirectory:
    """Searches the directory. `shows_all`: Matrix clients, too, find everybody who is visible to them."""

    def __init__(
        self, *, db: Database, visibility: UserVisibility, limits: RateLimits, server: str, shows_all: bool
    ) -> None:
        self._db = db
        self._visibility = visibility
        self._limits = limits
        self._server = server
        self._shows_all = shows_all

    async def page(self, requester: Requester, *, text: str, page: Page) -> list[Person]:
        """Users with all these words in their names or tag, except the requester; all if `text` is empty."""
        words, hosts = search_words(text), self._visibility.host_numbers(requester)
        async with self._db.read() as conn:
            return await stored.page_of_people(
                conn, words, reader=requester.user_id, hosts=hosts, limit=page.limit, offset=page.offset
            )

    async def search(self, requester: Requester, term: str, limit: int) -> PeopleFound:
        """Users with all words of `term` in their name or id; those whose name begins with it come first.

        Raises RateLimited.
        """
        self._limits.check("search", requester.user_id)
        words = [self._local(word) for word in search_words(term)]
        words = [word for word in words if word]
        most = min(limit, _MAX_FOUND)
        if not words or most < 1:
            return PeopleFound((), limited=False)
        async with self._db.read() as conn:
            found = await stored.find_people(
                conn,
                words,
                reader=requester.user_id,
                hosts=self._visibility.host_numbers(requester) if self._shows_all else None,
                server=self._server,
                limit=most + 1,
            )
        return PeopleFound(found[:most], limited=len(found) > most)

    def _local(self, word: str) -> str:
        """A search word; of a full Matrix id only the localpart."""
        return word.removeprefix("@").removesuffix(f":{self._server}")
