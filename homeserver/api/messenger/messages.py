"""Messages: send, read; to edit, delete and report one is of `homeserver/product_api/messages.py`."""

from collections.abc import Sequence
from typing import Any

from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import MessageChange, MessageQuery, NewMessage
from homeserver.api.messenger.sending import Posting
from homeserver.api.messenger.services import MessengerServices
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.model import LogPosition, Message, Requester
from homeserver.product_api.messages import REFUSED, TAGS, MessageForm, OneMessageCalls
from homeserver.services.events.access import SeenMessage

DEFAULT_PAGE = 50


class MessageCalls:
    """The handlers under `messages/`, and of a chat's messages."""

    def __init__(
        self, services: MessengerServices, *, posting: Posting, views: shape.Views, paging: Paging
    ) -> None:
        self._messages = services.messages.messages
        self._posting = posting
        self._access = services.events.access
        self._views = views
        self._paging = paging
        form = MessageForm(
            path="/messages/{message_id:int}",
            find=self._named,
            edit_method="PATCH",
            change=MessageChange,
            text_of=lambda body: body.content,
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
                status=201,
                tags=TAGS,
                errors={403: f"Only the server sends system messages. {REFUSED}"},
            ),
            Route(
                "GET",
                "/chats/{chat_id:int}/messages",
                self.page,
                "Get a page of messages, oldest first",
                query=MessageQuery,
                answer=list[schemas.Message],
                tags=TAGS,
            ),
            *self._one_message.routes(),
        )

    async def send(self, call: Call[NewMessage, None]) -> schemas.Message:
        """`POST /api/v1/messages`: send a message; with the `client_id` of an earlier call, answer what that
        one sent.

        Errors: room_not_found, message_not_found (a reply), system_message, empty_text, text_too_long,
          blocked, word_refused, rate limits.
        """
        requester, body = call.requester, call.body
        sent = await self._posting.send(await self._access.room_by_number(requester, body.chat_id), body)
        return shape.message(sent.message, self._views.of(requester))

    async def page(self, call: Call[None, MessageQuery]) -> list[schemas.Message]:
        """`GET /api/v1/chats/{chat_id}/messages`: a page of a chat's messages: the newest, or those before a
        message.

        Errors: room_not_found, message_not_found.
        """
        requester, query = call.requester, call.query
        room = await self._access.room_by_number(requester, call.number("chat_id"))
        limit = self._paging.limit(query.limit, DEFAULT_PAGE)
        before = None if query.before is None else LogPosition(query.before)
        found = await self._messages.page(room, limit=limit, before=before)
        view = self._views.of(requester)
        return [shape.message(message, view) for message in found]

    async def _named(self, call: Call[Any, None]) -> SeenMessage:
        return await self._access.message_by_number(call.requester, call.number("message_id"))

    def _shown(self, message: Message, requester: Requester) -> schemas.Message:
        return shape.message(message, self._views.of(requester))
