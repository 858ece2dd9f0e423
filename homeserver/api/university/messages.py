"""Messages: send, read, edit, delete, report."""

from collections.abc import Sequence
from uuid import UUID

from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import MessageChange, MessageQuery, NewMessage, NewReport
from homeserver.api.university.sending import Posting
from homeserver.api.university.services import UniversityServices
from homeserver.errors import Forbidden
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.services.events.access import OpenRoom

DEFAULT_PAGE = 50
_REFUSED = "Or one of you has blocked the other, or the text has a forbidden word."


class MessageCalls:
    """The handlers under `messages/`."""

    def __init__(
        self, services: UniversityServices, *, posting: Posting, views: shape.Views, paging: Paging
    ) -> None:
        self._messages = services.messages.messages
        self._reports = services.moderation.reports
        self._posting = posting
        self._access = services.events.access
        self._views = views
        self._paging = paging

    def routes(self) -> Sequence[Route]:
        """The routes."""
        tags = ("Messages",)
        one = "/messages/{message_id:uuid}"
        return (
            Route(
                "POST",
                "/messages",
                self.send,
                "Send a message",
                body=NewMessage,
                answer=schemas.Message,
                tags=tags,
                errors={
                    403: f"`sender_id` is not your own. {_REFUSED}",
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
                tags=tags,
            ),
            Route(
                "PUT",
                one,
                self.edit,
                "Edit your message",
                body=MessageChange,
                answer=schemas.Message,
                tags=tags,
                errors={403: f"Only the author may edit a message. {_REFUSED}"},
            ),
            Route(
                "DELETE",
                one,
                self.delete,
                "Delete a message",
                status=204,
                tags=tags,
                errors={403: "Only the author or an admin may delete a message."},
            ),
            Route(
                "POST",
                f"{one}/report",
                self.report,
                "Report a message to the server's admins",
                body=NewReport,
                status=204,
                tags=tags,
                errors={400: "The message is your own."},
            ),
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

    async def edit(self, call: Call[MessageChange, None]) -> schemas.Message:
        """`PUT /api/unet-chat/messages/{message_id}`: change the text of the requester's own message.

        Errors: message_not_found, not_author, not_editable, empty_text, text_too_long, word_refused.
        """
        requester = call.requester
        message = await self._access.message_by_uuid(requester, call.uuid("message_id"))
        edited = await self._messages.edit(message, text=call.body.text)
        return shape.message(edited.message, self._views.of(requester))

    async def delete(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/messages/{message_id}`: delete the requester's own message; admins of the
        conversation may delete any.

        Errors: message_not_found, not_author.
        """
        message = await self._access.message_by_uuid(call.requester, call.uuid("message_id"))
        await self._messages.redact(message)

    async def report(self, call: Call[NewReport, None]) -> None:
        """`POST /api/unet-chat/messages/{message_id}/report`: report a message; its author is not told.

        Errors: message_not_found, own_message, reason_too_long.
        """
        requester = call.requester
        message = await self._access.message_by_uuid(requester, call.uuid("message_id"))
        await self._reports.report(requester, message.event.event_id, call.body.reason)

    async def _position(self, room: OpenRoom, message_id: UUID | None) -> int | None:
        """The position of a message of the room, even if it was deleted since the client saw it."""
        if message_id is None:
            return None
        return await self._access.place_by_uuid(room, message_id)
