"""Messages, by the UUIDs of conversations and messages (see `homeserver/product_api/messages.py`)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from homeserver import publicids
from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import MessageChange, MessageQuery, NewMessage
from homeserver.errors import Forbidden
from homeserver.http.routes import Call
from homeserver.model import LogPosition, Message, Requester
from homeserver.product_api import messages as product
from homeserver.services.events.access import OpenRoom, SeenMessage


class MessageCalls(
    product.MessageCalls[NewMessage, MessageQuery, MessageChange, shape.View, schemas.Message]
):
    """The handlers under `messages/`."""

    form = product.MessageForm(
        show=shape.message,
        answer=schemas.Message,
        new=NewMessage,
        change=MessageChange,
        query=MessageQuery,
        path="/messages/{message_id:uuid}",
        page_path="/messages/{conversation_id:uuid}",
        edit_method="PUT",
        sent_errors={
            403: f"`sender_id` is not your own. {product.REFUSED}",
            404: "There is no such conversation, or you are not in it.",
        },
    )

    async def room_for(self, requester: Requester, new: NewMessage) -> OpenRoom:
        own = publicids.to_public(requester.number, requester.namespace)
        if new.sender_id is not None and new.sender_id != own:
            raise Forbidden("sender_id must be your own", code="wrong_sender")
        return await self.access.room_by_uuid(requester, new.conversation_id)

    async def read(self, call: Call[None, MessageQuery]) -> Sequence[Message]:
        query = call.query
        room = await self.access.room_by_uuid(call.requester, call.uuid("conversation_id"))
        return await self.messages.page(
            room,
            limit=self.paging.limit(query.limit, product.DEFAULT_PAGE),
            offset=query.offset,
            before=await self._position(room, query.before),
            after=await self._position(room, query.after),
        )

    async def named(self, call: Call[Any, None]) -> SeenMessage:
        return await self.access.message_by_uuid(call.requester, call.uuid("message_id"))

    def text_of(self, change: MessageChange) -> str:
        return change.text

    async def _position(self, room: OpenRoom, message_id: UUID | None) -> LogPosition | None:
        """The position of a message of the room, even if it was deleted since the client saw it."""
        if message_id is None:
            return None
        return await self.access.position_by_uuid(room, message_id)
