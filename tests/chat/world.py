"""People and rooms for tests of services, made in a line each."""

from typing import Any

from homeserver.app import Homeserver
from homeserver.model import Attachment, Message, Person, Requester, Room
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.enquiries.enquiries import EnquiryRoom
from homeserver.services.events.content import NewFile
from homeserver.services.realtime.records import Record


async def person(hs: Homeserver, name: str) -> Requester:
    """A new account, as somebody who asks."""
    made: Person = await hs.accounts.accounts.create(
        display_name=name, email=f"{name.lower()}@example.org", password="correct horse battery"
    )
    return Requester(user_id=made.user_id, number=made.number, session_key=f"session of {name}")


async def group(hs: Homeserver, creator: Requester, *others: Requester, title: str = "Group") -> Room:
    """A new group."""
    numbers = [one.number for one in others]
    return await hs.rooms.rooms.create(creator, kind="group", title=title, people=numbers)


class ByIds:
    """The messages service by ids: the gate is asked first, as a face does. Sends and edits answer the message."""

    def __init__(self, hs: Homeserver) -> None:
        self._access = hs.events.access
        self._messages = hs.messages.messages

    async def send(
        self, who: Requester, room_id: RoomId, *, reply_to: EventId | None = None, **more: Any
    ) -> Message:
        room = await self._access.room(who, room_id)
        answered = None if reply_to is None else await self._access.message(who, reply_to)
        return (await self._messages.send(room, reply_to=answered, **more)).message

    async def send_file(self, who: Requester, room_id: RoomId, **more: Any) -> Message:
        return (await self._messages.send_file(await self._access.room(who, room_id), **more)).message

    async def attach(self, who: Requester, event_id: EventId, file: NewFile) -> Attachment:
        return await self._messages.attach(await self._access.message(who, event_id), file)

    async def edit(self, who: Requester, event_id: EventId, **more: Any) -> Message:
        return (await self._messages.edit(await self._access.message(who, event_id), **more)).message

    async def redact(self, who: Requester, event_id: EventId) -> None:
        await self._messages.redact(await self._access.message(who, event_id))

    async def page(self, who: Requester, room_id: RoomId, **more: Any) -> list[Message]:
        return await self._messages.page(await self._access.room(who, room_id), **more)


async def enquiry(hs: Homeserver, who: Requester, room_id: RoomId) -> EnquiryRoom:
    """An enquiry that somebody is in."""
    return await hs.enquiries.enquiries.about(await hs.events.access.room(who, room_id))


class Watch:
    """A watcher of the feed that keeps what it is given."""

    def __init__(self, hs: Homeserver) -> None:
        self.records: list[Record] = []
        self.stop = hs.realtime.feed.watch(self)

    def wants(self, room_id: str) -> bool:
        return True

    def deliver(self, record: Record) -> None:
        self.records.append(record)
