"""Blocking the other side of a chat, and reporting messages."""

from collections.abc import Sequence

from bridges.marketplace import schemas
from bridges.marketplace.schemas import NewReport, WhoQuery
from bridges.marketplace.service import ChatCalls, route
from homeserver.errors import NotFound
from homeserver.http.routes import Call, Route

_SIDES_ONLY = {403: "Only the seller and the buyer may do this."}


class Safety(ChatCalls):
    """The handlers for blocks and reports. Users see each other's aliases only, so a chat names the user to block."""

    def routes(self) -> Sequence[Route]:
        """The routes."""
        one = "/chats/{chat_id:int}"
        return (
            route(
                "POST",
                f"{one}/block",
                self.block,
                "Block the other side of a chat",
                query=WhoQuery,
                answer=schemas.Done,
                errors=_SIDES_ONLY,
            ),
            route(
                "DELETE",
                f"{one}/block",
                self.unblock,
                "Unblock the other side of a chat",
                query=WhoQuery,
                answer=schemas.Done,
                errors=_SIDES_ONLY,
            ),
            route(
                "POST",
                f"{one}/report",
                self.report,
                "Report a message to the server's admins",
                body=NewReport,
                query=WhoQuery,
                answer=schemas.Done,
                errors={400: "The message is your own."},
            ),
        )

    async def block(self, call: Call[None, WhoQuery]) -> schemas.Done:
        """`POST /api/chat/chats/{chat_id}/block`: block the other side: neither can write to the other, in
        any chat.

        Errors: room_not_found, own_block, too_many_blocked.
        """
        found = await self._named(call)
        await self._market.blocks.block(found.room.requester, self._market.enquiries.other_side(found))
        return {"success": True, "message": "Собеседник заблокирован"}

    async def unblock(self, call: Call[None, WhoQuery]) -> schemas.Done:
        """`DELETE /api/chat/chats/{chat_id}/block`: unblock the other side. Succeeds if there is no block.

        Errors: room_not_found.
        """
        found = await self._named(call)
        await self._market.blocks.unblock(found.room.requester, self._market.enquiries.other_side(found))
        return {"success": True, "message": "Собеседник разблокирован"}

    async def report(self, call: Call[NewReport, WhoQuery]) -> schemas.Done:
        """`POST /api/chat/chats/{chat_id}/report`: report a message; its author is not told.

        Errors: room_not_found, message_not_found, own_message, reason_too_long.
        """
        found = await self._named(call)
        requester = found.room.requester
        message = await self._market.access.message_by_number(requester, call.body.message_id)
        if message.event.room_id != found.room_id:
            raise NotFound("no such message", code="message_not_found")
        await self._market.reports.report(requester, message.event.event_id, call.body.reason)
        return {"success": True, "message": "Жалоба отправлена"}
