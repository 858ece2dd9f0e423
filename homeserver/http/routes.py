"""A face as a table of routes, and the dispatcher that serves it.

A route declares one call: method, path, body, query and answer. The same
table feeds the router and the OpenAPI document, so the two cannot disagree.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel

from homeserver.errors import NotFound, Unauthenticated
from homeserver.http.body import check_body, check_query, read_bytes
from homeserver.http.places import Places
from homeserver.http.requestlog import USER_ID
from homeserver.http.tree import CONTINUE, RouteTree
from homeserver.model import Requester

B = TypeVar("B")
Q = TypeVar("Q")

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
_INT = re.compile(r"[1-9][0-9]{0,18}")
_MAX_INT = 2**63 - 1

Admit = Callable[[web.Request], Awaitable[Requester]]


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One validated request. `body` and `query` are None if the route has none.

    `caller` is None on a public route, and without a token on a tokenless one.
    """

    request: web.Request
    caller: Requester | None
    path: Mapping[str, Any]
    body: B
    query: Q

    @property
    def requester(self) -> Requester:
        """The authenticated user; not for public routes."""
        if self.caller is None:
            raise LookupError("a public route has no requester")
        return self.caller

    def uuid(self, name: str) -> uuid.UUID:
        """A path parameter of type uuid."""
        value: uuid.UUID = self.path[name]
        return value

    def number(self, name: str) -> int:
        """A path parameter of type int."""
        value: int = self.path[name]
        return value

    def text(self, name: str) -> str:
        """A path parameter of type text."""
        value: str = self.path[name]
        return value


Handler = Callable[[Call[Any, Any]], Awaitable[object]]
"""Returns what `answer` of its route promises: JSON (dict, list), None for no content, or a ready response."""


@dataclass(frozen=True, slots=True)
class Route:
    """One call of a face.

    `path`: like `/conversations/{conversation_id:uuid}`; types are uuid, int (positive) or none (text). "/" is the
    face's prefix itself.
    `guests`, `locked`: whether guest accounts, and locked users, may call it; for faces that have such.
    `answer`: the type of the JSON answer, None for no content. `form`: fields of a multipart body, for a
    handler that reads it itself. `public`: ignores tokens. `tokenless`: may be called without one.
    `errors`: codes beyond the usual ones that a client should expect, for the documentation.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    answer: Any = None
    status: int = 200
    tags: Sequence[str] = ()
    errors: Mapping[int, str] | None = None
    public: bool = False
    tokenless: bool = False
    guests: bool = False
    locked: bool = False
    documented: bool = True

    @property
    def parameters(self) -> Mapping[str, str]:
        """Names of the path parameters and their types."""
        return {name: kind or "text" for name, kind in _PARAMETER.findall(self.path)}

    @property
    def plain_path(self) -> str:
        """The path without types, as routers and OpenAPI write it."""
        return _PARAMETER.sub(r"{\1}", self.path)


Allow = Callable[[Route, Requester], None]


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """The form of a face's errors, for the docs: their JSON schema, and the meaning of each status."""

    schema: Mapping[str, object]
    texts: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Face:
    """One API: its application, to be mounted at `prefix` ("" for the root), and its table for the docs.

    `errors`: if not `{"detail", "code"}`. `document`: the name of the OpenAPI document that it is in, if
    not the common one.
    """

    name: str
    prefix: str
    application: web.Application
    routes: Sequence[Route]
    about: str = ""
    errors: ErrorForm | None = None
    document: str = ""


class Dispatcher:
    """Dispatches a face's requests: checks the address's rate limit, authenticates the caller, reads the body.

    `admit` raises for a request without a valid token, `limit` for an address over its rate limit, `allow` for a caller
    that may not call the route. `places` counts what is in progress. `bad_query`: the code of a malformed query.
    """

    def __init__(
        self,
        *,
        admit: Admit,
        limit: Callable[[web.Request], None],
        max_body_bytes: int,
        places: Places,
        allow: Allow | None = None,
        bad_query: str = "invalid_param",
    ) -> None:
        self._admit = admit
        self._places = places
        self._allow = allow
        self._limit = limit
        self._max_body_bytes = max_body_bytes
        self._bad_query = bad_query

    def install(self, app: web.Application, routes: Iterable[Route]) -> None:
        """Add all routes, each with and without a trailing slash."""
        tree = RouteTree()
        for route in routes:
            handle = self._handle(route)
            tree.add(route.method, route.plain_path, handle)
            if route.method == "GET":
                tree.add("HEAD", route.plain_path, handle)
        app.router.register_resource(tree)

    def _handle(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        kinds = route.parameters

        async def handle(request: web.Request) -> web.StreamResponse:
            _check_headers(request)
            self._limit(request)
            with self._places.of_address(request):
                caller = None if route.public else await self._caller(route, request)
                with self._places.of_user(request, caller):
                    path = _read_path(kinds, request)
                    call = await self._read(route, request, caller, path)
                    return respond(await route.handler(call), route.status)

        return handle

    async def _caller(self, route: Route, request: web.Request) -> Requester | None:
        try:
            caller = await self._admit(request)
        except Unauthenticated as error:
            if route.tokenless and error.code == "missing_token":
                return None
            raise
        request[USER_ID] = caller.user_id
        if self._allow is not None:
            self._allow(route, caller)
        return caller

    async def _read(
        self, route: Route, request: web.Request, caller: Requester | None, path: Mapping[str, Any]
    ) -> Call[Any, Any]:
        query = None
        if route.query:
            query = check_query(route.query, request.rel_url.query, self._bad_query)
        body = None
        if route.body is not None and not (route.form is not None and is_multipart(request)):
            most = self._max_body_bytes
            if caller is None:  # anybody may send it, and parsing takes the loop's time
                most = min(most, self._places.max_public_body_bytes)
            body = check_body(route.body, await read_bytes(request, most))
        return Call(request, caller, path, body, query)


def _check_headers(request: web.Request) -> None:
    """Raise for what a client expects, or an encoding of its body, that this server does not know."""
    expected = request.headers.get("Expect", "")
    if expected and expected.lower() != CONTINUE:
        raise web.HTTPExpectationFailed
    if request.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        raise web.HTTPUnsupportedMediaType


def is_multipart(request: web.Request) -> bool:
    """Whether the body is a form with files."""
    return request.content_type.startswith("multipart/")


def respond(answer: object, status: int = 200) -> web.StreamResponse:
    """The response for a handler's return value."""
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=204, headers={"Cache-Control": "no-store"})
    return json_response(orjson.dumps(answer), status)


def json_response(body: bytes, status: int = 200) -> web.Response:
    """A response of ready JSON. It is private, so no cache may store it."""
    return web.Response(
        status=status, body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _read_path(kinds: Mapping[str, str], request: web.Request) -> dict[str, Any]:
    """The path parameters by their types. A malformed id is answered like an unknown one."""
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        value = _convert(kind, request.match_info[name])
        if value is None:
            raise NotFound("There is no object with this id.")
        values[name] = value
    return values


def _convert(kind: str, text: str) -> uuid.UUID | int | str | None:
    if kind == "uuid":
        return uuid.UUID(text) if _UUID.fullmatch(text) else None
    if kind == "int":
        return int(text) if _INT.fullmatch(text) and int(text) <= _MAX_INT else None
    return None if "\x00" in text else text
