"""Messages: pages of them, and sending."""

from collections.abc import Sequence

from bridges.marketplace import schemas, shape
from bridges.marketplace.auth import Callers, own_id
from bridges.marketplace.schemas import NewMessage, PageQuery, WhoQuery
from bridges.marketplace.sending import Posting
from bridges.marketplace.service import Market, route
from homeserver.http.routes import Call, Route
from homeserver.model import LogPosition

_WITH_CHAT = 500  # messages in the answer for a chat


class MessageCalls:
    """The handlers under `chats/{id}/messages`, and of a chat with its messages."""

    def __init__(self, market: Market, callers: Callers, posting: Posting) -> None:
        self._market = market
        self._callers = callers
        self._posting = posting

    def routes(self) -> Sequence[Route]:
        """The routes."""
        one = "/chats/{chat_id:int}"
        return (
            route(
                "GET",
                one,
                self.chat,
                "Get a chat with its messages",
                query=WhoQuery,
                answer=schemas.ChatWithMessages,
            ),
            route(
                "GET",
                f"{one}/messages",
                self.page,
                "Get a page of messages, oldest first",
                query=PageQuery,
                answer=list[schemas.Message],
            ),
            route(
                "POST",
                f"{one}/messages",
                self.post,
                "Send a message",
                body=NewMessage,
                query=WhoQuery,
                answer=schemas.Message,
                errors={403: "One of you has blocked the other, or the text has a forbidden word."},
            ),
        )

    async def chat(self, call: Call[None, WhoQuery]) -> schemas.ChatWithMessages:
        """`GET /api/chat/chats/{chat_id}`: get a chat with its newest messages.

        Errors: room_not_found.
        """
        caller = await self._callers.of(call.request, call.query.user_id)
        room = await self._market.access.room_by_number(caller.requester, call.number("chat_id"))
        found = await self._market.chat(room)
        page = await self._market.messages.page(room, limit=_WITH_CHAT)
        view = self._market.view(caller)
        return {**shape.chat(found, view), "messages": [shape.message(one, view) for one in page]}

    async def page(self, call: Call[None, PageQuery]) -> list[schemas.Message]:
        """`GET /api/chat/chats/{chat_id}/messages`: a page of messages, counted from the oldest: `offset` are
        skipped. With `before` the newest of those before a message.

        Errors: room_not_found.
        """
        query = call.query
        caller = await self._callers.of(call.request, query.user_id)
        found = await self._market.room(caller.requester, call.number("chat_id"))
        messages = self._market.messages
        if query.before is None:
            page = await messages.oldest(found.room, limit=query.limit, offset=query.offset)
        else:
            page = await messages.page(found.room, limit=query.limit, before=LogPosition(query.before))
        view = self._market.view(caller)
        return [shape.message(one, view) for one in page]

    async def post(self, call: Call[NewMessage, WhoQuery]) -> schemas.Message:
        """`POST /api/chat/chats/{chat_id}/messages`: send a message.

        `sender_id`, if given, must be the caller's own.

        Errors: room_not_found, wrong_user, empty_text, invalid_param, missing_param (a file without
          `file_url`), blocked, word_refused.
        """
        body = call.body
        caller = await self._callers.of(call.request, call.query.user_id or body.sender_id)
        own_id(body.sender_id, caller)
        found = await self._market.room(caller.requester, call.number("chat_id"))
        sent = await self._posting.send(found.room, body)
        return shape.message(sent.message, self._market.view(caller))
