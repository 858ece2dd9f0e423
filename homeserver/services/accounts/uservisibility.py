"""Visibility of users: the one rule of all APIs for looking users up by id, number or name.

Local accounts may be looked up by everyone. The numbers of a host application's users are often counted up, and their
names were entrusted to the host: they are visible to users of the same host, to those who share a room with them, and
to everyone only if the settings say so. A user who is not visible looks like one who does not exist.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from homeserver import publicids
from homeserver.model import Person, Requester
from homeserver.protocol.ids import UserId
from homeserver.settings.models import UserDirectorySettings
from homeserver.storage import members
from homeserver.storage.db import Database


class UserVisibility:
    """Tells which users a requester may look up."""

    def __init__(self, *, db: Database, settings: UserDirectorySettings) -> None:
        self._db = db
        self._hosts_are_open = settings.host_users
        self._profiles_are_open = settings.profiles == "everyone"

    def host_numbers(self, reader: Requester | None) -> range:
        """The numbers of the host users that the reader may list; None: anybody, without an account."""
        if self._hosts_are_open:
            return publicids.HOST_NUMBERS
        if reader is None or not publicids.is_within(reader.number, publicids.HOST_NUMBERS):
            return range(0)
        return publicids.numbers_of(publicids.namespace_of(reader.number))

    async def visible(self, reader: Requester | None, people: Collection[Person]) -> set[UserId]:
        """Those of `people` that the reader may look up; None: anybody, without an account. At most one query."""
        listed = self.host_numbers(reader)

        def is_open(one: Person) -> bool:
            is_of_host = publicids.is_within(one.number, publicids.HOST_NUMBERS)
            return not is_of_host or publicids.is_within(one.number, listed)

        return await self._filtered(reader, people, is_open)

    async def shows_profile(self, reader: Requester | None, person: Person) -> bool:
        """True if the reader may see the profile of a user whose Matrix id is all that they know."""
        if self._profiles_are_open:
            return person.user_id in await self.visible(reader, [person])
        return person.user_id in await self._filtered(reader, [person], lambda _: False)

    async def without_hidden_names(self, reader: Requester, people: Collection[Person]) -> list[Person]:
        """The people, those that the reader may not look up without name and avatar: for invites by Matrix id."""
        seen = await self.visible(reader, people)
        return [one if one.user_id in seen else nameless(one) for one in people]

    async def _filtered(
        self, reader: Requester | None, people: Collection[Person], is_open: Callable[[Person], bool]
    ) -> set[UserId]:
        """The open ones of `people`, the reader, and those who share a room with the reader."""
        seen = {one.user_id for one in people if is_open(one)}
        if reader is None:
            return seen
        others = {one.user_id for one in people} - seen
        if reader.user_id in others:
            others.remove(reader.user_id)
            seen.add(reader.user_id)
        if not others:
            return seen
        async with self._db.read() as conn:
            return seen | await members.sharing_a_room(conn, reader.user_id, others)


def nameless(person: Person) -> Person:
    """A user without name and avatar, as an invite shows one that its sender may not look up."""
    return replace(person, display_name="", avatar_url="")
