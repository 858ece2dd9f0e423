"""Connections: deadlines for the next request and for reading an answer, and how many one address may have.

A client that connects and sends nothing, or asks and does not read, holds a file and memory. So each connection has a
deadline for its first request and for the next one, an answer of which nothing is taken for a while is given up, and
where an address (or the process) has all the connections that it may have, its oldest idle one makes room for the new.
"""

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError

from homeserver.errors import RateLimited
from homeserver.http.errors import PLAIN, UNREADABLE, Failure
from homeserver.kit.ratelimit import address_key
from homeserver.settings.models import ListenSettings

logger = logging.getLogger(__name__)

MAX_FILES = 65_536  # that the process asks the system for
_RESERVED_FILES = 200  # for the database, media, the log
_MIN_PROGRESS_BYTES = 10_000  # in `stalled_answer_s`; slower than any network in use
_NEARLY = 0.9
_WARN_EVERY_S = 60.0
_RETRY_MS = 5000


def raise_file_limit() -> None:
    """Ask the system for more open files than the usual 1024: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """How many connections the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_FILES if soft == resource.RLIM_INFINITY else max(soft // 2, soft - _RESERVED_FILES)


class Connections:
    """The open connections, by address; those of trusted proxies have none, as they are of many clients."""

    def __init__(self, settings: ListenSettings, most: int) -> None:
        self.settings = settings
        self._most = most
        self._of: dict[str, dict[Connection, None]] = {}
        self._stalled: dict[str, dict[Connection, None]] = {}  # by owner: those with an answer that waits
        self._count = 0
        self._warned = -_WARN_EVERY_S

    def __len__(self) -> int:
        return self._count

    def protocol(self, server: web.Server) -> Callable[[], "Connection"]:
        """The factory of protocols for a listening socket of `server`."""
        loop = asyncio.get_running_loop()
        keep_s = self.settings.keep_alive_s
        return lambda: Connection(self, server, loop=loop, access_log=None, keepalive_timeout=keep_s)

    def check(self, owner: str) -> None:
        """Raise RateLimited("unread_answers") if too much of what this owner asked for waits to be read."""
        waiting = self._stalled.get(owner)
        if waiting and sum(one.unsent for one in waiting) > self.settings.max_unread_bytes:
            raise RateLimited("read your other answers first", retry_ms=_RETRY_MS, code="unread_answers")

    def add(self, connection: "Connection") -> None:
        """Count a new connection; an idle one is closed for it, or itself, if there are too many."""
        key = connection.key
        here = self._of.setdefault(key, {})
        here[connection] = None
        self._count += 1
        if self._count > self._most * _NEARLY:
            self._warn()
        if key and len(here) > self.settings.max_connections_per_address:
            self._make_room(here, connection)
        elif self._count > self._most:
            self._make_room(max(self._of.values(), key=len), connection)

    def remove(self, connection: "Connection") -> None:
        """Forget a closed connection."""
        here = self._of.get(connection.key, {})
        if here.pop(connection, connection) is None:
            self._count -= 1
        if not here:
            self._of.pop(connection.key, None)
        self.flows(connection)

    def stalls(self, connection: "Connection") -> None:
        """Note that an answer waits to be read; of an owner with too many such, the latest is given up."""
        for owner in connection.owners:
            waiting = self._stalled.setdefault(owner, {})
            waiting[connection] = None
            if len(waiting) > 1 and sum(one.unsent for one in waiting) > self.settings.max_unread_bytes:
                connection.give_up("too much waits to be read")
                return

    def flows(self, connection: "Connection") -> None:
        """Note that nothing of a connection waits any more."""
        for owner in connection.owners:
            waiting = self._stalled.get(owner, {})
            waiting.pop(connection, None)
            if not waiting:
                self._stalled.pop(owner, None)

    def _make_room(self, among: dict["Connection", None], new: "Connection") -> None:
        idle = next((one for one in among if one.is_idle and one is not new), new)
        idle.give_up("too many connections of its address" if new.key else "too many connections")

    def _warn(self) -> None:
        now = time.monotonic()
        if now - self._warned < _WARN_EVERY_S:
            return
        self._warned = now
        most, of = max((len(here), key) for key, here in self._of.items())
        logger.warning(
            "%d connections are open, of %d that the limit of files leaves room for; the most, %d, are of %s",
            self._count,
            self._most,
            most,
            of or "trusted proxies",
        )


class Connection(web.RequestHandler):
    """One connection. `key`: its address as it is counted; `owners`: whose answers it carries, once that is known."""

    __slots__ = ("_first", "_open", "_stall", "_waited", "key", "owners")

    def __init__(self, connections: Connections, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self.key = ""
        self.owners: tuple[str, ...] = ()
        self._open = connections
        self._first: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._waited = 0

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return not self._request_in_progress and not self._messages

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        transport = self.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def give_up(self, why: str, level: int = logging.INFO) -> None:
        """Abort the connection."""
        logger.log(level, "connection of %s closed: %s", self.key or "a proxy", why)
        if self.transport is not None:
            self.transport.abort()

    def carries(self, *owners: str) -> None:
        """Note whose answer it will carry. Raises RateLimited if too much of theirs waits to be read."""
        for owner in owners:
            self._open.check(owner)
        self.owners = owners

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and begin to wait for its first request."""
        super().connection_made(transport)
        self.key = _key(transport, self._open.settings)
        self._first = self._loop.call_later(self._open.settings.first_request_s, self._check_first)
        self._open.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection and its deadlines."""
        for timer in (self._first, self._stall):
            if timer is not None:
                timer.cancel()
        self._open.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._open.stalls(self)
        self._watch_reading()

    def resume_writing(self) -> None:
        """The client has read most of what waited."""
        if self._stall is not None:
            self._stall.cancel()
        self._open.flows(self)
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what failed outside of the application: a client that left, or something that is not HTTP."""
        if isinstance(exc, ConnectionError):
            raise exc
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        logger.info("malformed request of %s: %s", self.key or "a proxy", type(exc).__name__)
        if isinstance(exc, ContentEncodingError):
            failure = UNREADABLE.http_failure(web.HTTPUnsupportedMediaType())
        else:
            failure = Failure(status, "bad_request", "This is not HTTP that can be understood.")
        answer = UNREADABLE.answer(failure)
        answer.headers["Server"] = "homeserver"
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; failures of HTTP that the library raised outside of the APIs get our form."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = PLAIN.answer(PLAIN.http_failure(resp))
        return await super().finish_response(request, resp, start_time)

    def _check_first(self) -> None:
        if self._request_count == 0:
            self.give_up("no request came", logging.DEBUG)  # browsers open some in advance

    def _watch_reading(self) -> None:
        self._waited = self.unsent
        self._stall = self._loop.call_later(self._open.settings.stalled_answer_s, self._check_reading)

    def _check_reading(self) -> None:
        if self._waited - self.unsent < min(_MIN_PROGRESS_BYTES, self._waited):
            self.give_up("its answer is not read")
        else:
            self._watch_reading()


def _key(transport: asyncio.BaseTransport, settings: ListenSettings) -> str:
    """The address that a connection counts for; "" for a trusted proxy or a Unix socket."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return ""
    key = address_key(cast("str", peer[0]))
    address = ip_address(key.partition("/")[0])
    if any(address.version == network.version and address in network for network in settings.trusted_proxies):
        return ""
    return key
