"""The two WebSockets: one chat, and a seller's whole inbox.

A browser learns nothing from a refused handshake, so a refused socket is accepted and closed at once with 1008.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from bridges.marketplace import shape
from bridges.marketplace.auth import Caller, Callers, own_id
from bridges.marketplace.live import FACE, Live, told_frame
from bridges.marketplace.schemas import NewMessage, TypingFrame
from bridges.marketplace.sending import Posting
from bridges.marketplace.service import Market, no_chat, route
from bridges.marketplace.support import Support
from homeserver.errors import Invalid
from homeserver.http.body import check, parse_json
from homeserver.http.frames import ClientFrame, FrameHandler, open_socket
from homeserver.http.routes import Call, Route
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket, Visitor
from homeserver.product_api.sockets import told_again
from homeserver.protocol.ids import RoomId
from homeserver.services.events.access import OpenRoom

PING = "ping"


@dataclass(frozen=True, slots=True)
class SocketSession:
    """One client in one chat."""

    socket: Socket
    caller: Caller
    room_id: RoomId
    chat_id: int


class Sockets:
    """The handlers of `ws/{chat_id}` and `ws/seller/{seller_id}`."""

    def __init__(
        self,
        market: Market,
        callers: Callers,
        *,
        hub: Hub,
        live: Live,
        posting: Posting,
        support: Support,
    ) -> None:
        self._market = market
        self._callers = callers
        self._hub = hub
        self._live = live
        self._posting = posting
        self._support = support
        self._chat_frames = FrameHandler(
            {
                "message": self._say,
                "typing": self._type,
                "read": self._read,
                "invite_support": self._invite,
                PING: self._ping,
            },
            _parse,
            shape.error_frame,
        )
        self._inbox_frames = FrameHandler({PING: _pong}, _parse, shape.error_frame)

    def routes(self) -> Sequence[Route]:
        """The routes; a bad credential is answered by a close code."""
        return (
            route(
                "GET",
                "/ws/seller/{seller_id}",
                self.inbox,
                "Open the WebSocket of a seller",
                documented=False,
            ),
            route("GET", "/ws/{chat_id}", self.chat, "Open the WebSocket of a chat", documented=False),
        )

    async def chat(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /api/chat/ws/{chat_id}`: serve the WebSocket of a chat until it closes.

        Errors before that are told by a close code.
        """
        serve = partial(self._admit, call.request, call.text("chat_id"))
        return await open_socket(self._hub, call.request, serve)

    async def inbox(self, call: Call[None, None]) -> web.StreamResponse:
        """`GET /api/chat/ws/seller/{seller_id}`: serve the WebSocket of a seller, for all their chats, until
        it closes.

        Errors before that are told by a close code.
        """
        serve = partial(self._admit_seller, call.request, call.text("seller_id"))
        return await open_socket(self._hub, call.request, serve)

    async def _admit(self, request: web.Request, number: str) -> web.StreamResponse:
        named = request.rel_url.query.get("user_id") or None
        is_local_trial = self._callers.is_local_trial(request, named)
        caller = await self._callers.of(request, named, may_be_new=is_local_trial)
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise no_chat()
        if is_local_trial:
            await self._bring_in(caller, int(number))
        found = await self._market.room(caller.requester, int(number))
        return await self._serve(request, caller, found.room_id, int(number))

    async def _admit_seller(self, request: web.Request, seller: str) -> web.StreamResponse:
        caller = await self._callers.of(request, request.rel_url.query.get("user_id") or seller)
        own_id(seller, caller)
        return await self._serve_inbox(request, caller)

    async def _bring_in(self, caller: Caller, number: int) -> None:
        market = self._market
        room_id = await market.access.any_room_by_number(number)
        if await market.enquiries.is_of(room_id, market.settings.service):
            await market.enquiries.bring_in(await market.profiles.own(caller.requester), room_id)

    async def _serve(
        self, request: web.Request, caller: Caller, room_id: RoomId, chat_id: int
    ) -> web.StreamResponse:
        requester, view = caller.requester, self._market.view(caller)
        async with self._hub.visit(_visitor(caller), requester.expires_ms) as socket:
            socket.release()  # no replay that live frames would have to wait for
            async with self._market.connections.visit(requester, room_id) as there:
                socket.put(shape.frame("online_users", users=await self._online(caller, there)))
                self._live.join_chat(socket, room_id, chat_id, view)
                try:
                    # Checked after subscribing, so that a removal in between is not missed.
                    await self._market.access.room(requester, room_id)
                    for user_id, number in self._market.typing.in_room(room_id).items():
                        if user_id != requester.user_id:
                            socket.put(shape.typing_frame(view.person_id(user_id, number), is_typing=True))
                    await socket.start(request)
                    session = SocketSession(socket, caller, room_id, chat_id)
                    await self._chat_frames.listen(socket, session)
                finally:
                    self._live.leave_chat(socket, room_id, view)
                    self._market.typing.disconnect(socket)
        return socket.response

    async def _online(self, caller: Caller, there: Sequence[int]) -> list[str]:
        people = await self._market.profiles.by_numbers(there)
        view = self._market.view(caller)
        return [view.id_of(person) for person in people.values()]

    async def _serve_inbox(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        requester, settings = caller.requester, self._market.settings
        async with self._hub.visit(_visitor(caller), requester.expires_ms) as socket:
            socket.release()
            socket.put(shape.frame("connected"))
            self._live.join_inbox(socket, requester.user_id, requester.number)
            try:
                rooms = await self._market.enquiries.rooms_of_owner(
                    requester, settings.service, settings.max_chats
                )
                self._live.learn(requester.user_id, rooms)
                await socket.start(request)
                await self._inbox_frames.listen(socket, socket)
            finally:
                self._live.leave_inbox(socket, requester.user_id)
        return socket.response

    async def _say(self, session: SocketSession, frame: Mapping[str, Any]) -> None:
        new = check(NewMessage, frame)
        own_id(new.sender_id, session.caller)
        sent = await self._posting.send(await self._room(session), new)
        for record in told_again(sent):
            session.socket.put(told_frame(record, self._market.view(session.caller)))

    async def _type(self, session: SocketSession, frame: Mapping[str, Any]) -> None:
        wanted = check(TypingFrame, frame)
        await self._market.typing.set(
            session.caller.requester,
            session.room_id,
            is_typing=wanted.is_typing,
            connection=session.socket,
        )

    async def _read(self, session: SocketSession, _frame: Mapping[str, Any]) -> None:
        await self._market.receipts.mark_read(session.caller.requester, session.room_id)

    async def _invite(self, session: SocketSession, _frame: Mapping[str, Any]) -> None:
        await self._support.call_in(await self._market.enquiries.about(await self._room(session)))

    async def _ping(self, session: SocketSession, frame: Mapping[str, Any]) -> None:
        await _pong(session.socket, frame)

    async def _room(self, session: SocketSession) -> OpenRoom:
        """The room, if the caller is still in it."""
        return await self._market.access.room(session.caller.requester, session.room_id)


def _visitor(caller: Caller) -> Visitor:
    return Visitor(FACE, caller.requester.user_id, caller.requester.session_id, shape.error_frame)


async def _pong(socket: Socket, _frame: Mapping[str, Any]) -> None:
    socket.put(shape.frame("pong"))


def _parse(text: str) -> ClientFrame:
    """A client's frame; the text `ping` is one as well."""
    frame = {"type": PING} if text == PING else parse_json(text)
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Invalid("unknown frame type", code="unknown_type")
    return ClientFrame(frame["type"], frame)
