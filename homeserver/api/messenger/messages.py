"""Messages, by the numbers of chats and messages (see `homeserver/product_api/messages.py`)."""

from collections.abc import Sequence
from typing import Any

from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import MessageChange, MessageQuery, NewMessage
from homeserver.http.routes import Call
from homeserver.model import LogPosition, Message, Requester
from homeserver.product_api import messages as product
from homeserver.services.events.access import OpenRoom, SeenMessage


class MessageCalls(
    product.MessageCalls[NewMessage, MessageQuery, MessageChange, shape.View, schemas.Message]
):
    """The handlers under `messages/`, and of a chat's messages."""

    form = product.MessageForm(
        path="/messages/{message_id:int}",
        page_path="/chats/{chat_id:int}/messages",
        edit_method="PATCH",
        new=NewMessage,
        query=MessageQuery,
        change=MessageChange,
        show=shape.message,
        answer=schemas.Message,
        sent_errors={403: f"Only the server sends system messages. {product.REFUSED}"},
        sent_status=201,
    )

    async def room_for(self, requester: Requester, new: NewMessage) -> OpenRoom:
        return await self.access.room_by_number(requester, new.chat_id)

    async def read(self, call: Call[None, MessageQuery]) -> Sequence[Message]:
        room = await self.access.room_by_number(call.requester, call.number("chat_id"))
        limit = self.paging.limit(call.query.limit, product.DEFAULT_PAGE)
        before = None if call.query.before is None else LogPosition(call.query.before)
        return await self.messages.page(room, limit=limit, before=before)

    async def named(self, call: Call[Any, None]) -> SeenMessage:
        return await self.access.message_by_number(call.requester, call.number("message_id"))

    def text_of(self, change: MessageChange) -> str:
        return change.content
