"""All open WebSockets of this process: subscriptions, limits, closing.

A face opens a socket with `visit`, lets it join groups, and broadcasts frames to groups. A frame is built
once; every socket of the group gets the same bytes.

A user who opens more sockets than allowed loses the oldest one, with 1000. Its connection is the one most likely
dead already (a phone that changed its network), and clients do not reconnect after a 1000, so two windows
never close each other in turns. Refusing the newest would lock a user out behind their own dead
connections.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Hashable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiohttp import WSCloseCode, web

from homeserver.clock import Clock
from homeserver.errors import HomeserverError, RateLimited, Unauthenticated, Unavailable
from homeserver.http.websocket import Socket, SocketClosedError, SocketMetrics, Visitor, cut_reason
from homeserver.model import SessionId
from homeserver.protocol.ids import UserId
from homeserver.settings.models import SocketSettings

K = TypeVar("K")

logger = logging.getLogger(__name__)


class Hub:
    """The sockets, by group, by user and by session."""

    def __init__(self, settings: SocketSettings, clock: Clock, metrics: SocketMetrics) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._groups: dict[Hashable, dict[Socket, None]] = {}
        self._joined: dict[Socket, set[Hashable]] = {}
        self._of_user: dict[UserId, dict[Socket, None]] = {}
        self._of_session: dict[SessionId, dict[Socket, None]] = {}
        self._open: set[Socket] = set()
        self._left = asyncio.Event()  # set whenever one of them has closed
        self._is_stopping = False

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def visit(self, visitor: Visitor, expires_ms: int | None = None) -> AsyncIterator[Socket]:
        """A socket, not yet connected (see `Socket.start`): joining groups before that leaves no gap.

        Live frames wait a moment for the client's first frame: release them if that does not ask for a replay.
        `expires_ms`: when the token expires, and the socket closes. Raises Unavailable while stopping.
        """
        if self._is_stopping:
            raise Unavailable("The server is stopping.")
        socket = Socket(visitor, self._settings, self._metrics)
        self._remember(socket)
        socket.hold(self._settings.first_frame_wait_s)
        if expires_ms is not None:
            socket.expire_in((expires_ms - self._clock.now_ms()) / 1000)
        try:
            yield socket
        except (SocketClosedError, ConnectionResetError):
            pass  # the client has disconnected, perhaps in the middle of a replay
        except HomeserverError as error:
            if not socket.response.prepared:
                raise
            socket.close(*close_reason(error))
        except Exception:
            if not socket.response.prepared:
                raise
            logger.exception("bug while serving a socket")
            socket.close(WSCloseCode.INTERNAL_ERROR, "internal error")
        finally:
            self._forget(socket)
            try:
                await socket.finish()
            finally:
                self._open.discard(socket)
                self._left.set()

    async def refuse(self, request: web.Request, error: HomeserverError) -> web.WebSocketResponse:
        """Accept the handshake and close with the reason: browsers learn nothing from a refused handshake."""
        response = web.WebSocketResponse(timeout=1.0, compress=False)
        await response.prepare(request)
        code, reason = close_reason(error)
        await response.close(code=code, message=cut_reason(reason))
        return response

    def join(self, socket: Socket, key: Hashable) -> None:
        """Subscribe the socket to the group `key`."""
        self._groups.setdefault(key, {})[socket] = None
        self._joined[socket].add(key)

    def leave(self, socket: Socket, key: Hashable) -> None:
        """Unsubscribe the socket from the group `key`."""
        group = self._groups.get(key, {})
        group.pop(socket, None)
        if not group:
            self._groups.pop(key, None)
        if socket in self._joined:
            self._joined[socket].discard(key)

    def has(self, key: Hashable) -> bool:
        """Whether the group `key` has sockets."""
        return key in self._groups

    def sockets(self, key: Hashable) -> Collection[Socket]:
        """The sockets of the group `key`."""
        return tuple(self._groups.get(key, ()))

    def is_connected(self, user_id: UserId) -> bool:
        """Whether a user has an open socket."""
        return user_id in self._of_user

    def broadcast(
        self, key: Hashable, frame: bytes, *, position: int | None = None, but: UserId | None = None
    ) -> None:
        """Queue one frame for all sockets of a group, except those of the user `but`.

        `position`: of the log entry, if a replay may send the frame too.
        """
        for socket in self._groups.get(key, ()):
            if but is None or socket.visitor.user_id != but:
                socket.put(frame, position)

    def end_session(self, user_id: UserId, session_id: SessionId | None) -> None:
        """Close the sockets of a session that ended; without a session, all sockets of the user."""
        ended = self._of_user.get(user_id, {}) if session_id is None else self._of_session.get(session_id, {})
        for socket in tuple(ended):
            socket.close(WSCloseCode.POLICY_VIOLATION, "the session ended")

    def end_all(self, reason: str) -> None:
        """Close every socket with 1013: its client reconnects and asks for what it missed."""
        for socket in tuple(self._open):
            socket.close(WSCloseCode.TRY_AGAIN_LATER, reason)

    def end_in_group(self, key: Hashable, user_id: UserId, reason: str) -> None:
        """Close a user's sockets in a group, after the frames queued so far."""
        for socket in self.sockets(key):
            if socket.visitor.user_id == user_id:
                self.leave(socket, key)
                socket.close(WSCloseCode.POLICY_VIOLATION, reason)

    async def stop(self, deadline_s: float) -> None:
        """Close all with 1001 and wait until they are closed, within a timeout. New ones are refused."""
        self._is_stopping = True
        for socket in tuple(self._open):
            socket.close(WSCloseCode.GOING_AWAY, "the server is stopping")
        try:
            async with asyncio.timeout(deadline_s):
                while self._open:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            logger.warning("%d sockets did not close in time", len(self._open))

    def _remember(self, socket: Socket) -> None:
        visitor = socket.visitor
        mine = self._of_user.setdefault(visitor.user_id, {})
        still_open = [other for other in mine if not other.is_closing]
        if len(still_open) >= self._settings.max_per_user:
            still_open[0].close(WSCloseCode.OK, "too many sockets: the oldest was closed")
        mine[socket] = None
        if visitor.session_id is not None:
            self._of_session.setdefault(visitor.session_id, {})[socket] = None
        self._joined[socket] = set()
        self._open.add(socket)

    def _forget(self, socket: Socket) -> None:
        for key in tuple(self._joined.get(socket, ())):
            self.leave(socket, key)
        self._joined.pop(socket, None)
        visitor = socket.visitor
        _drop(self._of_user, visitor.user_id, socket)
        if visitor.session_id is not None:
            _drop(self._of_session, visitor.session_id, socket)


def _drop(index: dict[K, dict[Socket, None]], key: K, socket: Socket) -> None:
    group = index.get(key, {})
    group.pop(socket, None)
    if not group:
        index.pop(key, None)


def close_reason(error: HomeserverError) -> tuple[int, str]:
    """The close code and reason for an error that ends a socket, or keeps it from opening.

    Clients reconnect after all codes but 1000: after 1008 with a fresh token, after 1013 a bit later.
    """
    if isinstance(error, RateLimited | Unavailable):
        return WSCloseCode.TRY_AGAIN_LATER, error.message
    if isinstance(error, Unauthenticated):
        return WSCloseCode.POLICY_VIOLATION, f"unauthenticated: {error.message}"
    return WSCloseCode.POLICY_VIOLATION, error.message
