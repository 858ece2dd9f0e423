"""Authentication of host applications' servers: a service key, and the user that they act for."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from homeserver.errors import Invalid, Unauthenticated
from homeserver.http.requestlog import SERVICE_KEY_ID
from homeserver.http.routes import Admit
from homeserver.model import Requester

KEY_HEADER = "X-Service-Key"
PERSON_HEADER = "X-Act-For"
MAX_NUMBER_CHARS = 16  # 2^53 has as many


class CheckKey(Protocol):
    """The id of a key that is valid for a scope. Raises Unauthenticated, RateLimited."""

    def __call__(self, secret: str, scope: str, address: str) -> Awaitable[str]: ...


class Vouch(Protocol):
    """The user with a number at a host application ("": with an account here). Raises NotFound."""

    def __call__(self, issuer: str, number: int, address: str) -> Awaitable[Requester]: ...


class ServiceKeyAuth:
    """One API's authentication of a host's servers.

    `scope`: what a key must be valid for. `issuer`: the host whose users it acts for; "" for users with an account
    here, None for none. A WebSocket takes no key: it would outlive the key's revocation.
    """

    def __init__(
        self,
        *,
        check: CheckKey,
        vouch: Vouch,
        address: Callable[[web.Request], str],
        scope: str,
        issuer: str | None,
    ) -> None:
        self._check = check
        self._vouch = vouch
        self._address = address
        self._scope = scope
        self._issuer = issuer

    async def check(self, request: web.Request) -> None:
        """Raise Unauthenticated("bad_service_key") unless the key is valid; RateLimited after many attempts."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            raise Unauthenticated("a WebSocket needs the user's own token", code="bad_service_key")
        secret = request.headers.get(KEY_HEADER, "")
        request[SERVICE_KEY_ID] = await self._check(secret, self._scope, self._address(request))

    async def person(self, request: web.Request, named: str) -> Requester:
        """The user that an authenticated server acts for. Raises NotFound("user_not_found"), Invalid."""
        if not (named.isascii() and named.isdecimal() and len(named) <= MAX_NUMBER_CHARS):
            raise Invalid("a user is named by an integer", code="invalid_param")
        if self._issuer is None:
            raise Unauthenticated("this key has no issuer to act for", code="bad_service_key")
        return await self._vouch(self._issuer, int(named), self._address(request))

    def beside(self, authenticator: Admit) -> Admit:
        """For an API whose requests name no user: by key and X-Act-For if a key is sent, else by `authenticator`."""

        async def admit(request: web.Request) -> Requester:
            if KEY_HEADER not in request.headers and PERSON_HEADER not in request.headers:
                return await authenticator(request)
            await self.check(request)
            return await self.person(request, request.headers.get(PERSON_HEADER, ""))

        return admit
