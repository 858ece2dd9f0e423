"""Stored events as messages of the product APIs: edits applied, files and reader counts added, each in one query
for all."""

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from homeserver.model import (
    ATTACHMENT_REL,
    CLIENT_ID_KEY,
    Attachment,
    LogPosition,
    Message,
    MessageRef,
    Person,
)
from homeserver.protocol.ids import EventId, RoomId, UserId
from homeserver.services.accounts.profiles import Profiles
from homeserver.services.events.content import (
    attachment_of,
    kind_of_message,
    payload_of,
    reply_target,
    text_of,
)
from homeserver.storage import events, members, relations, rooms
from homeserver.storage.db import Database
from homeserver.storage.events import StoredEvent
from homeserver.storage.members import ReadSpan
from homeserver.timeline.writer import Timeline

_MAX_FILES = 1000  # of all messages of one page
_AT_A_TIME = 500  # messages made before the event loop gets its turn


class MessageViews:
    """Makes Message records of stored events."""

    def __init__(self, *, db: Database, timeline: Timeline, profiles: Profiles, server: str) -> None:
        self._db = db
        self._timeline = timeline
        self._profiles = profiles
        self._server = server

    async def complete(self, room_id: RoomId, page: Sequence[StoredEvent]) -> list[Message]:
        """Complete messages of one room, in the given order."""
        if not page:
            return []
        async with self._db.read() as conn:
            parts = await self._parts(conn, page)
            readers = _Readers(await members.readers_since(conn, room_id, min(one.arrived for one in page)))
        at = await self._timeline.room_position(room_id)
        return await self._whole(page, parts, {room_id: at}, readers)

    async def of_rooms(self, page: Sequence[StoredEvent]) -> list[Message]:
        """Messages of any rooms, complete but for the reader count, in the given order."""
        if not page:
            return []
        async with self._db.read() as conn:
            parts = await self._parts(conn, page)
            found = await rooms.rooms_by_id(conn, {one.event.room_id for one in page})
        return await self._whole(page, parts, {room_id: one.position for room_id, one in found.items()})

    async def one(self, stored: StoredEvent) -> Message:
        """One complete message."""
        return (await self.complete(stored.event.room_id, [stored]))[0]

    async def is_author(self, user_id: UserId, stored: StoredEvent) -> bool:
        """True if the user wrote the message, also as the guest that they were before."""
        sender = stored.event.sender
        if sender == user_id:
            return True
        author = (await self._profiles.people([sender])).get(sender)
        return author is not None and author.user_id == user_id

    async def fresh(self, stored: StoredEvent, answered: MessageRef | None = None) -> Message:
        """A message that was just sent: it has no edits, files or readers yet.

        `answered`: the message it replies to, if the caller knows it; else it is looked up.
        """
        if answered is None and reply_target(stored.event.content) is not None:
            async with self._db.read() as conn:
                answered = _reply(stored, await self._replies(conn, [stored]))
        numbers = await self._numbers({stored.event.sender})
        return self._message(
            stored,
            room_position=await self._timeline.room_position(stored.event.room_id),
            sender_number=numbers.get(stored.event.sender, 0),
            reply_to=answered,
        )

    async def briefs(
        self, positions: Collection[LogPosition], room_positions: Mapping[RoomId, LogPosition]
    ) -> dict[RoomId, Message]:
        """The messages at these positions, one per room, without files and readers: for lists of rooms."""
        if not positions:
            return {}
        async with self._db.read() as conn:
            found = await events.events_at(conn, positions)
        numbers = await self._numbers({one.event.sender for one in found.values()})
        made: dict[RoomId, Message] = {}
        for at, one in enumerate(found.values(), start=1):
            if at % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            made[one.event.room_id] = self._message(
                one,
                room_position=room_positions[one.event.room_id],
                sender_number=numbers.get(one.event.sender, 0),
            )
        return made

    async def _whole(
        self,
        page: Sequence[StoredEvent],
        parts: "_Parts",
        room_positions: Mapping[RoomId, LogPosition],
        readers: "_Readers | None" = None,
    ) -> list[Message]:
        senders = await self._profiles.people({one.event.sender for one in page})
        return [
            self._message(
                one,
                room_position=room_positions[one.event.room_id],
                sender_number=senders[one.event.sender].number if one.event.sender in senders else 0,
                reply_to=_reply(one, parts.replies),
                parts=parts.files.get(one.event.event_id, ()),
                read_by=readers.of(one, senders) if readers is not None else 0,
            )
            for one in page
        ]

    async def _parts(self, conn: AsyncConnection, page: Sequence[StoredEvent]) -> "_Parts":
        ids = [one.event.event_id for one in page]
        files = await relations.related(conn, ids, ATTACHMENT_REL, _MAX_FILES)
        return _Parts(files, await self._replies(conn, page))

    async def _replies(self, conn: AsyncConnection, page: Sequence[StoredEvent]) -> "Replies":
        targets = {target for one in page if (target := reply_target(one.event.content)) is not None}
        return await events.positions_of(conn, targets) if targets else {}

    async def _numbers(self, user_ids: Collection[UserId]) -> dict[UserId, int]:
        return {user_id: one.number for user_id, one in (await self._profiles.people(user_ids)).items()}

    def _message(
        self,
        stored: StoredEvent,
        *,
        room_position: LogPosition,
        sender_number: int,
        reply_to: MessageRef | None = None,
        parts: Sequence[StoredEvent] = (),
        read_by: int = 0,
    ) -> Message:
        event = stored.event
        client_id = event.content.get(CLIENT_ID_KEY)
        return Message(
            event_id=event.event_id,
            position=stored.arrived,
            room_id=event.room_id,
            room_position=room_position,
            sender=event.sender,
            sender_number=sender_number,
            kind=kind_of_message(event.content),
            text=text_of(stored),
            created_ms=event.origin_server_ts,
            reply_to=reply_to,
            edited_ms=stored.edit.origin_server_ts if stored.edit is not None else None,
            attachments=self._files([stored, *parts]),
            read_by_count=read_by,
            client_id=client_id if isinstance(client_id, str) else None,
            payload=payload_of(event.content),
        )

    def _files(self, holders: Sequence[StoredEvent]) -> tuple[Attachment, ...]:
        found = (attachment_of(one, self._server) for one in holders)
        return tuple(one for one in found if one is not None)


