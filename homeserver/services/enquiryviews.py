"""Stored enquiries as people see them; a fixed number of queries, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from homeserver.model import Link, Message, Person
from homeserver.protocol.ids import RoomId, UserId
from homeserver.services.guests import is_guest
from homeserver.services.messageviews import MessageViews
from homeserver.services.profiles import Profiles
from homeserver.storage.db import Database
from homeserver.storage.enquiries import Help, ListedEnquiry


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


class EnquiryViews:
    """Makes Enquiry records of stored ones."""

    def __init__(self, db: Database, profiles: Profiles, messages: MessageViews) -> None:
        self.db = db
        self._profiles = profiles
        self._messages = messages

    async def one(self, listed: ListedEnquiry) -> Enquiry:
        """One enquiry."""
        return (await self.many([listed]))[0]

    async def many(self, listed: Sequence[ListedEnquiry]) -> list[Enquiry]:
        """Enquiries in the order given."""
        rows = [one.enquiry for one in listed]
        named = {row.owner for row in rows} | {row.enquirer for row in rows}
        people = await self._profiles.people(named | {row.helper for row in rows if row.helper is not None})
        rooms = [one.room.room for one in listed]
        last = await self._messages.briefs(
            [room.last_message_position for room in rooms if room.last_message_position is not None],
            {room.room_id: room.position for room in rooms},
        )
        return [
            _enquiry(one, people[one.enquiry.owner], people[one.enquiry.enquirer], helper, last_message)
            for one in listed
            for helper in [people.get(one.enquiry.helper) if one.enquiry.helper is not None else None]
            for last_message in [last.get(one.enquiry.room_id)]
        ]


def _enquiry(
    listed: ListedEnquiry, owner: Person, enquirer: Person, helper: Person | None, last: Message | None
) -> Enquiry:
    row, room = listed.enquiry, listed.room.room
    newest = room.position if room.last_message_position is None else room.last_message_position
    return Enquiry(
        room_id=room.room_id,
        position=room.position,
        created_ms=room.created_ms,
        link=row.link,
        owner=owner,
        enquirer=enquirer,
        guest_number=row.guest_number if is_guest(enquirer.number) else None,
        is_hidden_by_owner=row.owner_hid >= newest,
        is_hidden_by_enquirer=row.enquirer_hid >= newest,
        is_helped=row.help is Help.JOINED,
        helper=helper,
        unread_count=listed.room.unread_count,
        last_message=last,
    )
