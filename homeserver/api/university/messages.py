"""Messages: send, read; to edit, delete and report one is of `homeserver/product_api/messages.py`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import MessageChange, MessageQuery, NewMessage
from homeserver.api.university.sending import Posting
from homeserver.api.university.services import UniversityServices
from homeserver.errors import Forbidden
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.model import LogPosition, Message, Requester
from homeserver.product_api.messages import REFUSED, TAGS, MessageForm, OneMessageCalls
from homeserver.services.events.access import OpenRoom, SeenMessage

DEFAULT_PAGE = 50


class MessageCalls:
    """The handlers under `messages/`."""

    def __init__(
        self, services: UniversityServices, *, posting: Posting, views: shape.Views, paging: Paging
    ) -> None:
        self._messages = services.messages.messages
        self._posting = posting
        self._access = services.events.access
        self._views = views
        self._paging = paging
        form = MessageForm(
            path="/messages/{message_id:uuid}",
            find=self._named,
            edit_method="PUT",
            change=MessageChange,
            text_of=lambda body: body.text,
            show=self._shown,
            answer=schemas.Message,
        )
        self._one_message = OneMessageCalls(
            form, messages=self._messages, reports=services.moderation.reports
        )

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "POST",
                "/messages",
                self.send,
                "Send a message",
                body=NewMessage,
                answer=schemas.Message,
                tags=TAGS,
                errors={
                    403: f"`sender_id` is not your own. {REFUSED}",
                    404: "There is no such conversation, or you are not in it.",
                },
            ),
            Route(
                "GET",
                "/messages/{conversation_id:uuid}",
                self.page,
                "Get a page of messages, oldest first",
                query=MessageQuery,
                answer=list[schemas.Message],
                tags=TAGS,
            ),
            *self._one_message.routes(),
        )

    async def send(self, call: Call[NewMessage, None]) -> schemas.Message:
        """`POST /api/unet-chat/messages`: send a message; with the `client_id` of an earlier call, answer
        what that one sent.

        Errors: room_not_found, message_not_found (`reply_to`), wrong_sender, empty_text, text_too_long,
          blocked, word_refused, rate limits.
        """
        requester, body = call.requester, call.body
        view = self._views.of(requester)
        if body.sender_id is not None and body.sender_id != view.number(requester.number):
            raise Forbidden("sender_id must be your own", code="wrong_sender")
        room = await self._access.room_by_uuid(requester, body.conversation_id)
        sent = await self._posting.send(room, body)
        return shape.message(sent.message, view)

    async def page(self, call: Call[None, MessageQuery]) -> list[schemas.Message]:
        """`GET /api/unet-chat/messages/{conversation_id}`: a page of a conversation's messages: by offset
        from the newest, or before or after a message.

        Errors: room_not_found, message_not_found.
        """
        requester, query = call.requester, call.query
        room = await self._access.room_by_uuid(requester, call.uuid("conversation_id"))
        found = await self._messages.page(
            room,
            limit=self._paging.limit(query.limit, DEFAULT_PAGE),
            offset=query.offset,
            before=await self._position(room, query.before),
            after=await self._position(room, query.after),
        )
        view = self._views.of(requester)
        return [shape.message(message, view) for message in found]

    async def _named(self, call: Call[Any, None]) -> SeenMessage:
        return await self._access.message_by_uuid(call.requester, call.uuid("message_id"))

    def _shown(self, message: Message, requester: Requester) -> schemas.Message:
        return shape.message(message, self._views.of(requester))

    async def _position(self, room: OpenRoom, message_id: UUID | None) -> LogPosition | None:
        """The position of a message of the room, even if it was deleted since the client saw it."""
        if message_id is None:
            return None
        return await self._access.position_by_uuid(room, message_id)
