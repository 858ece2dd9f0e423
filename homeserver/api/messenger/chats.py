"""Chats and their members."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from homeserver import publicids
from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import ChatQuery, NewDirectChat, NewGroupChat, ReadMark
from homeserver.api.messenger.services import MessengerServices
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route
from homeserver.product_api.rooms import ReadMarks, RoomCalls
from homeserver.product_api.views import number_in_path
from homeserver.services.events.access import OpenRoom

_ONE = "/chats/{chat_id:int}"
_MEMBER = f"{_ONE}/members/{{user_id:int}}"
_TAGS = ("Chats",)
_ADMINS_ONLY = {403: "Only an admin of the chat may do this, or one of you has blocked the other."}
_BLOCKED = {403: "One of you has blocked the other."}


class Chats:
    """The handlers under `chats/`, except for messages."""

    def __init__(
        self, services: MessengerServices, *, views: shape.Views, paging: Paging, listed_participants: int
    ) -> None:
        self._rooms = services.rooms.rooms
        self._members = services.rooms.members
        self._access = services.events.access
        self._views = views
        self._paging = paging
        find = partial(self._access.message_by_number, or_deleted=True)
        marks = ReadMarks[int](receipts=services.realtime.receipts, find=find)
        self._room_calls = RoomCalls(find=self._named, marks=marks, members=self._members)
        self._listed_participants = listed_participants

    def routes(self) -> Sequence[Route]:
        """The routes."""
        return (
            Route(
                "POST",
                "/chats/direct",
                self.direct,
                "Get or create the direct chat with a person",
                body=NewDirectChat,
                answer=schemas.Chat,
                tags=_TAGS,
                errors=_BLOCKED,
            ),
            Route(
                "POST",
                "/chats/group",
                self.group,
                "Create a group chat",
                body=NewGroupChat,
                answer=schemas.Chat,
                tags=_TAGS,
                errors=_BLOCKED,
            ),
            Route(
                "GET",
                "/chats",
                self.listing,
                "List your chats, latest activity first",
                query=ChatQuery,
                answer=list[schemas.Chat],
                tags=_TAGS,
            ),
            Route("GET", _ONE, self.get, "Get a chat", answer=schemas.Chat, tags=_TAGS),
            Route(
                "POST",
                _MEMBER,
                self.add,
                "Add a member",
                answer=schemas.Chat,
                tags=_TAGS,
                errors={400: "The members of a direct chat cannot change.", **_ADMINS_ONLY},
            ),
            Route(
                "DELETE",
                _MEMBER,
                self._room_calls.remove,
                "Remove a member, or leave",
                status=204,
                tags=_TAGS,
                errors={400: "The members of a direct chat cannot change.", **_ADMINS_ONLY},
            ),
            Route(
                "POST",
                f"{_ONE}/read",
                self._room_calls.read,
                "Mark a chat as read",
                body=ReadMark,
                status=204,
                tags=_TAGS,
            ),
        )

    async def direct(self, call: Call[NewDirectChat, None]) -> schemas.Chat:
        """`POST /api/v1/chats/direct`: get the direct chat of the two people; it is created if there is none.

        Errors: unknown_people, private_needs_two, blocked.
        """
        requester = call.requester
        number = publicids.from_public(call.body.user_id, requester.namespace)
        room = await self._rooms.create(requester, kind="private", people=[number])
        return shape.chat(room, self._views.of(requester))

    async def group(self, call: Call[NewGroupChat, None]) -> schemas.Chat:
        """`POST /api/v1/chats/group`: create a group chat; its creator is its admin.

        Errors: unknown_people, too_many_people, empty_title, title_too_long, blocked.
        """
        requester, body = call.requester, call.body
        people = [publicids.from_public(n, requester.namespace) for n in body.user_ids]
        room = await self._rooms.create(requester, kind="group", title=body.title, people=people)
        return shape.chat(room, self._views.of(requester))

    async def listing(self, call: Call[None, ChatQuery]) -> list[schemas.Chat]:
        """`GET /api/v1/chats`: a page of the requester's chats."""
        rooms = await self._rooms.listing(
            call.requester,
            search=call.query.search,
            page=self._paging.page(call.query),
            people_of_each=self._listed_participants,
        )
        view = self._views.of(call.requester)
        return [shape.chat(room, view) for room in rooms]

    async def get(self, call: Call[None, None]) -> schemas.Chat:
        """`GET /api/v1/chats/{chat_id}`: get a chat.

        Errors: room_not_found.
        """
        room_id = (await self._named(call)).room_id
        return shape.chat(await self._rooms.get(call.requester, room_id), self._views.of(call.requester))

    async def add(self, call: Call[None, None]) -> schemas.Chat:
        """`POST /api/v1/chats/{chat_id}/members/{user_id}`: add a person to a group chat.

        For admins of the chat.

        Errors: room_not_found, user_not_found, not_admin, private_room, blocked.
        """
        requester = call.requester
        room_id = (await self._named(call)).room_id
        await self._members.add(requester, room_id, number_in_path(call))
        return shape.chat(await self._rooms.get(requester, room_id), self._views.of(requester))

    async def _named(self, call: Call[Any, None]) -> OpenRoom:
        return await self._access.room_by_number(call.requester, call.number("chat_id"))
