"""Chats and who is in them."""

from collections.abc import Sequence

from homeserver import publicids
from homeserver.api.messenger import schemas, shape
from homeserver.api.messenger.schemas import ChatQuery, NewDirectChat, NewGroupChat, ReadMark
from homeserver.api.messenger.services import MessengerServices
from homeserver.http.paging import Paging
from homeserver.http.routes import Call, Route

_ONE = "/chats/{chat_id:int}"
_MEMBER = f"{_ONE}/members/{{user_id:int}}"
_TAGS = ("Chats",)
_ADMINS_ONLY = {403: "Only an admin of the chat may do this. Or there is a block between you."}
_BLOCKED = {403: "There is a block between you."}


class Chats:
    """The calls under `chats/`, but for its messages."""

    def __init__(
        self, services: MessengerServices, *, views: shape.Views, paging: Paging, listed_participants: int
    ) -> None:
        self._rooms = services.rooms.rooms
        self._members = services.rooms.members
        self._receipts = services.realtime.receipts
        self._access = services.events.access
        self._views = views
        self._paging = paging
        self._listed_participants = listed_participants

    def routes(self) -> Sequence[Route]:
        """The table of these calls."""
        return (
            Route(
                "POST",
                "/chats/direct",
                self.direct,
                "The chat with a person, made if there is none",
                body=NewDirectChat,
                answer=schemas.Chat,
                tags=_TAGS,
                errors=_BLOCKED,
            ),
            Route(
                "POST",
                "/chats/group",
                self.group,
                "Make a group",
                body=NewGroupChat,
                answer=schemas.Chat,
                tags=_TAGS,
                errors=_BLOCKED,
            ),
            Route(
                "GET",
                "/chats",
                self.listing,
                "Your chats, latest activity first",
                query=ChatQuery,
                answer=list[schemas.Chat],
                tags=_TAGS,
            ),
            Route("GET", _ONE, self.get, "A chat", answer=schemas.Chat, tags=_TAGS),
            Route(
                "POST",
                _MEMBER,
                self.add,
                "Add a person",
                answer=schemas.Chat,
                tags=_TAGS,
                errors={400: "A direct chat stays between two people.", **_ADMINS_ONLY},
            ),
            Route(
                "DELETE",
                _MEMBER,
                self.remove,
                "Remove a person, or go",
                status=204,
                tags=_TAGS,
                errors={400: "A direct chat stays between two people.", **_ADMINS_ONLY},
            ),
            Route(
                "POST",
                f"{_ONE}/read",
                self.read,
                "Move your read mark",
                body=ReadMark,
                status=204,
                tags=_TAGS,
            ),
        )

    async def direct(self, call: Call[NewDirectChat, None]) -> schemas.Chat:
        """Make the chat of two people, or answer the one that is there."""
        requester = call.requester
        number = publicids.from_public(call.body.user_id, requester.namespace)
        room = await self._rooms.create(requester, kind="private", people=[number])
        return shape.chat(room, self._views.of(requester))

    async def group(self, call: Call[NewGroupChat, None]) -> schemas.Chat:
        """Make a group; its maker is its admin."""
        requester, body = call.requester, call.body
        people = [publicids.from_public(n, requester.namespace) for n in body.user_ids]
        room = await self._rooms.create(requester, kind="group", title=body.title, people=people)
        return shape.chat(room, self._views.of(requester))

    async def listing(self, call: Call[None, ChatQuery]) -> list[schemas.Chat]:
        """The caller's chats."""
        rooms = await self._rooms.listing(
            call.requester,
            search=call.query.search,
            page=self._paging.page(call.query),
            people_of_each=self._listed_participants,
        )
        view = self._views.of(call.requester)
        return [shape.chat(room, view) for room in rooms]

    async def get(self, call: Call[None, None]) -> schemas.Chat:
        """One chat."""
        room_id = (await self._access.room_by_number(call.requester, call.number("chat_id"))).room_id
        return shape.chat(await self._rooms.get(call.requester, room_id), self._views.of(call.requester))

    async def add(self, call: Call[None, None]) -> schemas.Chat:
        """Put a person into a group."""
        requester = call.requester
        room_id = (await self._access.room_by_number(requester, call.number("chat_id"))).room_id
        await self._members.add(requester, room_id, self._number(call))
        return shape.chat(await self._rooms.get(requester, room_id), self._views.of(requester))

    async def remove(self, call: Call[None, None]) -> None:
        """Put somebody out, or leave."""
        room_id = (await self._access.room_by_number(call.requester, call.number("chat_id"))).room_id
        await self._members.remove(call.requester, room_id, self._number(call))

    async def read(self, call: Call[ReadMark, None]) -> None:
        """Everything up to a message, or up to the last one, is read."""
        requester = call.requester
        room_id = (await self._access.room_by_number(requester, call.number("chat_id"))).room_id
        event_id = None
        if call.body.message_id is not None:
            message = await self._access.message_by_number(requester, call.body.message_id, or_deleted=True)
            event_id = message.event.event_id
        await self._receipts.mark_read(requester, room_id, event_id=event_id)

    def _number(self, call: Call[None, None]) -> int:
        return publicids.from_public(call.number("user_id"), call.requester.namespace)
