"""One line in the log and one count per request, and the id that ties them to the answer.

`install` must be called on the root application only, before any other middleware: it sees every request, also those
for unknown paths. A line has the method, the path without its query, the status, the time, the ids of
the request, of the user and of a service key, the number of statements that went to the database for it, and the
milliseconds in which it waited for news; never a header, a query or a body: they hold tokens and users' messages.
"""

import asyncio
import itertools
import logging
import re
import secrets
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from homeserver.logs import request_id
from homeserver.metrics import Metrics, Spent, spending

log = logging.getLogger("homeserver.access")

REQUEST_ID = web.RequestKey("request_id", str)
USER_ID = web.RequestKey("user_id", str)
"""The user id, set by a face after authentication, for the log."""
SERVICE_KEY_ID = web.RequestKey("service_key_id", str)
"""The id of the service key, set after it was checked."""
_IS_SOCKET = web.RequestKey("is_socket", bool)

HEADER = "X-Request-ID"
UNMATCHED = "unmatched"
_GIVEN_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_QUIET_PATHS = frozenset({"/health", "/ready"})  # polled every few seconds by monitoring
_MAX_PATH_CHARS = 300
# An id is not a secret: it must only be unique, also across restarts.
_MASK = 2**64 - 1
_numbers = itertools.count(secrets.randbits(64))


def install(app: web.Application, metrics: Metrics, *, slow_request_ms: int = 1000) -> None:
    """Make the root application log and count its requests and answer each with its X-Request-ID."""
    app.middlewares.insert(0, request_log(metrics, slow_request_ms=slow_request_ms))
    app.on_response_prepare.append(answer_request_id)


def request_log(metrics: Metrics, *, slow_request_ms: int = 1000) -> Middleware:
    """The middleware alone. A request that takes longer than `slow_request_ms`, waiting for news aside, is
    logged as a warning."""

    @web.middleware
    async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
        identity = request[REQUEST_ID] = _identity(request)
        token = request_id.set(identity)
        metrics.request_started()
        began = time.perf_counter()
        status = 500
        try:
            with spending() as spent:
                answer = await handler(request)
            status = answer.status
        except web.HTTPException as error:
            status = error.status
            raise
        except (asyncio.CancelledError, ConnectionResetError):
            status = 499  # the client disconnected
            raise
        else:
            return answer
        finally:
            seconds = time.perf_counter() - began
            busy_s = None if _IS_SOCKET in request else seconds - spent.waited_s
            metrics.request_done(
                route=route_of(request),
                method=request.method,
                status=status,
                seconds=busy_s,
                statements=spent.statements,
            )
            is_slow = busy_s is not None and busy_s * 1000 > slow_request_ms
            _write(request, status, seconds, spent, is_slow=is_slow)
            request_id.reset(token)

    return log_request


async def answer_request_id(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Put the request's id into the response just before it is sent, also for streams and sockets."""
    if identity := request.get(REQUEST_ID):
        response.headers[HEADER] = identity
    if isinstance(response, web.WebSocketResponse):
        request[_IS_SOCKET] = True  # however its handler ends


def route_of(request: web.Request) -> str:
    """The template of the path (/rooms/{room_id}), the same with and without a slash at the end."""
    resource = request.match_info.route.resource
    if resource is None:
        return UNMATCHED
    return resource.canonical.rstrip("/") or "/"


def _identity(request: web.Request) -> str:
    """The id that a proxy or client sent, if it is harmless, else a new one."""
    given = request.headers.get(HEADER, "")
    return given if _GIVEN_ID.fullmatch(given) else f"{next(_numbers) & _MASK:016x}"


def _write(request: web.Request, status: int, seconds: float, spent: Spent, *, is_slow: bool) -> None:
    level = logging.INFO
    if status >= 500 or is_slow:
        level = logging.WARNING
    elif request.path in _QUIET_PATHS:
        level = logging.DEBUG
    if not log.isEnabledFor(level):
        return
    path = request.path
    if len(path) > _MAX_PATH_CHARS:
        path = path[:_MAX_PATH_CHARS] + "..."
    user_id = request.get(USER_ID, "-")
    more = f" key={request[SERVICE_KEY_ID]}" if SERVICE_KEY_ID in request else ""
    more += f" db={spent.statements}" if spent.statements else ""
    more += f" waited={spent.waited_s * 1000:.1f}" if spent.waited_s else ""
    more += " slow" if is_slow else ""
    log.log(
        level, "%s %s %d in %.1f ms user=%s%s", request.method, path, status, seconds * 1000, user_id, more
    )
