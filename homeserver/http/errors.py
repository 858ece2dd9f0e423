"""Error responses: a middleware made from a face's error table.

A face gives one table: which status each class of the error tree has (with exceptions by code) and what the
body looks like. Every exception of a handler becomes a response in that form; a bug becomes a 500 whose trace is
only in the log, under the request's id.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError
from aiohttp.typedefs import Handler, Middleware

from homeserver.errors import (
    Conflict,
    Forbidden,
    HomeserverError,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    Upstream,
)

logger = logging.getLogger(__name__)

# Failures of HTTP itself, which aiohttp raises outside of handlers.
_HTTP_CODES: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "There is no such path."),
    405: ("method_not_allowed", "This method is not allowed for this path."),
    413: ("too_large", "The body is too large."),
    415: ("unsupported_encoding", "A body may be compressed with gzip or deflate only."),
    417: ("expectation_failed", "Nothing can be expected but 100-continue."),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """The data of an error response."""

    status: int
    code: str
    detail: str
    data: Mapping[str, object] = field(default_factory=dict)


def detail_body(failure: Failure) -> Mapping[str, object]:
    """`{"detail", "code"}` and the error's own data."""
    return {**failure.data, "detail": failure.detail, "code": failure.code}


PLAIN_STATUSES: Mapping[type[HomeserverError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    RateLimited: 429,
    Unsupported: 400,
    Upstream: 502,
    Unavailable: 503,
}
"""The plain HTTP status of each error class."""


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """One face's errors. `codes` goes before `statuses`; `shape` makes the body.

    `http`: codes for failures of HTTP itself, by status, where a face has others than the usual ones.
    """

    statuses: Mapping[type[HomeserverError], int]
    codes: Mapping[str, int]
    shape: Callable[[Failure], Mapping[str, object]]
    http: Mapping[int, str] = field(default_factory=dict)

    def failure(self, error: HomeserverError) -> Failure:
        """The failure for an error, by this face's table."""
        status = self.codes.get(error.code)
        if status is None:
            status = next((self.statuses[kind] for kind in type(error).__mro__ if kind in self.statuses), 500)
        data = dict(error.data)
        if isinstance(error, RateLimited):
            data["retry_ms"] = error.retry_ms
        return Failure(status, error.code, error.message, data)

    def http_failure(self, error: web.HTTPException) -> Failure:
        """The failure for an HTTP error, by this face's table."""
        phrase = HTTPStatus(error.status).phrase
        usual = (phrase.lower().replace(" ", "_"), phrase)
        code, detail = _HTTP_CODES.get(error.status, usual)
        return Failure(error.status, self.http.get(error.status, code), detail)

    def answer(self, failure: Failure, headers: Mapping[str, str] | None = None) -> web.Response:
        """The response for a failure."""
        return web.Response(
            status=failure.status,
            body=orjson.dumps(self.shape(failure), default=str),
            content_type="application/json",
            headers={"Cache-Control": "no-store", **(headers or {})},
        )


PLAIN = ErrorTable(PLAIN_STATUSES, {"slow_body": 408}, detail_body)
"""For paths that belong to no face."""


def _every_body(failure: Failure) -> Mapping[str, object]:
    return {**detail_body(failure), "errcode": "M_UNKNOWN", "error": failure.detail}


UNREADABLE = ErrorTable(PLAIN_STATUSES, {"slow_body": 408}, _every_body)
"""For what is no HTTP request: its path cannot be told, so this is in the form of every API."""


def error_middleware(table: ErrorTable, request_id: Callable[[], str]) -> Middleware:
    """The middleware of a face. `request_id` names the request that is being served."""

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except HomeserverError as error:
            return table.answer(table.failure(error), _headers(error))
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return table.answer(table.http_failure(error), _http_headers(error))
        except (ConnectionResetError, ClientConnectionResetError):
            raise  # the client has disconnected
        except Exception:
            if _is_started(request):
                raise  # the response has started: aiohttp logs the trace and closes the connection
            identity = request_id()
            logger.exception("bug while answering %s %s", request.method, request.path)
            bug = Failure(500, "internal", "Something went wrong on our side.", {"request_id": identity})
            return table.answer(bug)

    return errors


def _is_started(request: web.Request) -> bool:
    return request.writer.output_size > 0


def _headers(error: HomeserverError) -> dict[str, str]:
    if isinstance(error, RateLimited):
        return {"Retry-After": str(max(1, math.ceil(error.retry_ms / 1000)))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, Unavailable):
        return {"Retry-After": "1"}
    return {}


def _http_headers(error: web.HTTPException) -> dict[str, str]:
    allow = error.headers.get("Allow")
    return {"Allow": allow} if allow else {}
