"""Messages: send, read, edit, delete, report."""

from collections.abc import Sequence

from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import MessageChange, MessageQuery, NewMessage, NewReport
from homeserver.api.messenger.sending import Posting
from homeserver.api.messenger.services import MessengerServices
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route

DEFAULT_PAGE = 50
_TAGS = ("Messages",)
_REFUSED = "Or one of you has blocked the other, or the text has a forbidden word."


class MessageCalls:
    """The handlers under `messages/`, and of a chat's messages."""

    def __init__(
        self, services: MessengerServices, *, posting: Posting, views: shape.Views, paging: Paging
    ) -> None:
        self._messages = services.messages.messages
        self._reports = services.moderation.reports
        self._posting = posting
        self._access = services.events.access
        self._views = views
        self._paging = paging

    def routes(self) -> Sequence[Route]:
        """The routes."""
        one = "/messages/{message_id:int}"
        return (
            Route(
                "POST",
                "/messages",
                self.send,
                "Send a message",
                body=NewMessage,
                answer=schemas.Message,
                status=201,
                tags=_TAGS,
                errors={403: f"Only the server sends system messages. {_REFUSED}"},
            ),
            Route(
                "GET",
                "/chats/{chat_id:int}/messages",
                self.page,
                "Get a page of messages, oldest first",
                query=MessageQuery,
                answer=list[schemas.Message],
                tags=_TAGS,
            ),
            Route(
                "PATCH",
                one,
                self.edit,
                "Edit your message",
                body=MessageChange,
                answer=schemas.Message,
                tags=_TAGS,
                errors={403: f"Only the author may edit a message. {_REFUSED}"},
            ),
            Route(
                "DELETE",
                one,
                self.delete,
                "Delete a message",
                status=204,
                tags=_TAGS,
                errors={403: "Only the author or an admin may delete a message."},
            ),
            Route(
                "POST",
                f"{one}/report",
                self.report,
                "Report a message to the server's admins",
                body=NewReport,
                status=204,
                tags=_TAGS,
                errors={400: "The message is your own."},
            ),
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
        found = await self._messages.page(room, limit=limit, before=query.before)
        view = self._views.of(requester)
        return [shape.message(message, view) for message in found]

    async def edit(self, call: Call[MessageChange, None]) -> schemas.Message:
        """`PATCH /api/v1/messages/{message_id}`: change the text of the requester's own message.

        Errors: message_not_found, not_author, not_editable, empty_text, text_too_long, word_refused.
        """
        requester = call.requester
        message = await self._access.message_by_number(requester, call.number("message_id"))
        edited = await self._messages.edit(message, text=call.body.content)
        return shape.message(edited.message, self._views.of(requester))

    async def delete(self, call: Call[None, None]) -> None:
        """`DELETE /api/v1/messages/{message_id}`: delete the requester's own message; admins of the chat may
        delete any.

        Errors: message_not_found, not_author.
        """
        message = await self._access.message_by_number(call.requester, call.number("message_id"))
        await self._messages.redact(message)

    async def report(self, call: Call[NewReport, None]) -> None:
        """`POST /api/v1/messages/{message_id}/report`: report a message; its author is not told.

        Errors: message_not_found, own_message, reason_too_long.
        """
        requester = call.requester
        message = await self._access.message_by_number(requester, call.number("message_id"))
        await self._reports.report(requester, message.event.event_id, call.body.reason)
