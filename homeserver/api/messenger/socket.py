"""The WebSocket of a user, for all their chats: admission, and the frames that clients may send.

See `http/frames.py` for the code shared with other APIs' sockets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from homeserver.api.messenger import shape
from homeserver.api.messenger.live import FACE, Live, told_frame
from homeserver.api.messenger.schemas import Frame, NewMessage, ReadData, SyncData, TypingData
from homeserver.api.messenger.sending import Posting
from homeserver.api.messenger.services import MessengerServices
from homeserver.http.apps import ApiContext
from homeserver.http.body import check, parse_json
from homeserver.http.frames import SYNC, ClientFrame
from homeserver.http.routes import Call, Route
from homeserver.http.websocket import Socket
from homeserver.model import LogPosition, Requester
from homeserver.product_api.sockets import Entrance, replay, socket_route, told_again
from homeserver.protocol.ids import EventId, RoomId
from homeserver.services.realtime.catch_up import LogPage

MAX_GREETINGS = 200  # online users that a new socket is told of


@dataclass(frozen=True, slots=True)
class SocketSession:
    """One client."""

    socket: Socket
    requester: Requester


class PersonSocket:
    """The handler of `/ws`. `max_chats`: the most chats a socket is subscribed to."""

    def __init__(
        self,
        services: MessengerServices,
        api: ApiContext,
        *,
        posting: Posting,
        live: Live,
        views: shape.Views,
        max_chats: int,
    ) -> None:
        self._services = services
        self._posting = posting
        self._entrance = Entrance(api, FACE, shape.error_frame)
        self._live = live
        self._views = views
        self._max_chats = max_chats
        self._max_page = api.max_page
        self._dialogue = self._entrance.dialogue(
            _parse,
            {
                "message.send": self._send,
                "typing": self._type,
                "read": self._read,
                "ping": self._ping,
                SYNC: self._sync,
            },
        )

    def route(self) -> Route:
        """The route."""
        return socket_route("/", self.connect, "Open the WebSocket of a person")

    async def connect(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /ws`: serve the WebSocket of a person, for all their chats, until it closes.

        Errors before that are told by a close code.
        """
        return await self._entrance.open(call.request, partial(self._admitted, call.request))

    async def _admitted(self, request: web.Request, requester: Requester) -> web.StreamResponse:
        rooms = self._services.rooms.rooms
        async with self._entrance.visit(requester) as socket:
            try:
                await self._live.enter(socket, requester, lambda: rooms.places(requester, self._max_chats))
                await socket.start(request)
                await self._listen(SocketSession(socket, requester))
            finally:
                self._live.leave(socket, requester)
        return socket.response

    async def _listen(self, session: SocketSession) -> None:
        try:
            await self._greet(session)
            await self._dialogue.listen(session.socket, session)
        finally:
            self._services.realtime.typing.disconnect(session.socket)

    async def _greet(self, session: SocketSession) -> None:
        """Send the online members of the user's chats, each once, and who is typing there."""
        view, told = self._views.of(session.requester), {session.requester.number}
        for chat_id, room_id in self._live.present_in(session.requester):
            for number in self._services.realtime.connections.online(room_id):
                if number not in told and len(told) <= MAX_GREETINGS:
                    told.add(number)
                    here = {"chat_id": chat_id, "user_id": view.number(number), "online": True}
                    await session.socket.push(shape.frame("presence", here))
        for frame in self._live.typing_in_rooms(session.requester):
            session.socket.put(frame)

    async def _send(self, session: SocketSession, data: Mapping[str, Any]) -> None:
        new = check(NewMessage, data)
        room = await self._services.events.access.room_by_number(session.requester, new.chat_id)
        sent = await self._posting.send(room, new)
        for record in told_again(sent):
            session.socket.put(told_frame(record, self._views.of(session.requester)))

    async def _type(self, session: SocketSession, data: Mapping[str, Any]) -> None:
        wanted = check(TypingData, data)
        room = await self._services.events.access.room_by_number(session.requester, wanted.chat_id)
        await self._services.realtime.typing.set(
            session.requester, room.room_id, is_typing=wanted.is_typing, connection=session.socket
        )

    async def _read(self, session: SocketSession, data: Mapping[str, Any]) -> None:
        wanted = check(ReadData, data)
        room_id: RoomId | None = None
        event_id: EventId | None = None
        if wanted.message_id is not None:
            message = await self._services.events.access.message_by_number(
                session.requester, wanted.message_id, or_deleted=True
            )
            room_id, event_id = message.event.room_id, message.event.event_id
        if wanted.chat_id is not None:
            room = await self._services.events.access.room_by_number(session.requester, wanted.chat_id)
            room_id = room.room_id
        if room_id is not None:
            await self._services.realtime.receipts.mark_read(session.requester, room_id, event_id=event_id)

    async def _ping(self, session: SocketSession, _data: Mapping[str, Any]) -> None:
        session.socket.put(shape.frame("pong", {}))

    async def _sync(self, session: SocketSession, data: Mapping[str, Any]) -> None:
        """Replay messages sent, edited and deleted after a position, in all chats, in order."""
        wanted, view = check(SyncData, data), self._views.of(session.requester)
        since = min(LogPosition(wanted.after), await self._services.messages.messages.newest_position())

        async def page(after: LogPosition) -> LogPage:
            return await self._services.realtime.catch_up.of_person(
                session.requester, since=since, after=after, limit=self._max_page
            )

        await replay(session.socket, since, page, lambda record: told_frame(record, view))


def _parse(text: str) -> ClientFrame:
    frame = check(Frame, parse_json(text))
    return ClientFrame(frame.event, frame.data)
