"""Conversations and their participants."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from homeserver import publicids
from homeserver.api.university import schemas, shape
from homeserver.api.university.schemas import (
    ConversationChange,
    ConversationQuery,
    NewConversation,
    NewParticipant,
    ReadMark,
)
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.model import Link
from homeserver.product_api.rooms import ReadMarks, RoomCalls
from homeserver.services.events.access import Access, OpenRoom
from homeserver.services.realtime.receipts import Receipts
from homeserver.services.rooms.members import Members
from homeserver.services.rooms.rooms import Rooms

_ONE = "/conversations/{conversation_id:uuid}"
_PEOPLE = f"{_ONE}/participants"
_ADMINS_ONLY = {403: "Only an admin of the conversation may do this."}


class Conversations:
    """The handlers under `conversations/`."""

    def __init__(
        self,
        *,
        rooms: Rooms,
        members: Members,
        receipts: Receipts,
        access: Access,
        views: shape.Views,
        paging: Paging,
    ) -> None:
        self._rooms = rooms
        self._members = members
        self._access = access
        self._views = views
        self._paging = paging
        find = partial(access.message_by_uuid, or_deleted=True)
        marks = ReadMarks[UUID](receipts=receipts, find=find)
        self._room_calls = RoomCalls(find=self._named, marks=marks, members=members)

    def routes(self) -> Sequence[Route]:
        """The routes."""
        tags = ("Conversations",)
        return (
            Route(
                "POST",
                "/conversations",
                self.create,
                "Create a conversation, or get the existing one",
                body=NewConversation,
                answer=schemas.Conversation,
                tags=tags,
                errors={403: "One of you has blocked the other, or you may not join this group."},
            ),
            Route(
                "GET",
                "/conversations",
                self.listing,
                "List your conversations, latest activity first",
                query=ConversationQuery,
                answer=list[schemas.Conversation],
                tags=tags,
            ),
            Route(
                "GET",
                _ONE,
                self.get,
                "Get a conversation with its participants",
                answer=schemas.Conversation,
                tags=tags,
            ),
            Route(
                "PATCH",
                _ONE,
                self.change,
                "Change title or description",
                body=ConversationChange,
                answer=schemas.Conversation,
                tags=tags,
                errors=_ADMINS_ONLY,
            ),
            Route(
                "DELETE",
                _ONE,
                self.leave,
                "Leave a conversation, or close it as an admin",
                status=204,
                tags=tags,
            ),
            Route(
                "POST",
                f"{_ONE}/read",
                self._room_calls.read,
                "Mark a conversation as read",
                body=ReadMark,
                status=204,
                tags=tags,
            ),
            Route(
                "GET",
                _PEOPLE,
                self.people,
                "List the participants",
                answer=list[schemas.Participant],
                tags=tags,
            ),
            Route(
                "POST",
                _PEOPLE,
                self.add,
                "Add a participant, or change their role",
                body=NewParticipant,
                answer=schemas.Participant,
                tags=tags,
                errors=_ADMINS_ONLY,
            ),
            Route(
                "DELETE",
                f"{_PEOPLE}/{{user_id:int}}",
                self._room_calls.remove,
                "Remove a participant, or leave",
                status=204,
                tags=tags,
                errors=_ADMINS_ONLY,
            ),
        )

    async def create(self, call: Call[NewConversation, None]) -> schemas.Conversation:
        """`POST /api/unet-chat/conversations`: create a conversation, or get the existing one of the two
        people or of the service object.

        Errors: unknown_people, private_needs_two, blocked, not_member, removed, too_many_people,
          title_too_long.
        """
        requester, body = call.requester, call.body
        link = None
        if body.service is not None and body.service_id is not None:
            link = Link(body.service, body.service_id)
        room = await self._rooms.create(
            requester,
            kind=body.type,
            title=body.title,
            people=[publicids.from_public(n, requester.namespace) for n in body.participant_ids or ()],
            link=link,
        )
        return shape.conversation(room, self._views.of(requester))

    async def listing(self, call: Call[None, ConversationQuery]) -> list[schemas.Conversation]:
        """`GET /api/unet-chat/conversations`: a page of the requester's conversations."""
        query = call.query
        rooms = await self._rooms.listing(
            call.requester,
            link_service=query.service,
            link_service_id=query.service_id,
            search=query.search,
            page=self._paging.page(query),
        )
        view = self._views.of(call.requester)
        return [shape.conversation(room, view) for room in rooms]

    async def get(self, call: Call[None, None]) -> schemas.Conversation:
        """`GET /api/unet-chat/conversations/{conversation_id}`: get a conversation with its participants.

        Errors: room_not_found.
        """
        room_id = (await self._named(call)).room_id
        room = await self._rooms.get(call.requester, room_id)
        return shape.conversation(room, self._views.of(call.requester))

    async def change(self, call: Call[ConversationChange, None]) -> schemas.Conversation:
        """`PATCH /api/unet-chat/conversations/{conversation_id}`: change the title or the description.

        For admins of the conversation.

        Errors: room_not_found, not_admin, empty_title, title_too_long, topic_too_long.
        """
        room_id = (await self._named(call)).room_id
        room = await self._rooms.change(
            call.requester, room_id, title=call.body.title, topic=call.body.description
        )
        return shape.conversation(room, self._views.of(call.requester))

    async def leave(self, call: Call[None, None]) -> None:
        """`DELETE /api/unet-chat/conversations/{conversation_id}`: as an admin close the conversation for
        everybody, as a member leave it.

        Errors: room_not_found.
        """
        room_id = (await self._named(call)).room_id
        await self._rooms.leave_or_close(call.requester, room_id)

    async def people(self, call: Call[None, None]) -> list[schemas.Participant]:
        """`GET /api/unet-chat/conversations/{conversation_id}/participants`: list all participants.

        Errors: room_not_found.
        """
        room_id = (await self._named(call)).room_id
        view = self._views.of(call.requester)
        return [
            shape.participant(member, view) for member in await self._members.listing(call.requester, room_id)
        ]

    async def add(self, call: Call[NewParticipant, None]) -> schemas.Participant:
        """`POST /api/unet-chat/conversations/{conversation_id}/participants`: add a person with a role, or
        change the role of one who is there.

        For admins of the conversation.

        Errors: room_not_found, user_not_found, not_admin, private_room, blocked, low_power, last_admin.
        """
        requester = call.requester
        room_id = (await self._named(call)).room_id
        number = publicids.from_public(call.body.user_id, requester.namespace)
        member = await self._members.add(requester, room_id, number, role=call.body.role)
        return shape.participant(member, self._views.of(requester))

    async def _named(self, call: Call[Any, None]) -> OpenRoom:
        return await self._access.room_by_uuid(call.requester, call.uuid("conversation_id"))
