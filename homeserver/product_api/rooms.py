"""Calls of one room that differ by ids only: read marks, and removing a member."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from homeserver.http.routes import Call
from homeserver.model import Requester
from homeserver.product_api.views import number_in_path
from homeserver.protocol.ids import RoomId
from homeserver.services.events.access import OpenRoom, SeenMessage
from homeserver.services.realtime.receipts import Receipts
from homeserver.services.rooms.members import Members

Id = TypeVar("Id")
Id_co = TypeVar("Id_co", covariant=True)

FindRoom = Callable[[Call[Any, None]], Awaitable[OpenRoom]]
"""Opens the room that a call's path names."""


class ReadBody(Protocol[Id_co]):
    """A body that names the last message read; None for the newest."""

    @property
    def message_id(self) -> Id_co | None: ...


class ReadMarks(Generic[Id]):
    """Moves read marks. `find` opens the message of a public id, also a deleted one."""

    def __init__(
        self, *, receipts: Receipts, find: Callable[[Requester, Id], Awaitable[SeenMessage]]
    ) -> None:
        self._receipts = receipts
        self._find = find

    async def move(self, requester: Requester, room_id: RoomId, message_id: Id | None) -> None:
        """Mark everything in a room up to a message, or up to the newest one, as read."""
        event_id = None
        if message_id is not None:
            event_id = (await self._find(requester, message_id)).event.event_id
        await self._receipts.mark_read(requester, room_id, event_id=event_id)


class RoomCalls(Generic[Id]):
    """The handlers of one room; each API puts them into its table, as paths and texts are its own."""

    def __init__(self, *, find: FindRoom, marks: ReadMarks[Id], members: Members) -> None:
        self._find = find
        self._marks = marks
        self._members = members

    async def read(self, call: Call[ReadBody[Id], None]) -> None:
        """`POST /api/unet-chat/conversations/{conversation_id}/read`,
        `POST /api/v1/chats/{chat_id}/read`: mark everything up to a message, or up to the newest one, as
        read.

        Errors: room_not_found, message_not_found, message_elsewhere.
        """
        room = await self._find(call)
        await self._marks.move(call.requester, room.room_id, call.body.message_id)

    async def remove(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/conversations/{conversation_id}/participants/{user_id}`,
        `DELETE /api/v1/chats/{chat_id}/members/{user_id}`: remove a person (for admins of the room), or
        leave it.

        Errors: room_not_found, user_not_found, not_admin, low_power, private_room.
        """
        room = await self._find(call)
        await self._members.remove(call.requester, room.room_id, number_in_path(call))
