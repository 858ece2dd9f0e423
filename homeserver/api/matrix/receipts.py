"""Receipts, read markers and typing notifications."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from homeserver.api.matrix import schemas
from homeserver.errors import Forbidden
from homeserver.http.body import Body, Flag
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.clientdata.accountdata import FULLY_READ
from homeserver.services.realtime.presence import Presence
from homeserver.services.realtime.receipts import PRIVATE, READ, Receipts
from homeserver.services.realtime.typing import Typing


class ReceiptBody(Body):
    thread_id: str | None = Field(default=None, min_length=1, max_length=255)


class ReadMarkers(Body):
    fully_read: str | None = Field(default=None, max_length=255, alias="m.fully_read")
    read: str | None = Field(default=None, max_length=255, alias="m.read")
    private: str | None = Field(default=None, max_length=255, alias="m.read.private")


class TypingBody(Body):
    """`timeout` in milliseconds."""

    typing: Flag
    timeout: int | None = Field(default=None, ge=0, le=2**53 - 1)


class ReceiptCalls:
    """The handlers for receipts and typing. Who types is active for `presence`, who reads is by the log."""

    def __init__(self, receipts: Receipts, typing: Typing, presence: Presence) -> None:
        self._receipts = receipts
        self._typing = typing
        self._presence = presence

    def routes(self) -> Sequence[Route]:
        """The routes."""
        room, empty = "/client/v3/rooms/{room_id}", schemas.Empty
        receipt, typing = f"{room}/receipt/{{type}}/{{event_id}}", f"{room}/typing/{{user_id}}"
        return (
            Route("POST", receipt, self.receipt, "Send a receipt", body=ReceiptBody, answer=empty),
            Route(
                "POST",
                f"{room}/read_markers",
                self.read_markers,
                "Set read markers",
                body=ReadMarkers,
                answer=empty,
            ),
            Route("PUT", typing, self.typing, "Set the typing state", body=TypingBody, answer=empty),
        )

    async def receipt(self, call: Call[ReceiptBody, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/receipt/{type}/{event_id}`: set a read receipt, a private
        read receipt or the fully-read marker to an event, within a thread if one is named.

        Spec: client-server API, "Room participation".
        Errors: M_INVALID_PARAM (unknown type, or not the event's thread), M_NOT_FOUND, M_FORBIDDEN.
        """
        event_id, thread_id = EventId(call.text("event_id")), call.body.thread_id or ""
        await self._receipts.set(
            call.requester, _room(call), call.text("type"), event_id, thread_id=thread_id
        )
        return {}

    async def read_markers(self, call: Call[ReadMarkers, None]) -> schemas.Empty:
        """`POST /_matrix/client/v3/rooms/{room_id}/read_markers`: set the fully-read marker and the read
        receipts, all or some of them.

        Spec: client-server API, "Read Markers".
        Errors: M_INVALID_PARAM, M_NOT_FOUND, M_FORBIDDEN.
        """
        body = call.body
        wanted = {FULLY_READ: body.fully_read, READ: body.read, PRIVATE: body.private}
        marks = {kind: EventId(event_id) for kind, event_id in wanted.items() if event_id is not None}
        if marks:
            await self._receipts.set_all(call.requester, _room(call), marks)
        return {}

    async def typing(self, call: Call[TypingBody, None]) -> schemas.Empty:
        """`PUT /_matrix/client/v3/rooms/{room_id}/typing/{user_id}`: start or stop typing; it ends by itself
        after `timeout` milliseconds.

        Spec: client-server API, "Room participation".
        Errors: M_FORBIDDEN (another user's id, or not in the room).
        """
        requester, timeout = call.requester, call.body.timeout
        if call.text("user_id") != requester.user_id:
            raise Forbidden("you can only set your own typing state", code="not_yours")
        await self._receipts.check_joined(requester, _room(call))
        if call.body.typing:
            self._presence.act(requester.user_id)
        forget_s = None if timeout is None else timeout / 1000
        await self._typing.set(
            requester,
            _room(call),
            is_typing=call.body.typing,
            connection=requester.session_id,
            forget_s=forget_s,
        )
        return {}


def _room(call: Call[Any, None]) -> RoomId:
    return RoomId(call.text("room_id"))
