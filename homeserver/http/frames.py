"""Code shared by all faces' sockets: opening, handling frames, and catching up after a reconnect.

A browser learns nothing from a refused handshake, so a refused socket is accepted and closed at once with 1008.
After a reconnect the client asks with `sync` for what it missed; live frames are held back until that is done,
so that it gets every message once and in order. As the client can only ask after it connected, live frames also
wait a moment for its first frame.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from aiohttp import WSCloseCode, web

from homeserver.errors import HomeserverError, Invalid, RateLimited, Unauthenticated
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket

T = TypeVar("T")

SYNC = "sync"  # the frame by which clients ask for what they missed


class ClientFrame(NamedTuple):
    """A frame of a client: type and data."""

    verb: str
    data: Mapping[str, Any]


class CatchUpFrame(NamedTuple):
    """A frame of a replay, and the log position of its record."""

    position: int
    frame: bytes


class CatchUpPage(NamedTuple):
    """A page of a replay, complete up to a position."""

    pieces: Sequence[CatchUpFrame]
    upto: int
    is_last: bool


def error_data(error: HomeserverError, client_id: str | None = None) -> dict[str, object]:
    """The data of an error frame; `client_id` names the message that was not sent."""
    data: dict[str, object] = {"code": error.code, "detail": error.message}
    if isinstance(error, RateLimited):
        data["retry_ms"] = error.retry_ms
    if client_id is not None:
        data["client_id"] = client_id
    return data


async def open_socket(
    hub: Hub, request: web.Request, serve: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Serve a socket; refusals are answered by a close code. Raises Invalid for a plain request."""
    if not web.WebSocketResponse().can_prepare(request):
        raise Invalid("this URL accepts WebSocket connections only", code="websocket_expected")
    try:
        return await serve()
    except HomeserverError as error:
        return await hub.refuse(request, error)


@dataclass(frozen=True, slots=True)
class FrameHandler(Generic[T]):
    """Dispatches a face's client frames. A refusal is answered by a frame, and the socket stays open.

    `verbs` handle frames by type; `parse` reads one; `refusal` makes the error frame, with the `client_id` of a
    message that was not sent.
    """

    verbs: Mapping[str, Callable[[T, Mapping[str, Any]], Awaitable[None]]]
    parse: Callable[[str], ClientFrame]
    refusal: Callable[[HomeserverError, str | None], bytes]

    async def listen(self, socket: Socket, session: T) -> None:
        """Handle the client's frames until the socket closes."""
        async for text in socket.frames():
            await self._answer(socket, session, text)

    async def _answer(self, socket: Socket, session: T, text: str) -> None:
        client_id: str | None = None
        try:
            said = self.parse(text)
            named = said.data.get("client_id")
            client_id = named if isinstance(named, str) else None
            if said.verb != SYNC:
                socket.release()
            verb = self.verbs.get(said.verb)
            if verb is None:
                raise Invalid(f"unknown frame type: {said.verb}", code="unknown_type")
            await verb(session, said.data)
        except Unauthenticated:
            raise
        except HomeserverError as error:
            socket.put(self.refusal(error, client_id))


async def catch_up(socket: Socket, after: int, page: Callable[[int], Awaitable["CatchUpPage"]]) -> None:
    """Replay everything after a position in order, then live frames held back, each message once.

    `page` reads the next page after a position.
    """
    socket.hold()
    try:
        newest = await _replay(socket, after, page)
        await socket.flushed()
    except HomeserverError:
        # A partial replay is a gap that the client cannot see; a new socket can start again.
        socket.close(WSCloseCode.TRY_AGAIN_LATER, "sync failed: reconnect and sync")
    else:
        socket.release(newest)


async def _replay(socket: Socket, after: int, page: Callable[[int], Awaitable["CatchUpPage"]]) -> int:
    """Returns the position up to which everything was sent."""
    while True:
        portion = await page(after)
        for piece in portion.pieces:
            if socket.first_live is not None and socket.first_live <= piece.position:
                return after
            await socket.push(piece.frame)
            after = piece.position
        after = portion.upto
        if portion.is_last:
            return after
