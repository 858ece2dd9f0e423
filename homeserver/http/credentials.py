"""The access token of a request, and its issuer. Nothing is verified here."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import orjson
from aiohttp import web
from jwt.utils import base64url_decode

from homeserver.errors import Unauthenticated
from homeserver.model import Requester

HEADERS = ("Authorization", "WWW-Authenticate")  # the second one is not a mistake: clients in use send it
QUERY_NAMES = ("Authorization", "WWW-Authenticate", "token")

MAX_TOKEN_CHARS = 8000  # a header line of HTTP ends at 8190


class Authenticate(Protocol):
    """Authenticates a token. Raises Unauthenticated or Forbidden. `address`: the client's, for rate limits."""

    def __call__(self, token: str, address: str) -> Awaitable[Requester]: ...


class Authenticator:
    """Callable: the requester of a request, by a token of ours or of a host application."""

    def __init__(
        self,
        *,
        ours: Authenticate,
        hosts: Authenticate,
        server_name: str,
        address: Callable[[web.Request], str],
    ) -> None:
        self._ours = ours
        self._hosts = hosts
        self._server_name = server_name
        self._address = address

    async def __call__(self, request: web.Request) -> Requester:
        """The requester; the token must be in a header."""
        return await self.admit(request, header_token(request))

    async def for_socket(self, request: web.Request) -> Requester:
        """The requester of a WebSocket. The token may be in the query, as browsers cannot set headers."""
        return await self.admit(request, header_token(request) or query_token(request))

    async def admit(self, request: web.Request, token: str) -> Requester:
        """The requester of a token, wherever in the request the face found it."""
        if not token:
            raise Unauthenticated("An access token is required.", code="missing_token")
        if len(token) > MAX_TOKEN_CHARS:
            raise Unauthenticated("The token is not valid.", code="unknown_token")
        check = self._ours if is_ours(token, self._server_name) else self._hosts
        return await check(token, self._address(request))


def header_token(request: web.Request) -> str:
    """The token in the headers of a request, "" if there is none."""
    return _first(request.headers.get(name, "") for name in HEADERS)


def query_token(request: web.Request) -> str:
    """The token in the query of a request, "" if there is none."""
    return _first(request.rel_url.query.get(name, "") for name in QUERY_NAMES)


def _first(values: Iterable[str]) -> str:
    """The first value present, without the scheme Bearer; other schemes are not tokens."""
    for value in values:
        scheme, _, rest = value.strip().partition(" ")
        if rest and scheme.lower() == "bearer":
            return rest.strip()
        if scheme and not rest and scheme.lower() != "bearer":
            return scheme
    return ""


def is_ours(token: str, server_name: str) -> bool:
    """Whether a token claims to be issued by this server: our name as issuer, and a session."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = orjson.loads(base64url_decode(parts[1]))
    except ValueError:
        return False
    return isinstance(claims, dict) and claims.get("iss") == server_name and "sid" in claims
