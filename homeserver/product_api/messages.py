"""The calls of one message: edit, delete, report. They differ by ids, by names of fields and by what is shown."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from homeserver.http.routes import Call, Route
from homeserver.model import Message, Requester
from homeserver.product_api.schemas import NewReport
from homeserver.services.events.access import SeenMessage
from homeserver.services.messages.messages import Messages
from homeserver.services.moderation.reports import Reports

C = TypeVar("C", bound=BaseModel)
M = TypeVar("M")

TAGS = ("Messages",)
REFUSED = "Or one of you has blocked the other, or the text has a forbidden word."


@dataclass(frozen=True, slots=True)
class MessageForm(Generic[C, M]):
    """How an API names and shows a message.

    `path`: of one message; its parameter is `message_id`. `find` opens the message that it names. `edit_method`,
    `change`, `text_of`: the call to edit, its body, and the new text in that. `answer`: the type of a shown message.
    """

    path: str
    find: Callable[[Call[Any, None]], Awaitable[SeenMessage]]
    edit_method: str
    change: type[C]
    text_of: Callable[[C], str]
    show: Callable[[Message, Requester], M]
    answer: Any


class OneMessageCalls(Generic[C, M]):
    """The handlers under `messages/{message_id}`."""

    def __init__(self, form: MessageForm[C, M], *, messages: Messages, reports: Reports) -> None:
        self._form = form
        self._messages = messages
        self._reports = reports

    def routes(self) -> Sequence[Route]:
        """The routes."""
        form = self._form
        return (
            Route(
                form.edit_method,
                form.path,
                self.edit,
                "Edit your message",
                body=form.change,
                answer=form.answer,
                tags=TAGS,
                errors={403: f"Only the author may edit a message. {REFUSED}"},
            ),
            Route(
                "DELETE",
                form.path,
                self.delete,
                "Delete a message",
                status=204,
                tags=TAGS,
                errors={403: "Only the author or an admin may delete a message."},
            ),
            Route(
                "POST",
                f"{form.path}/report",
                self.report,
                "Report a message to the server's admins",
                body=NewReport,
                status=204,
                tags=TAGS,
                errors={400: "The message is your own."},
            ),
        )

    async def edit(self, call: Call[C, None]) -> M:
        """`PUT /api/unet-chat/messages/{message_id}`,
        `PATCH /api/v1/messages/{message_id}`: change the text of the requester's own message.

        Errors: message_not_found, not_author, not_editable, empty_text, text_too_long, word_refused.
        """
        message = await self._form.find(call)
        edited = await self._messages.edit(message, text=self._form.text_of(call.body))
        return self._form.show(edited.message, call.requester)

    async def delete(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/messages/{message_id}`,
        `DELETE /api/v1/messages/{message_id}`: delete the requester's own message; admins of the room may
        delete any.

        Errors: message_not_found, not_author.
        """
        await self._messages.redact(await self._form.find(call))

    async def report(self, call: Call[NewReport, None]) -> None:
        """`POST /api/unet-chat/messages/{message_id}/report`,
        `POST /api/v1/messages/{message_id}/report`: report a message; its author is not told.

        Errors: message_not_found, own_message, reason_too_long.
        """
        message = await self._form.find(call)
        await self._reports.report(call.requester, message.event.event_id, call.body.reason)
