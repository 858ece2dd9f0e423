"""Stored enquiries as people see them; a fixed number of queries, however many there are."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeserver.kit.cache import BoundedCache
from homeserver.model import Link, Message, Person
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.accounts.status import is_guest
from homeserver.services.events.messageviews import MessageViews
from homeserver.storage.db import Database
from homeserver.storage.enquiries import Help, ListedEnquiry
from homeserver.storage.log import Entry
from homeserver.timeline.build import relation_of

_AT_A_TIME = 500  # made without a pause for others


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A room about a host's object, as one person sees it.

    `guest_number` counts the owner's guests; None where the enquirer has an account. `helper` is who of the staff is
    in the room. `position` is the room's public integer id.
    """

    room_id: RoomId
    position: int
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
        """When something was last said."""
        return self.last_message.created_ms if self.last_message is not None else self.created_ms


@dataclass(frozen=True, slots=True)
class EnquiryBrief:
    """What an enquiry is about and whose it is. `guest_number` as in `Enquiry`."""

    link: Link
    owner: UserId
    enquirer: UserId
    guest_number: int | None


@dataclass(slots=True)
class _Seen:
    """An enquiry as its owner saw it last, and all that it was made of but the words of the last message.

    `age`: of what is known of people, when the people here were last found to be the same.
    """

    listed: ListedEnquiry
    owner: Person
    enquirer: Person
    helper: Person | None
    enquiry: Enquiry
    age: int

    def has_same(self, people: Mapping[UserId, Person]) -> bool:
        """Whether its people look as they did."""
        row = self.listed
        helper = None if row.helper is None else people.get(row.helper)
        return (people.get(row.enquirer), people.get(row.owner), helper) == (
            self.enquirer,
            self.owner,
            self.helper,
        )


class EnquiryViews:
    """Makes Enquiry records of stored ones.

    An owner may have thousands, of which few change between two looks. So what is made for owners is kept: it is good
    while the stored row and the people are the same. An edit or a deletion of a message may leave the row as it was;
    `note` must hear of those, and so of every new entry of the log.
    """

    def __init__(self, db: Database, profiles: Profiles, messages: MessageViews, cached: int) -> None:
        self.db = db
        self._profiles = profiles
        self._messages = messages
        self._seen: BoundedCache[RoomId, _Seen] = BoundedCache(cached)
        self._changed: BoundedCache[RoomId, int] = BoundedCache(cached)  # when, counted in changes
        self._changes = 0

    async def one(self, listed: ListedEnquiry) -> Enquiry:
        """One enquiry."""
        return (await self.many([listed]))[0]

    async def many(self, listed: Sequence[ListedEnquiry], viewer: UserId | None = None) -> list[Enquiry]:
        """Enquiries in the order given. `viewer`: who sees them, where that is one person.

        What did not change since the owner saw it is the same object as then.
        """
        found, unsure = self._unchanged(listed, viewer)
        if unsure:
            found |= await self._looked_at(unsure, viewer)
        return [found[one.room_id] for one in listed]

    def note(self, entry: Entry) -> None:
        """Hear an entry of the log: an edit or a deletion changes what a list shows of a room."""
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
        """What is good without a look at anything, and what is perhaps not."""
        age, found, unsure = self._profiles.age, dict[RoomId, Enquiry](), list[ListedEnquiry]()
        for one in listed:
            seen = self._seen.get(one.room_id) if one.owner == viewer else None
            if seen is not None and seen.age == age and seen.listed == one:
                found[one.room_id] = seen.enquiry
            else:
                unsure.append(one)
        return found, unsure

    async def _looked_at(
        self, listed: Sequence[ListedEnquiry], viewer: UserId | None
    ) -> dict[RoomId, Enquiry]:
        """The same for rows whose people must be asked for; what changed is made anew."""
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

    async def _made(self, listed: Sequence[ListedEnquiry], people: Mapping[UserId, Person]) -> list[_Seen]:
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
            made.append(_Seen(one, owner, enquirer, helper, enquiry, age=-1))
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
