"""The WebSocket of one conversation: who may open it, and what its clients may send.

A refused handshake tells a browser nothing, so a socket that may not be is accepted and closed at once with
1008. After a reconnect the client asks with `sync` for what it missed; live frames are held back until that
is through, so that it gets every message once and in order. As the client can only ask after it connected,
live frames also wait a moment for its first word.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import WSCloseCode, web
from pydantic import BaseModel

from homeserver.api.university import shape
from homeserver.api.university.live import FACE, Live
from homeserver.api.university.schemas import Frame, MessageFrame, ReadMark, SyncFrame, TypingFrame
from homeserver.api.university.shape import Views
from homeserver.errors import HomeserverError, Invalid, NotFound, Unauthenticated
from homeserver.http.body import check, parse_json
from homeserver.http.pump import Socket, Visitor
from homeserver.http.requestlog import USER_ID
from homeserver.http.routes import Admit, Call, Route
from homeserver.http.sockets import Hub
from homeserver.model import Requester
from homeserver.protocol.ids import RoomId
from homeserver.services.access import Access
from homeserver.services.messages import Messages
from homeserver.services.presence import Presence
from homeserver.services.receipts import Receipts
from homeserver.services.rooms import Rooms
from homeserver.services.typing import Typing

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Talk:
    """One client in one conversation."""

    socket: Socket
    requester: Requester
    room_id: RoomId
    conversation_id: str


@dataclass(frozen=True, slots=True)
class SocketServices:
    """What a socket can make happen."""

    rooms: Rooms
    messages: Messages
    receipts: Receipts
    typing: Typing
    presence: Presence
    access: Access


class ConversationSocket:
    """The call `ws/conversations/{id}`."""

    def __init__(
        self,
        services: SocketServices,
        *,
        hub: Hub,
        live: Live,
        views: Views,
        admit: Admit,
        max_page: int,
    ) -> None:
        self._services = services
        self._hub = hub
        self._live = live
        self._views = views
        self._admit = admit
        self._max_page = max_page
        self._verbs: Mapping[str, Callable[[Talk, Mapping[str, Any]], Awaitable[None]]] = {
            "message:new": self._say,
            "typing": self._type,
            "message:read": self._read,
            "sync": self._sync,
        }

    def route(self) -> Route:
        """Public to the router: a bad token is told by a close code."""
        return Route(
            "GET",
            "/ws/conversations/{conversation_id}",
            self.connect,
            "The live socket of a conversation",
            public=True,
            documented=False,
            hot=True,
        )

    async def connect(self, call: Call[None, None]) -> web.StreamResponse:
        """Serve a socket until it closes."""
        request = call.request
        if not web.WebSocketResponse().can_prepare(request):
            raise Invalid("this address is for WebSockets", code="websocket_expected")
        try:
            requester = await self._admit(request)
            request[USER_ID] = requester.user_id
            conversation = _uuid(call.text("conversation_id"))
            room_id = await self._services.access.room_by_uuid(requester, conversation)
            return await self._serve(request, requester, room_id, str(conversation))
        except HomeserverError as error:
            return await self._hub.refuse(request, error)

    async def _serve(
        self, request: web.Request, requester: Requester, room_id: RoomId, conversation_id: str
    ) -> web.StreamResponse:
        visitor = Visitor(FACE, requester.user_id, requester.session_id, shape.error_frame)
        async with self._hub.visit(visitor, requester.expires_ms) as socket:
            self._live.join(socket, room_id, conversation_id, requester.namespace)
            try:
                # Only now that the socket hears of it can nobody be put out of the room unnoticed.
                self._live.learn(await self._services.rooms.get(requester, room_id))
                await socket.start(request)
                await self._listen(Talk(socket, requester, room_id, conversation_id))
            finally:
                self._live.leave(socket, room_id, requester.namespace)
        return socket.response

    async def _listen(self, talk: Talk) -> None:
        services, requester = self._services, talk.requester
        services.presence.enter(requester, talk.room_id)
        self._greet(talk)
        try:
            async for text in talk.socket.frames():
                await self._frame(talk, text)
        finally:
            services.typing.set(requester, talk.room_id, is_typing=False)
            services.presence.leave(requester, talk.room_id)

    def _greet(self, talk: Talk) -> None:
        """Who of the conversation is there."""
        view = self._views.of(talk.requester)
        for number in self._services.presence.online(talk.room_id):
            if number != talk.requester.number:
                here = {
                    "conversation_id": talk.conversation_id,
                    "user_id": view.number(number),
                    "online": True,
                }
                talk.socket.put(shape.frame("presence", here))

    async def _frame(self, talk: Talk, text: str) -> None:
        """Do what a frame asks for; a refusal is told in a frame and the socket stays open."""
        client_id: str | None = None
        try:
            frame = _parse(text)
            named = frame.payload.get("client_id")
            client_id = named if isinstance(named, str) else None
            if frame.type != "sync":
                talk.socket.release()
            verb = self._verbs.get(frame.type)
            if verb is None:
                raise Invalid(f"unknown type of frame: {frame.type}", code="unknown_type")
            await verb(talk, frame.payload)
        except Unauthenticated:
            raise
        except HomeserverError as error:
            talk.socket.put(shape.error_frame(error, client_id))

    async def _say(self, talk: Talk, payload: Mapping[str, Any]) -> None:
        wanted = check(MessageFrame, payload)
        reply_to = None
        if wanted.reply_to is not None:
            stored = await self._services.access.message_by_uuid(talk.requester, wanted.reply_to)
            reply_to = stored.event.event_id
        newest = self._live.newest(talk.room_id)
        sent = await self._services.messages.send(
            talk.requester, talk.room_id, text=wanted.text, reply_to=reply_to, txn_id=wanted.client_id
        )
        if sent.position <= newest:  # sent before: nobody will be told, but this client waits for it
            payload_again = shape.message(sent, self._views.of(talk.requester))
            talk.socket.put(shape.frame("message:new", {**payload_again}))

    async def _type(self, talk: Talk, payload: Mapping[str, Any]) -> None:
        wanted = check(TypingFrame, payload)
        self._services.typing.set(talk.requester, talk.room_id, is_typing=wanted.is_typing)

    async def _read(self, talk: Talk, payload: Mapping[str, Any]) -> None:
        wanted = check(ReadMark, payload)
        event_id = None
        if wanted.message_id is not None:
            stored = await self._services.access.message_by_uuid(talk.requester, wanted.message_id)
            event_id = stored.event.event_id
        await self._services.receipts.mark_read(talk.requester, talk.room_id, event_id=event_id)

    async def _sync(self, talk: Talk, payload: Mapping[str, Any]) -> None:
        """Everything after a message, in order, then what came meanwhile; nothing that was sent here already."""
        wanted = check(SyncFrame, payload)
        after = await self._services.access.place_by_uuid(talk.requester, talk.room_id, wanted.after)
        talk.socket.hold()
        try:
            newest = await self._replay(talk, after)
            await talk.socket.flushed()
        except HomeserverError:
            # Half a replay is a gap that the client cannot see; a new socket can begin anew.
            talk.socket.close(WSCloseCode.TRY_AGAIN_LATER, "sync failed: come back and sync")
        else:
            talk.socket.release(newest)

    async def _replay(self, talk: Talk, after: int) -> int:
        """Send the messages after a position; answers the position of the last one."""
        view = self._views.of(talk.requester)
        while True:
            page = await self._services.messages.page(
                talk.requester, talk.room_id, limit=self._max_page, after=after
            )
            for message in page:
                if 0 < talk.socket.first_live <= message.position:
                    return after
                await talk.socket.push(shape.frame("message:new", {**shape.message(message, view)}))
                after = message.position
            if len(page) < self._max_page:
                return after


def _parse(text: str) -> Frame:
    return check(Frame, parse_json(text))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("no such room", code="room_not_found") from None
