"""Stored enquiries as users see them; with a fixed number of queries for any number of enquiries."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeserver.kit.cache import BoundedCache
from homeserver.model import Link, LogPosition, Message, Person
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import is_guest
from homeserver.services.events.messageviews import MessageViews
from homeserver.storage.db import Database
from homeserver.storage.enquiries import Help, ListedEnquiry
from homeserver.storage.log import Entry
from homeserver.timeline.build import relation_of

_AT_A_TIME = 500  # enquiries made before the event loop gets its turn


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A room about a host's object, as one user sees it.

    `guest_number` counts the owner's guests; None if the enquirer has an account. `helper`: the member of the staff
    in the room. `position` is the room's public integer id.
    """

    room_id: RoomId
    position: LogPosition
    created_ms: int
    link: Link
    owner: Person
    enquirer: Person
    guest_number: int | None
    is_hidden_by_owner: bool
    is_hidden_by_enquirer: bool
    is_helped: bool
    helper: Person | None
    unread_count: int
    last_message: Message | None

    @property
    def updated_ms(self) -> int:
        """The time of the last message, or of the room's creation."""
        return self.last_message.created_ms if self.last_message is not None else self.created_ms


@dataclass(frozen=True, slots=True)
class EnquiryBrief:
    """Object and sides of an enquiry. `guest_number` as in `Enquiry`."""

    link: Link
    owner: UserId
    enquirer: UserId
    guest_number: int | None


@dataclass(slots=True)
class _Cached:
    """A cached enquiry as its owner saw it last, with all its sources but the text of the last message.

    `age`: age of the profile cache at which the profiles were last compared.
    """

    listed: ListedEnquiry
    owner: Person
    enquirer: Person
    helper: Person | None
    enquiry: Enquiry
    age: int

    def has_same(self, people: Mapping[UserId, Person]) -> bool:
        """True if the profiles of its members are unchanged."""
        row = self.listed
        helper = None if row.helper is None else people.get(row.helper)
        return (people.get(row.enquirer), people.get(row.owner), helper) == (
            self.enquirer,
            self.owner,
            self.helper,
        )


class EnquiryViews:
    """Makes Enquiry records of stored enquiries.

    An owner may have thousands, of which few change between two requests. So the records made for owners are cached:
    they are valid while the stored row and the profiles are unchanged. An edit or a redaction may leave the row as it
    was; `note` must be given those, and so every new entry of the log.
    """

    def __init__(self, db: Database, profiles: Profiles, messages: MessageViews, cached: int) -> None:
        self.db = db
        self._profiles = profiles
        self._messages = messages
        self._seen: BoundedCache[RoomId, _Cached] = BoundedCache(cached)
        self._changed: BoundedCache[RoomId, int] = BoundedCache(cached)  # `_changes` at its last change
        self._changes = 0

    async def one(self, listed: ListedEnquiry) -> Enquiry:
        """One enquiry."""
        return (await self.many([listed]))[0]

    async def many(self, listed: Sequence[ListedEnquiry], viewer: UserId | None = None) -> list[Enquiry]:
        """Enquiries in the given order. `viewer`: the user who sees them, if it is one user.

        An enquiry that is unchanged since its owner saw it is the same object.
        """
        found, unchecked = self._unchanged(listed, viewer)
        if unchecked:
            found |= await self._checked(unchecked, viewer)
        return [found[one.room_id] for one in listed]

    def note(self, entry: Entry) -> None:
        """Handle a log entry: an edit or a redaction drops the room's cached enquiry."""
        if entry.event is None or entry.room_id is None:
            return
        event = entry.event.event
        relation = relation_of(event.content)
        if event.type == "m.room.redaction" or (relation is not None and relation[0] == "m.replace"):
            self._changes += 1
            self._changed.put(entry.room_id, self._changes)
            self._seen.drop(entry.room_id)

    def _unchanged(
        self, listed: Sequence[ListedEnquiry], viewer: UserId | None
    ) -> tuple[dict[RoomId, Enquiry], list[ListedEnquiry]]:
        """The cached enquiries that are certainly valid, and the rows that must be checked."""
        age, found, unchecked = self._profiles.age, dict[RoomId, Enquiry](), list[ListedEnquiry]()
        for one in listed:
            seen = self._seen.get(one.room_id) if one.owner == viewer else None
            if seen is not None and seen.age == age and seen.listed == one:
                found[one.room_id] = seen.enquiry
            else:
                unchecked.append(one)
        return found, unchecked

    async def _checked(self, listed: Sequence[ListedEnquiry], viewer: UserId | None) -> dict[RoomId, Enquiry]:
        """The enquiries of rows whose profiles must be compared; changed ones are made anew."""
        before, age = self._changes, self._profiles.age
        people = await self._profiles.people(_named(listed))
        found, fresh = dict[RoomId, Enquiry](), list[ListedEnquiry]()
        for one in listed:
            seen = self._seen.get(one.room_id) if one.owner == viewer else None
            if seen is not None and seen.listed == one and seen.has_same(people):
                seen.age = age
                found[one.room_id] = seen.enquiry
            else:
                fresh.append(one)
        if fresh:
            made = await self._made(fresh, people)
            found |= {seen.listed.room_id: seen.enquiry for seen in made}
            for seen in made:
                room_id, seen.age = seen.listed.room_id, age
                if seen.listed.owner == viewer and (self._changed.get(room_id) or 0) <= before:
                    self._seen.put(room_id, seen)
        return found

    async def _made(self, listed: Sequence[ListedEnquiry], people: Mapping[UserId, Person]) -> list[_Cached]:
        last = await self._messages.briefs(
            [one.last_message_position for one in listed if one.last_message_position is not None],
            {one.room_id: one.position for one in listed},
        )
        made = []
        for at, one in enumerate(listed, start=1):
            if at % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            owner, enquirer = people[one.owner], people[one.enquirer]
            helper = None if one.helper is None else people.get(one.helper)
            enquiry = _enquiry(one, owner, enquirer, helper, last.get(one.room_id))
            made.append(_Cached(one, owner, enquirer, helper, enquiry, age=-1))
        return made


def _named(listed: Sequence[ListedEnquiry]) -> set[UserId]:
    named = {one.enquirer for one in listed}
    named.update(one.owner for one in listed)
    named.update(one.helper for one in listed if one.helper is not None)
    return named


def _enquiry(
    row: ListedEnquiry, owner: Person, enquirer: Person, helper: Person | None, last: Message | None
) -> Enquiry:
    newest = row.position if row.last_message_position is None else row.last_message_position
    return Enquiry(
        room_id=row.room_id,
        position=row.position,
        created_ms=row.created_ms,
        link=Link(row.service, row.service_id),
        owner=owner,
        enquirer=enquirer,
        guest_number=row.guest_number if is_guest(enquirer.number) else None,
        is_hidden_by_owner=row.owner_hid >= newest,
        is_hidden_by_enquirer=row.enquirer_hid >= newest,
        is_helped=row.help == Help.JOINED,
        helper=helper,
        unread_count=max(0, row.unread_count),
        last_message=last,
    )
