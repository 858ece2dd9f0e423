"""Steps of a socket that are the same in each product API: admission, its end, and the replay of what was missed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, TypeVar

from aiohttp import web

from homeserver.errors import HomeserverError
from homeserver.http.apps import ApiContext
from homeserver.http.frames import CatchUpFrame, CatchUpPage, ClientFrame, FrameHandler, catch_up, open_socket
from homeserver.http.requestlog import USER_ID
from homeserver.http.routes import Call, Route
from homeserver.http.sockets import Hub
from homeserver.http.websocket import Socket, Visitor
from homeserver.model import LogPosition, Requester
from homeserver.services.messages.messages import Sent
from homeserver.services.realtime import records
from homeserver.services.realtime.catch_up import LogPage, Told

Ended: TypeAlias = records.SessionEnded | records.NewsLost
S = TypeVar("S")


class Refusal(Protocol):
    """Makes the frame for an error; `client_id` names the message that was not sent."""

    def __call__(self, error: HomeserverError, client_id: str | None = None) -> bytes: ...


class Entrance:
    """Opens the sockets of one API. `refusal` makes the frame for an error."""

    def __init__(self, api: ApiContext, face: str, refusal: Refusal) -> None:
        self._hub = api.hub
        self._face = face
        self._admit = api.authenticator.for_socket
        self._refusal = refusal

    async def open(
        self, request: web.Request, serve: Callable[[Requester], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Admit the client and serve its socket; refusals are answered by a close code."""

        async def admitted() -> web.StreamResponse:
            requester = await self._admit(request)
            request[USER_ID] = requester.user_id
            return await serve(requester)

        return await open_socket(self._hub, request, admitted)

    def dialogue(
        self,
        parse: Callable[[str], ClientFrame],
        verbs: Mapping[str, Callable[[S, Mapping[str, Any]], Awaitable[None]]],
    ) -> FrameHandler[S]:
        """Answers the frames of its sockets (see `FrameHandler`)."""
        return FrameHandler(verbs, parse, self._refusal)

    def visit(self, requester: Requester) -> AbstractAsyncContextManager[Socket]:
        """A socket of the requester (see `Hub.visit`)."""
        visitor = Visitor(self._face, requester.user_id, requester.session_id, self._refusal)
        return self._hub.visit(visitor, requester.expires_ms)


def socket_route(
    path: str, handler: Callable[[Call[None, None]], Awaitable[web.StreamResponse]], summary: str
) -> Route:
    """The route of a socket. It is public to the router: a bad token is answered by a close code."""
    return Route("GET", path, handler, summary, public=True, documented=False)


def told_again(sent: Sent) -> Sequence[Told]:
    """What a client is told whose message was sent before: nobody is told again, but this client waits for it."""
    if not sent.repeated:
        return ()
    message = sent.message
    new = records.MessageNew(message)
    if not sent.is_deleted:
        return (new,)
    return (new, records.MessageDeleted(message.room_id, message.room_position, message.ref))


def end_sockets(hub: Hub, record: Ended, advice: str) -> None:
    """Close the sockets of a session that ended, or all where news was lost; `advice`: what a client does then."""
    match record:
        case records.SessionEnded(session_id=session_id, user_id=user_id):
            hub.end_session(user_id, session_id)
        case records.NewsLost():
            hub.end_all(f"too many changes at once: {advice}")


async def replay(
    socket: Socket,
    since: LogPosition,
    read: Callable[[LogPosition], Awaitable[LogPage]],
    frame: Callable[[Told], bytes],
) -> None:
    """Replay everything after a position in order, then live frames held back (see `catch_up`).

    `read` reads the next page of the log after a position; `frame` makes the frame of a message's record.
    """

    async def page(after: int) -> CatchUpPage:
        found = await read(LogPosition(after))
        pieces = [CatchUpFrame(one.position, frame(one.record)) for one in found.news]
        return CatchUpPage(pieces, found.upto, found.is_last)

    await catch_up(socket, since, page)
