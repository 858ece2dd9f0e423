"""What the sockets of all faces have in common: opening, answering frames, and catching up on what was missed.

A refused handshake tells a browser nothing, so a socket that may not be is accepted and closed at once with 1008.
After a reconnect the client asks with `sync` for what it missed; live frames are held back until that is through,
so that it gets every message once and in order. As the client can only ask after it connected, live frames also
wait a moment for its first word.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from aiohttp import WSCloseCode, web

from homeserver.errors import HomeserverError, Invalid, RateLimited, Unauthenticated
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket

T = TypeVar("T")

SYNC = "sync"  # what a client asks with for what it missed, on all faces


class ClientFrame(NamedTuple):
    """A frame of a client: what it wants, and with what."""

    verb: str
    data: Mapping[str, Any]


class CatchUpFrame(NamedTuple):
    """A frame of a replay, and the place in the log of what it tells."""

    position: int
    frame: bytes


class CatchUpPage(NamedTuple):
    """Some frames of a replay, which tell everything up to a place."""

    pieces: Sequence[CatchUpFrame]
    upto: int
    is_last: bool


def error_data(error: HomeserverError, client_id: str | None = None) -> dict[str, object]:
    """What a frame says of a refusal; `client_id` names the message that was not sent."""
    data: dict[str, object] = {"code": error.code, "detail": error.message}
    if isinstance(error, RateLimited):
        data["retry_ms"] = error.retry_ms
    if client_id is not None:
        data["client_id"] = client_id
    return data


async def open_socket(
    hub: Hub, request: web.Request, serve: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Serve a socket; who may not have it is told by a close code. Raises Invalid for a plain request."""
    if not web.WebSocketResponse().can_prepare(request):
        raise Invalid("this address is for WebSockets", code="websocket_expected")
    try:
        return await serve()
    except HomeserverError as error:
        return await hub.refuse(request, error)


@dataclass(frozen=True, slots=True)
class FrameHandler(Generic[T]):
    """How a face understands its clients. A refusal is told in a frame, and the socket stays open.

    `verbs` do what frames ask for; `parse` reads one; `refusal` tells an error, with the sender's own name for what
    was not sent.
    """

    verbs: Mapping[str, Callable[[T, Mapping[str, Any]], Awaitable[None]]]
    parse: Callable[[str], ClientFrame]
    refusal: Callable[[HomeserverError, str | None], bytes]

    async def listen(self, socket: Socket, session: T) -> None:
        """Answer the client's frames until the socket closes."""
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
                raise Invalid(f"unknown frame: {said.verb}", code="unknown_type")
            await verb(session, said.data)
        except Unauthenticated:
            raise
        except HomeserverError as error:
            socket.put(self.refusal(error, client_id))


async def catch_up(socket: Socket, after: int, page: Callable[[int], Awaitable["CatchUpPage"]]) -> None:
    """Send everything after a place, in order, then what came meanwhile; no message that was sent here already.

    `page` reads what comes next after a place.
    """
    socket.hold()
    try:
        newest = await _replay(socket, after, page)
        await socket.flushed()
    except HomeserverError:
        # Half a replay is a gap that the client cannot see; a new socket can begin anew.
        socket.close(WSCloseCode.TRY_AGAIN_LATER, "sync failed: come back and sync")
    else:
        socket.release(newest)


async def _replay(socket: Socket, after: int, page: Callable[[int], Awaitable["CatchUpPage"]]) -> int:
    """Answers the place up to which everything was sent."""
    while True:
        portion = await page(after)
        for piece in portion.pieces:
            if 0 < socket.first_live <= piece.position:
                return after
            await socket.push(piece.frame)
            after = piece.position
        after = portion.upto
        if portion.is_last:
            return after
