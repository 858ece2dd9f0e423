"""Finding people by their names (client-server API, "User Directory"): one search, in the views of two kinds of API.

The product APIs page through everybody of this server. Matrix clients find people also by their ids, but only those
whom one may know of: who is in a room with one, or in a room that everybody may look into or join. What people are
called in a single room is not looked at, as only those in that room know it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from homeserver.kit.names import search_words
from homeserver.kit.ratelimit import RateLimits
from homeserver.model import Page, Person, Requester
from homeserver.storage import userdirectory as stored
from homeserver.storage.db import Database

_MAX_FOUND: Final = 50


class PeopleFound(NamedTuple):
    """`limited`: there are more."""

    people: Sequence[Person]
    limited: bool


class UserDirectory:
    """`shows_all`: everybody of this server may be found by everybody, by Matrix clients too."""

    def __init__(self, *, db: Database, limits: RateLimits, server: str, shows_all: bool) -> None:
        self._db = db
        self._limits = limits
        self._server = server
        self._shows_all = shows_all

    async def page(self, requester: Requester, *, text: str, page: Page) -> list[Person]:
        """People with all these words in their names or tag, but not the requester; all people without a word."""
        words = search_words(text)
        async with self._db.read() as conn:
            return await stored.page_of_people(
                conn, words, reader=requester.user_id, limit=page.limit, offset=page.offset
            )

    async def search(self, requester: Requester, term: str, limit: int) -> PeopleFound:
        """People with all the words in their name or id, those whose name begins so coming first.

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
                server=self._server,
                shows_all=self._shows_all,
                limit=most + 1,
            )
        return PeopleFound(found[:most], limited=len(found) > most)

    def _local(self, word: str) -> str:
        """A word of the search; of a whole id the part that people have to themselves."""
        return word.removeprefix("@").removesuffix(f":{self._server}")
