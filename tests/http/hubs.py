"""A hub with one route, and clients that talk to it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient

from homeserver.clock import FakeClock
from homeserver.errors import HomeserverError
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket, Visitor
from homeserver.model import SessionId
from homeserver.protocol.ids import UserId
from tests.http.kit import until

Client = TestClient[web.Request, web.Application]


class News:
    """Counts what the hub says."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def socket_opened(self, face: str) -> None:
        self.seen[f"{face} opened"] += 1

    def socket_closed(self, face: str) -> None:
        self.seen[f"{face} closed"] += 1

    def slow_socket_closed(self, face: str) -> None:
        self.seen[f"{face} slow"] += 1

    def frames_sent(self, face: str, count: int = 1) -> None:
        self.seen[f"{face} sent"] += count


def refusal(error: HomeserverError) -> bytes:
    return f"error {error.code}".encode()


@dataclass
class Place:
    """A server with one address for sockets: /?user=alice&session=s1."""

    hub: Hub
    news: News
    clock: FakeClock
    talk: Callable[[Socket, str], Awaitable[None]] | None = None
    expires_ms: int | None = None
    sockets: list[Socket] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    hold: bool = False
    broken: bool = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        user = request.query.get("user", "alice")
        session = request.query.get("session")
        visitor = Visitor("test", UserId(user), SessionId(session) if session else None, refusal)
        try:
            async with self.hub.visit(visitor, self.expires_ms) as socket:
                self.sockets.append(socket)
                self.hub.join(socket, "room")
                if self.hold:
                    socket.hold()
                if self.broken:
                    raise ZeroDivisionError
                await socket.start(request)
                async for text in socket.frames():
                    self.heard.append(text)
                    if self.talk is not None:
                        await self.talk(socket, text)
        except HomeserverError as error:
            return await self.hub.refuse(request, error)
        return socket.response


async def closed(ws: ClientWebSocketResponse) -> tuple[int | None, str]:
    """The code and reason a socket is closed with; other frames before it are dropped."""
    async with asyncio.timeout(30):
        while True:
            message = await ws.receive()
            if message.type is WSMsgType.CLOSE:
                return message.data, message.extra or ""
            if message.type in {WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR}:
                return ws.close_code, ""


async def connect(client: Client, place: Place, **query: str) -> ClientWebSocketResponse:
    before = len(place.sockets)
    ws = await client.ws_connect("/", params=query)
    await until(lambda: len(place.sockets) > before and place.sockets[-1].response.prepared)
    return ws
