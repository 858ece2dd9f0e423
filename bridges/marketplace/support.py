"""Support: called by a side of a chat, joins as its third member, and leaves."""

from collections.abc import Sequence

from bridges.marketplace import schemas, shape
from bridges.marketplace.schemas import StaffQuery, WhoQuery
from bridges.marketplace.service import ChatCalls, no_chat, route
from homeserver.http.routes import Call, Route
from homeserver.protocol.ids import RoomId
from homeserver.services.enquiries.enquiries import EnquiryRoom

MAX_WAITING = 500  # chats in the list of pending ones
_STAFF_ONLY = {403: "Only support (`user_type` in the token) may do this."}


class Support(ChatCalls):
    """The handlers for support. Each step sends a system message to the chat."""

    def routes(self) -> Sequence[Route]:
        """The routes."""
        one = "/chats/{chat_id:int}"
        return (
            route(
                "POST",
                f"{one}/invite-support",
                self.invite,
                "Call support",
                query=WhoQuery,
                answer=schemas.Done,
                errors={400: "Support was called already."},
            ),
            route(
                "POST",
                f"{one}/join-support",
                self.join,
                "Join as support",
                query=StaffQuery,
                answer=schemas.Done,
                errors=_STAFF_ONLY,
            ),
            route(
                "POST",
                f"{one}/leave-support",
                self.leave,
                "Leave as support",
                query=StaffQuery,
                answer=schemas.Done,
                errors=_STAFF_ONLY,
            ),
            route(
                "GET",
                "/chats/support/pending",
                self.pending,
                "List chats that wait for support",
                query=StaffQuery,
                answer=list[schemas.Chat],
                errors=_STAFF_ONLY,
            ),
        )

    async def invite(self, call: Call[None, WhoQuery]) -> schemas.Done:
        """`POST /api/chat/chats/{chat_id}/invite-support`: call support into a chat.

        For the seller and the buyer.

        Errors: room_not_found, help_called, not_a_side.
        """
        return await self.call_in(await self._named(call))

    async def call_in(self, chat: EnquiryRoom) -> schemas.Done:
        """Call support into a chat of the caller."""
        text = self._market.settings.support.called
        await self._market.enquiries.call_help(chat, text)
        return {"success": True, "message": text}

    async def join(self, call: Call[None, StaffQuery]) -> schemas.Done:
        """`POST /api/chat/chats/{chat_id}/join-support`: join a chat that support was called into. For staff.

        Errors: not_staff, room_not_found, help_not_called.
        """
        caller = await self._callers.staff(call.request, call.query.support_user_id)
        room_id = await self._room(call.number("chat_id"))
        text = self._market.settings.support.joined
        person = await self._market.profiles.own(caller.requester)
        await self._market.enquiries.join_help(caller.requester, person, room_id, text)
        return {"success": True, "message": text}

    async def leave(self, call: Call[None, StaffQuery]) -> schemas.Done:
        """`POST /api/chat/chats/{chat_id}/leave-support`: leave a chat.

        For the member of staff who joined it.

        Errors: not_staff, room_not_found, not_helper.
        """
        caller = await self._callers.staff(call.request, call.query.support_user_id)
        room_id = await self._room(call.number("chat_id"))
        text = self._market.settings.support.left
        await self._market.enquiries.leave_help(caller.requester, room_id, text)
        return {"success": True, "message": text}

    async def pending(self, call: Call[None, StaffQuery]) -> list[schemas.Chat]:
        """`GET /api/chat/chats/support/pending`: list the chats that wait for support, longest waiting first.

        For staff.

        Errors: not_staff.
        """
        caller = await self._callers.staff(call.request, call.query.support_user_id)
        found = await self._market.enquiries.waiting(self._market.settings.service, MAX_WAITING)
        view = self._market.view(caller)
        return [shape.chat(one, view) for one in found]

    async def _room(self, number: int) -> RoomId:
        """A chat, whether or not the caller is in it. The service checks that it has called support."""
        room_id = await self._market.access.any_room_by_number(number)
        if not await self._market.enquiries.is_of(room_id, self._market.settings.service):
            raise no_chat()
        return room_id