Replies = Mapping[tuple[RoomId, EventId], LogPosition]
"""Positions of the messages that others reply to, by room and event id."""


def _reply(stored: StoredEvent, replies: Replies) -> MessageRef | None:
    """The message that this one replies to, if that is in the same room."""
    target = reply_target(stored.event.content)
    position = None if target is None else replies.get((stored.event.room_id, target))
    return None if target is None or position is None else MessageRef(target, position)


class _Parts(NamedTuple):
    """What is added to the messages of a page: their files, and the positions of the messages they reply to."""

    files: Mapping[EventId, Sequence[StoredEvent]]
    replies: "Replies"


class _Readers:
    """Counts the users who have read a message: neither its sender, nor those who joined after it."""

    def __init__(self, spans: Mapping[UserId, ReadSpan]) -> None:
        self._spans = spans
        self._joined = sorted(span.joined for span in spans.values())
        self._read = sorted(span.upto for span in spans.values())

    def of(self, stored: StoredEvent, senders: Mapping[UserId, Person]) -> int:
        """The count for a message. `senders`: who the senders are now, also those who were guests then."""
        position, sender = stored.arrived, senders.get(stored.event.sender)
        read = len(self._read) - bisect_left(self._read, position)
        joined_later = len(self._joined) - bisect_left(self._joined, position)
        own = self._spans.get(stored.event.sender if sender is None else sender.user_id)
        return read - joined_later - (own is not None and own.joined < position <= own.upto)
