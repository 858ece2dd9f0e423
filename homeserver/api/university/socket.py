"""The WebSocket of one conversation: admission, and the frames that clients may send (see `http/frames.py`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from aiohttp import web

from homeserver.api.university import shape
from homeserver.api.university.live import FACE, Live, told
from homeserver.api.university.schemas import Frame, MessageFrame, ReadMark, SyncFrame, TypingFrame
from homeserver.api.university.sending import Posting
from homeserver.api.university.services import UniversityServices
from homeserver.api.university.shape import Views
from homeserver.errors import NotFound
from homeserver.http.apps import ApiContext
from homeserver.http.body import check, parse_json
from homeserver.http.frames import SYNC, ClientFrame
from homeserver.http.routes import Call, Route
from homeserver.http.websocket import Socket
from homeserver.model import LogPosition, Requester
from homeserver.product_api.rooms import ReadMarks
from homeserver.product_api.sockets import Entrance, replay, socket_route, told_again
from homeserver.protocol.ids import RoomId
from homeserver.services.realtime.catch_up import LogPage


@dataclass(frozen=True, slots=True)
class SocketSession:
    """One client in one conversation."""

    socket: Socket
    requester: Requester
    room_id: RoomId
    conversation_id: str


class ConversationSocket:
    """The handler of `ws/conversations/{id}`."""

    def __init__(
        self, services: UniversityServices, api: ApiContext, *, posting: Posting, live: Live, views: Views
    ) -> None:
        self._services = services
        self._posting = posting
        self._entrance = Entrance(api, FACE, shape.error_frame)
        self._live = live
        self._views = views
        self._max_page = api.max_page
        self._marks = ReadMarks[UUID](
            receipts=services.realtime.receipts,
            find=partial(services.events.access.message_by_uuid, or_deleted=True),
        )
        self._dialogue = self._entrance.dialogue(
            _parse,
            {
                "message:new": self._say,
                "typing": self._type,
                "message:read": self._read,
                SYNC: self._sync,
            },
        )

    def route(self) -> Route:
        """The route."""
        path = "/ws/conversations/{conversation_id}"
        return socket_route(path, self.connect, "Open the WebSocket of a conversation")

    async def connect(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /api/unet-chat/ws/conversations/{conversation_id}`: serve the WebSocket of a conversation
        until it closes.

        Errors before that are told by a close code.
        """
        serve = partial(self._admitted, call.request, call.text("conversation_id"))
        return await self._entrance.open(call.request, serve)

    async def _admitted(self, request: web.Request, given: str, requester: Requester) -> web.StreamResponse:
        conversation = _uuid(given)
        room = await self._services.events.access.room_by_uuid(requester, conversation)
        return await self._serve(request, requester, room.room_id, str(conversation))

    async def _serve(
        self, request: web.Request, requester: Requester, room_id: RoomId, conversation_id: str
    ) -> web.StreamResponse:
        async with self._entrance.visit(requester) as socket:
            self._live.join(socket, room_id, conversation_id, requester.namespace)
            try:
                # Read after subscribing, so that a removal in between is not missed.
                async with self._services.realtime.connections.visit(requester, room_id) as there:
                    await socket.start(request)
                    await self._listen(SocketSession(socket, requester, room_id, conversation_id), there)
            finally:
                self._live.leave(socket, room_id, requester.namespace)
        return socket.response

    async def _listen(self, session: SocketSession, there: Sequence[int]) -> None:
        self._greet(session, there)
        try:
            await self._dialogue.listen(session.socket, session)
        finally:
            self._services.realtime.typing.disconnect(session.socket)

    def _greet(self, session: SocketSession, there: Sequence[int]) -> None:
        """Send who of the others is online, and who is typing."""
        view = self._views.of(session.requester)
        typing = self._services.realtime.typing.in_room(session.room_id).values()
        facts = [("presence", "online", number) for number in there]
        for kind, fact, number in (*facts, *(("typing", "is_typing", number) for number in typing)):
            if number != session.requester.number:
                here = {
                    "conversation_id": session.conversation_id,
                    "user_id": view.number(number),
                    fact: True,
                }
                session.socket.put(shape.frame(kind, here))

    async def _say(self, session: SocketSession, payload: Mapping[str, Any]) -> None:
        new = check(MessageFrame, payload)
        room = await self._services.events.access.room(session.requester, session.room_id)
        sent = await self._posting.send(room, new)
        for record in told_again(sent):
            session.socket.put(shape.frame(*told(record, self._views.of(session.requester))))

    async def _type(self, session: SocketSession, payload: Mapping[str, Any]) -> None:
        wanted = check(TypingFrame, payload)
        await self._services.realtime.typing.set(
            session.requester,
            session.room_id,
            is_typing=wanted.is_typing,
            connection=session.socket,
        )

    async def _read(self, session: SocketSession, payload: Mapping[str, Any]) -> None:
        wanted = check(ReadMark, payload)
        await self._marks.move(session.requester, session.room_id, wanted.message_id)

    async def _sync(self, session: SocketSession, payload: Mapping[str, Any]) -> None:
        """Replay messages sent, edited and deleted after a message, in order, then live frames held back."""
        wanted = check(SyncFrame, payload)
        access = self._services.events.access
        room = await access.room(session.requester, session.room_id)
        after = await access.position_by_uuid(room, wanted.after)
        view = self._views.of(session.requester)

        async def page(upto: LogPosition) -> LogPage:
            return await self._services.realtime.catch_up.of_room(
                session.requester, session.room_id, since=after, after=upto, limit=self._max_page
            )

        await replay(session.socket, after, page, lambda record: shape.frame(*told(record, view)))


def _parse(text: str) -> ClientFrame:
    frame = check(Frame, parse_json(text))
    return ClientFrame(frame.type, frame.payload)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("no such room", code="room_not_found") from None
