"""Profiles: loading them, and changing one's own.

Profiles are cached until the log says that they changed: `note` must be given every new entry.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.errors import Conflict, NotFound
from homeserver.kit.cache import BoundedCache
from homeserver.kit.names import search_text, with_fields
from homeserver.kit.text import checked_name
from homeserver.model import EntryKind, Person, Requester
from homeserver.protocol.ids import UserId
from homeserver.services.accounts import identifiers
from homeserver.services.accounts.accounts import MAX_NAME_CHARS
from homeserver.services.accounts.uservisibility import UserVisibility
from homeserver.storage import accounts as stored
from homeserver.storage.accounts import ProfileRow
from homeserver.storage.db import Database
from homeserver.storage.log import Entry
from homeserver.timeline.entries import Appends, profile_changed
from homeserver.timeline.submission import Placed, SideWrite

_SHOWN = frozenset({"display_name", "avatar_url"})  # the fields that are part of m.room.member events
_AT_ONCE = 10_000  # users in one query: a statement takes some ten thousand parameters


class _Change(NamedTuple):
    """Fields of a Person or HostProfile and their new values. Concurrent changes of other fields are kept."""

    user_id: UserId
    fields: Mapping[str, str]


class Profiles:
    """Loads profiles in bulk, and changes the requester's own. `visibility`: which of them a requester may look up."""

    def __init__(
        self, *, db: Database, timeline: Appends, cached_people: int, visibility: UserVisibility
    ) -> None:
        self.visibility = visibility
        self._db = db
        self._timeline = timeline
        self._people: BoundedCache[UserId, Person] = BoundedCache(cached_people)
        self._user_ids: BoundedCache[int, UserId] = BoundedCache(cached_people)  # never changes
        self._listeners: list[Callable[[UserId], None]] = []
        self._successors: BoundedCache[UserId, UserId] = BoundedCache(cached_people)  # never changes either

    @property
    def age(self) -> int:
        """A number that changes whenever any profile may have changed."""
        return self._people.age

    async def people(self, user_ids: Collection[UserId]) -> dict[UserId, Person]:
        """These users, by id; unknown ids are missing. At most one query for some thousands of them.

        The id of a guest who got an account maps to that account.
        """
        found: dict[UserId, Person] = {}
        absent: list[UserId] = []
        for user_id in user_ids:
            person = self._people.get(self._successors.get(user_id) or user_id)
            if person is None:
                absent.append(user_id)
            else:
                found[user_id] = person
        if absent:
            age = self._people.age
            loaded: dict[UserId, Person] = {}
            async with self._db.read() as conn:
                for start in range(0, len(absent), _AT_ONCE):
                    loaded |= await stored.people_of(conn, absent[start : start + _AT_ONCE])
            self._keep(loaded.values(), age)
            for asked, person in loaded.items():
                if asked != person.user_id:
                    self._successors.put(asked, person.user_id)
            found.update(loaded)
        return found

    async def by_numbers(self, numbers: Collection[int]) -> dict[int, Person]:
        """These users, by number as `publicids.from_public` gives it; unknown ones are missing. At most one query."""
        found: dict[int, Person] = {}
        absent: list[int] = []
        for number in numbers:
            user_id = self._user_ids.get(number)
            person = self._people.get(user_id) if user_id is not None else None
            if person is None:
                absent.append(number)
            else:
                found[number] = person
        if absent:
            age = self._people.age
            async with self._db.read() as conn:
                loaded = await stored.people_by_number(conn, absent)
            self._keep(loaded.values(), age)
            for asked, person in loaded.items():
                self._user_ids.put(asked, person.user_id)
            found.update(loaded)
        return found

    async def own(self, requester: Requester) -> Person:
        """The requester's full profile, e-mail included. Raises NotFound if the account is gone."""
        person = (await self.people([requester.user_id])).get(requester.user_id)
        if person is None:
            raise NotFound("no such account")
        return person

    async def update(
        self,
        requester: Requester,
        *,
        display_name: str | None = None,
        tag: str | None = None,
        avatar_url: str | None = None,
    ) -> Person:
        """Change the requester's own profile; None leaves a field as it is. Returns the whole profile.

        Raises Invalid ("empty_name", "name_too_long", "bad_tag", "bad_url"), Conflict("tag_in_use").
        """
        changes: dict[str, str] = {}
        if display_name is not None:
            changes["display_name"] = checked_name(display_name, most=MAX_NAME_CHARS, what="the display name")
        if avatar_url is not None:
            changes["avatar_url"] = identifiers.checked_avatar_url(avatar_url)
        wanted_tag = None if tag is None else identifiers.checked_tag(tag)
        current = await self.own(requester)
        tag_changes = wanted_tag is not None and wanted_tag != current.tag
        if wanted_tag is not None and tag_changes:
            await self._claim_tag(requester.user_id, wanted_tag)
        if tag_changes or any(getattr(current, name) != value for name, value in changes.items()):
            await self.change(requester.user_id, changes)
        return await self.own(requester)

    async def change(
        self, user_id: UserId, changes: Mapping[str, str], also: Sequence[SideWrite[Any]] = ()
    ) -> None:
        """Store new values of fields of a Person (any text but e-mail and tag) and announce the change.

        `also` goes into the same transaction.
        """
        entries = await self._timeline.append(
            [profile_changed(user_id)], also=[SideWrite(_change_profiles, _Change(user_id, changes)), *also]
        )
        for entry in entries:
            self.note(entry)
        if _SHOWN & changes.keys():
            for listener in self._listeners:
                listener(user_id)

    async def change_name(self, requester: Requester, name: str) -> None:
        """Change the requester's display name; an empty one removes it. Raises as `update` does."""
        if name:
            await self.update(requester, display_name=name)
        else:
            await self.change(requester.user_id, {"display_name": ""})

    def listen(self, listener: Callable[[UserId], None]) -> None:
        """Call `listener` at once for each user whose name or avatar was changed by this process."""
        self._listeners.append(listener)

    def note(self, entry: Entry) -> None:
        """Handle a log entry: drop a cached profile that changed."""
        if entry.kind is EntryKind.PROFILE and entry.user_id is not None:
            self._people.drop(entry.user_id)

    async def _claim_tag(self, user_id: UserId, tag: str) -> None:
        """Claim a tag in a transaction of its own: a lost race must not fail other users' entries."""
        try:
            async with self._db.write() as conn:
                is_free = await stored.claim_tag(conn, user_id, tag)
        except IntegrityError:
            is_free = False
        if not is_free:
            raise Conflict("this tag is taken", code="tag_in_use")

    def _keep(self, people: Collection[Person], age: int) -> None:
        for person in people:
            self._people.put(person.user_id, person, age)
            self._user_ids.put(person.number, person.user_id)


async def _change_profiles(conn: AsyncConnection, items: Sequence[Placed[_Change]]) -> None:
    """Apply the changes in order, each to the profile as it then stands."""
    user_ids = {item.row.user_id for item in items}
    await stored.lock_users(conn, user_ids)
    people = await stored.people_of(conn, user_ids)
    for item in items:
        person = people.get(item.row.user_id)
        if person is not None:
            people[person.user_id] = with_fields(person, item.row.fields)
    if people:
        await stored.set_profiles(conn, [ProfileRow(one, search_text(one)) for one in people.values()])
