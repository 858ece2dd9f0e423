"""The calls of messages. They differ by ids, by names of fields and by what is shown."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel

from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.model import Message, Requester
from homeserver.product_api.schemas import NewReport
from homeserver.product_api.services import ProductServices
from homeserver.product_api.views import NumberView, Views
from homeserver.services.events.access import OpenRoom, SeenMessage
from homeserver.services.messages.messages import Sent

N = TypeVar("N", bound=BaseModel)
N_contra = TypeVar("N_contra", contravariant=True)
C = TypeVar("C", bound=BaseModel)
Q = TypeVar("Q", bound=BaseModel)
V = TypeVar("V", bound=NumberView)
M = TypeVar("M")

DEFAULT_PAGE = 50
REFUSED = "Or one of you has blocked the other, or the text has a forbidden word."
_TAGS = ("Messages",)


class Posting(Protocol[N_contra]):
    """Sends messages of an API's clients."""

    async def send(self, room: OpenRoom, new: N_contra) -> Sent:
        """Send; with the `client_id` of an earlier call, answer what that one sent."""
        ...


@dataclass(frozen=True, slots=True)
class MessageForm(Generic[V, M]):
    """An API's names for its calls of messages, and their models.

    `path`: of one message; its parameter is `message_id`. `page_path`: of a room's messages. `new`, `query`, `change`:
    what is sent, asked for and edited. `sent_status`, `sent_errors`: of the call to send. `answer`: the type of a
    message that `show` made.
    """

    path: str
    page_path: str
    edit_method: str
    new: type[BaseModel]
    query: type[BaseModel]
    change: type[BaseModel]
    show: Callable[[Message, V], M]
    answer: Any
    sent_errors: Mapping[int, str]
    sent_status: int = 200


class MessageCalls(ABC, Generic[N, Q, C, V, M]):
    """The handlers of messages. An API says by what ids it finds rooms and messages."""

    form: ClassVar[MessageForm[Any, Any]]

    def __init__(
        self, services: ProductServices, *, posting: Posting[N], views: Views[V], paging: Paging
    ) -> None:
        self.access = services.events.access
        self.messages = services.messages.messages
        self.paging = paging
        self._reports = services.moderation.reports
        self._posting = posting
        self._views = views

    @abstractmethod
    async def room_for(self, requester: Requester, new: N) -> OpenRoom:
        """The room that a new message is for."""

    @abstractmethod
    async def read(self, call: Call[None, Q]) -> Sequence[Message]:
        """The messages that the call for a page asks for."""

    @abstractmethod
    async def named(self, call: Call[Any, None]) -> SeenMessage:
        """The message that a call's path names."""

    @abstractmethod
    def text_of(self, change: C) -> str:
        """The new text of an edited message."""

    def routes(self) -> Sequence[Route]:
        """The routes."""
        form = self.form
        return (
            Route(
                "POST",
                "/messages",
                self.send,
                "Send a message",
                body=form.new,
                answer=form.answer,
                status=form.sent_status,
                tags=_TAGS,
                errors=form.sent_errors,
            ),
            Route(
                "GET",
                form.page_path,
                self.page,
                "Get a page of messages, oldest first",
                query=form.query,
                answer=GenericAlias(list, form.answer),
                tags=_TAGS,
            ),
            *self._routes_of_one(),
        )

    def _routes_of_one(self) -> Sequence[Route]:
        form = self.form
        return (
            Route(
                form.edit_method,
                form.path,
                self.edit,
                "Edit your message",
                body=form.change,
                answer=form.answer,
                tags=_TAGS,
                errors={403: f"Only the author may edit a message. {REFUSED}"},
            ),
            Route(
                "DELETE",
                form.path,
                self.delete,
                "Delete a message",
                status=204,
                tags=_TAGS,
                errors={403: "Only the author or an admin may delete a message."},
            ),
            Route(
                "POST",
                f"{form.path}/report",
                self.report,
                "Report a message to the server's admins",
                body=NewReport,
                status=204,
                tags=_TAGS,
                errors={400: "The message is your own."},
            ),
        )

    async def send(self, call: Call[N, None]) -> M:
        """`POST /api/unet-chat/messages`,
        `POST /api/v1/messages`: send a message; with the `client_id` of an earlier call, answer what that one
        sent.

        Errors: room_not_found, message_not_found (a reply), wrong_sender, system_message, empty_text, text_too_long,
          blocked, word_refused, rate limits.
        """
        sent = await self._posting.send(await self.room_for(call.requester, call.body), call.body)
        return self._shown(sent.message, call.requester)

    async def page(self, call: Call[None, Q]) -> list[M]:
        """`GET /api/unet-chat/messages/{conversation_id}`,
        `GET /api/v1/chats/{chat_id}/messages`: a page of a room's messages, each from oldest to newest: the newest, or
        those before a message; in the first also by offset from the newest, or after a message.

        Errors: room_not_found, message_not_found.
        """
        return [self._shown(message, call.requester) for message in await self.read(call)]

    async def edit(self, call: Call[C, None]) -> M:
        """`PUT /api/unet-chat/messages/{message_id}`,
        `PATCH /api/v1/messages/{message_id}`: change the text of the requester's own message.

        Errors: message_not_found, not_author, not_editable, empty_text, text_too_long, word_refused.
        """
        message = await self.named(call)
        edited = await self.messages.edit(message, text=self.text_of(call.body))
        return self._shown(edited.message, call.requester)

    async def delete(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/messages/{message_id}`,
        `DELETE /api/v1/messages/{message_id}`: delete the requester's own message; admins of the room may
        delete any.

        Errors: message_not_found, not_author.
        """
        await self.messages.redact(await self.named(call))

    async def report(self, call: Call[NewReport, None]) -> None:
        """`POST /api/unet-chat/messages/{message_id}/report`,
        `POST /api/v1/messages/{message_id}/report`: report a message; its author is not told.

        Errors: message_not_found, own_message, reason_too_long.
        """
        message = await self.named(call)
        await self._reports.report(call.requester, message.event.event_id, call.body.reason)

    def _shown(self, message: Message, requester: Requester) -> M:
        shown: M = self.form.show(message, self._views.of(requester))
        return shown
